"""Grey pictures coloured by a diffusion model that never learned to colour: lightness is what is known, colour is not.

Small landscapes are learned in a basis of lightness and two axes of colour. What is grey is then a picture of which one
channel of three is known, and sampling fills in the others. Night is dark, so there is one right answer. Dawn and dusk
have the same shades of grey, so there are two: each should come half of the time, everywhere in a picture at once.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from math import pi
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from deepgen import Data, adam, cosine, cosine_noise, denoised, diffusion, fit, from_opponent, timed_mlp, to_opponent
from deepgen.pictures.style import canvas, headed, saved
from pgm.pictures.style import QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, steps, repeats, held = (3, 3, 1, 12) if smoke else (2500, 100, 3, 120)
SIDE, HOURS = 12, ("night", "dawn", "dusk")
PALETTE = """
    10205c 3a5fa8 203f7a 0c2140
    8f8fd6 ffd2c4 b0708f 4f4a78
    c08a9e ffc9ad c06a45 7d4426
"""  # an hour a line: the sky above, the sky at the horizon, and two ridges
inks = torch.tensor([list(bytes.fromhex(ink)) for ink in PALETTE.split()]).reshape(3, 4, 3) / 127.5 - 1
inks[2] += (inks[1] - inks[2]).mean(-1, keepdim=True)  # dusk is as light as dawn


def landscapes(hours: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Two ridges below a sky, `[n, 3, SIDE, SIDE]`, in all hours, `[3, n, 3, SIDE, SIDE]`, and in one each."""
    generator, n = torch.Generator().manual_seed(seed), len(hours)
    rows, columns, colours = torch.arange(SIDE)[:, None], torch.arange(SIDE), inks[:, None, :, :, None, None]
    low = (rows / 6).clamp(max=1)
    image = (colours[:, :, 0] * (1 - low) + colours[:, :, 1] * low).expand(3, n, 3, SIDE, SIDE)
    for layer in range(2):
        crest = torch.tensor(5.0 + 3.5 * layer)
        for wave in range(1, 4):
            angle = 2 * pi * (wave * columns / 20 + torch.rand(n, 1, 1, 1, generator=generator))
            crest = crest + 1.6 / wave * angle.sin()
        cover = (rows - crest + 0.5).clamp(0, 1)
        image = image * (1 - cover) + colours[:, :, 2 + layer] * cover
    return image, image[hours, torch.arange(n)]


def turned(images: Tensor) -> Tensor:
    """Lightness and two axes of colour, all from -1 to 1, so that sampling may keep to that."""
    return to_opponent(images) / 3**0.5


hours = torch.arange(3).repeat(34 if smoke else 2000)
data = Data({"image": turned(landscapes(hours, seed=0)[1])}, "landscapes")
torch.manual_seed(0)
image, net = data.variable("image"), timed_mlp(512, 512, 512)
model = diffusion(image, net, noise=cosine_noise(200), predicts="data", levels=256)
phase = denoised(model, optimiser=adam(1e-3), rate=cosine(turns))
fit(phase, data, turns=turns, batch=100, average=0.99, device="cpu")

# New landscapes, of which only the lightness is known.
new = torch.arange(3).repeat(held // 3)
every, truth = landscapes(new, seed=1)
mask = torch.tensor([1, 0, 0])[:, None, None].expand(3, SIDE, SIDE)
options = {"known": turned(truth) * mask, "mask": mask, "steps": steps, "repeats": repeats}
coloured = [from_opponent(model.sample(held, **options, seed=seed) * 3**0.5) for seed in range(1 if smoke else 3)]

# Of which hour is the colour of each pixel, and of each picture? Lightness does not count.
near = (turned(coloured[0]) - turned(every))[:, :, 1:].norm(dim=2)  # [3, held, SIDE, SIDE]
pixel, whole, night = near.argmin(0), near.square().sum((-2, -1)).argmin(0), new == 0
print(f"At night, pixels in the colour of the night: {(pixel[night] == 0).double().mean():.1%}")
print(f"  pictures coloured as night {(whole[night] == 0).double().mean():6.1%}, right is 100%")
agree = (pixel == whole[:, None, None])[~night].double().mean()
print(f"At dawn or dusk, pixels in the colour of the rest of their picture: {agree:.1%}")
error = (0.25 / int((~night).sum())) ** 0.5
for hour in (1, 2):
    share = (whole[~night] == hour).double().mean()
    print(f"  pictures coloured as {HOURS[hour]}  {share:6.1%}, right is 50% with a standard error of {error:.1%}")

grey = truth.mean(1, keepdim=True).expand_as(truth)
rows = {"grey": grey, **{f"colouring {n + 1}": each for n, each in enumerate(coloured)}, "as it was": truth}
chosen = torch.arange(held).reshape(-1, 3).T[:, :4].flatten()  # four of each hour
paper = pad(torch.stack([each[chosen] for each in rows.values()]), (1, 1, 1, 1), value=1.0)
sheet = paper.permute(0, 3, 1, 4, 2).reshape(len(rows) * (SIDE + 2), -1, 3).clamp(-1, 1) / 2 + 0.5
figure = canvas(980, 440)
axes = figure.add_axes((0.1, 0.01, 0.895, 0.89))
axes.imshow(sheet.numpy())
middles = (SIDE + 2) * (torch.arange(12) + 0.5) - 0.5
axes.set_yticks(middles[: len(rows)].tolist(), list(rows), fontsize=8, color=QUIET)
axes.set_xticks((middles[1::4] + SIDE / 2 + 1).tolist(), HOURS, fontsize=8, color=QUIET)
axes.xaxis.tick_top()
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
headed(axes, "Lightness is known, colour is drawn: one answer at night, two at dawn and at dusk")
saved(figure, folder / "colour-as-mask.png")
print("\nPicture:", folder / "colour-as-mask.png")
