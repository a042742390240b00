"""A landscape from night to dusk, ten times as wide as any that the network has seen.

A diffusion model learns small landscapes at four hours of the day. On overlapping windows of a wide image, averaged at
every step, it draws a panorama; each window is told an hour of its own. Seams are measured by jumps between columns.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from math import pi
from pathlib import Path

import torch
from torch import Tensor

from deepgen import Data, adam, cosine, cosine_noise, denoised, diffusion, fit, panorama, unet
from deepgen.pictures.style import canvas, headed, saved

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, steps, repeats = (2, 1, 1) if smoke else (800, 40, 4)
SIDE, WIDE, STRIDE = 16, 32 if smoke else 160, 4
HOURS = ("night", "dawn", "day", "dusk")
PALETTE = """
    0a0d29 293366 262e59 171d3d 070a1a
    7373b3 ffccb3 cc99a8 80668c 332e52
    408ce0 d1ebf5 99bfd6 568a80 1f4f34
    472e6b ff8c40 c75c52 75304e 2a1433
"""  # an hour a line: the sky above, the sky at the horizon, and three ridges from far to near
colours = torch.tensor([list(bytes.fromhex(ink)) for ink in PALETTE.split()]).reshape(4, 5, 3, 1, 1) / 127.5 - 1


def landscapes(hours: Tensor, width: int, seed: int) -> Tensor:
    """Ridges, each a sum of waves, below a sky, `[n, 3, SIDE, width]`; at night there are stars."""
    generator, n = torch.Generator().manual_seed(seed), len(hours)
    rows, columns, inks = torch.arange(SIDE)[:, None], torch.arange(width), colours[hours]
    low = (rows / (0.6 * SIDE)).clamp(max=1)
    image = (inks[:, 0] * (1 - low) + inks[:, 1] * low).expand(n, 3, SIDE, width)
    stars = (torch.rand(n, 1, SIDE, width, generator=generator) < 0.02) & (rows < 5)
    image = torch.where(stars & (hours == 0).reshape(-1, 1, 1, 1), 0.8, image)
    for layer in range(3):
        crest = torch.tensor([6.5, 10.0, 13.0][layer])
        for wave in range(1, 6):
            phase, stretch = torch.rand(2, n, 1, 1, 1, generator=generator)
            angle = 2 * pi * (wave * columns * (0.8 + 0.4 * stretch) / (36 - 8 * layer) + phase)
            crest = crest + (1.8 - 0.3 * layer) / wave * angle.sin()
        cover = (rows - crest + 0.5).clamp(0, 1)
        image = image * (1 - cover) + inks[:, 2 + layer] * cover
    return image


hours = torch.arange(4).repeat(20 if smoke else 1500)
data = Data({"image": landscapes(hours, SIDE, seed=0), "hour": hours}, "landscapes", states={"hour": HOURS})
torch.manual_seed(0)
image, hour = data.variable("image"), data.variable("hour")
model = diffusion(image, unet(16, 32, 32, attention=4), label=hour, noise=cosine_noise(200), predicts="v", levels=256)
phase = denoised(model, optimiser=adam(3e-3), rate=cosine(turns))
fit(phase, data, turns=turns, batch=32, average=0.98, device="cpu")

wide = panorama(model, (SIDE, WIDE), STRIDE)
beside = panorama(model, (SIDE, WIDE), SIDE)  # windows that do not overlap
print(wide.denoiser.net)
passing = torch.linspace(-0.4, 3.4, wide.places).round().long().clamp(0, 3)[None]  # an hour for each window
panoramic = wide.sample(1, {"hour": passing}, guidance=1.0, steps=steps, seed=4)
naive = beside.sample(1, {"hour": passing[:, :: SIDE // STRIDE]}, guidance=1.0, steps=steps, seed=4)

# Seams: jumps between neighbouring columns where a window begins, against all others. In one light, dusk.
print("\nMean jump between neighbouring columns at dusk, in shades of 256")
dusk = {"hour": torch.tensor([3, 3, 3, 3])}
strips = {"real": landscapes(dusk["hour"], WIDE, seed=1)}
strips["side by side"] = beside.sample(4, dusk, steps=steps, seed=1)
strips["overlapping"] = wide.sample(4, dusk, steps=steps, seed=1)
for name, strip in strips.items():
    jumps = 127.5 * strip.diff(dim=-1).abs().mean((0, 1, 2))
    seams = torch.arange(1, WIDE) % SIDE == 0
    print(f"  {name:<14}{jumps[seams].mean():5.1f} every {SIDE} columns {jumps[~seams].mean():5.1f} elsewhere")

# A real landscape, carried on to both sides: its columns are known, all others are not.
dawn, middle = {"hour": torch.tensor([1])}, slice((WIDE - SIDE) // 2, (WIDE + SIDE) // 2)
known, mask = torch.zeros(1, 3, SIDE, WIDE), torch.zeros(SIDE, WIDE)
known[..., middle], mask[:, middle] = landscapes(dawn["hour"], SIDE, seed=3), 1
carried = wide.sample(1, dawn, steps=steps, known=known, mask=mask, repeats=repeats, seed=5)

learned = torch.nn.functional.pad(data["image"][: WIDE // 20], (0, 4), value=1.0).movedim(0, 2).flatten(2)[None]
rows = {
    f"What the network has seen: landscapes of {SIDE} x {SIDE} pixels": learned,
    f"One panorama from night to dusk, by windows that overlap, {STRIDE} columns apart": panoramic,
    "The same noise in windows side by side": naive,
    "A landscape that is known, between the marks, carried on to both sides": carried,
}
figure = canvas(8 * WIDE + 40, 4 * (8 * SIDE + 34) + 20)
space = {"left": 0.015, "right": 0.985, "top": 0.96, "bottom": 0.02, "hspace": 0.2}
for axes, (title, strip) in zip(figure.subplots(4, gridspec_kw=space), rows.items(), strict=True):
    axes.imshow((strip[0].permute(1, 2, 0).clamp(-1, 1) / 2 + 0.5).numpy())
    axes.set_axis_off()
    headed(axes, title)
axes.vlines([middle.start - 0.5, middle.stop - 0.5], -0.5, SIDE - 0.5, "white", linewidth=0.8, linestyle="dotted")
saved(figure, folder / "panorama.png")
print("\nPicture:", folder / "panorama.png")
