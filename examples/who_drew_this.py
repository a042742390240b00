"""Who drew this digit? Five families learn to draw, and a network learns to tell their digits apart.

Attribution is a conditional like any other: p(maker | image), learned from draws and tested on others, beside real
digits that nobody learned from. All have the 17 shades of real digits: any other would give a maker away. What is left
is how makers shade: in black and white, fewer are recognised. A second network is told only which digits are real.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import Tensor

import deepgen
from deepgen import Data, Phase, adam, cosine, fit, mlp, named, neural
from deepgen.recipes import GAN, RBM, VAE, Diffusion, FlowMatching
from pgm import Real, Variable
from pgm.pictures.style import BAR, INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
share, turns = (1e-9, 3) if smoke else (1.0, 1500)  # of the epochs below, and of the networks that tell
small = {"hidden": (8,), "sample_steps": 2} if smoke else {"hidden": (256, 256, 256), "sample_steps": 25}
FAMILIES = {
    "machine": RBM(hidden=256, epochs=60 * share),
    "autoencoder": VAE(epochs=150 * share),
    "adversarial": GAN(epochs=80 * share, channels=(4, 8) if smoke else (16, 32)),
    "diffusion": Diffusion(epochs=150 * share, network="dense", **small),
    "flow": FlowMatching(epochs=150 * share, **small),
}
NAMES, image = ("real", *FAMILIES), Variable("image", Real(8, 8))


real = named("digits", "train", "no")["image"]
drawn = {"real": torch.cat([real, named("digits", "test", "no")["image"]])}
for name, recipe in FAMILIES.items():
    run = deepgen.train(recipe, device="cpu", progress=False)
    drawn[name] = run.sample(len(drawn["real"]), seed=1)
    print(f"{name}: {run}", flush=True)
images = (16 * torch.stack([*drawn.values()]).clamp(0, 1)).round() / 16  # [makers, rows, 8, 8]
seen, new, numbers = images[:, : len(real)], images[:, len(real) :], torch.arange(len(NAMES))  # no draw is in both


def told(rows: Tensor, test: Tensor, states: tuple[str, ...], of: Tensor) -> Tensor:
    """p(state | image) of test images [makers, rows, states], learned from rows of makers that have states `of`."""
    torch.manual_seed(0)
    reader = neural(Variable("maker", states), [image], mlp(256, 256))
    weight = 1 / of.bincount()  # states count the same, however many makers have them

    def loss(batch: dict[str, Tensor], moment: object) -> Tensor:
        return -weight[batch["maker"]] * reader.log_prob(batch["image"], batch["maker"])

    phase = Phase("tell", {"reader": reader}, loss, optimiser=adam(1e-3, decay=0.1), rate=cosine(turns))
    data = Data({"image": rows.flatten(0, 1), "maker": of.repeat_interleave(rows.shape[1])})
    fit(phase, data, turns=turns, batch=256, device="cpu", progress=False)
    with torch.no_grad():
        return reader.distribution(test).probs


def said(right: Tensor) -> str:
    """A share with its standard error."""
    rate = right.float().mean().item()
    return f"{100 * rate:.1f} % ± {100 * (rate * (1 - rate) / right.numel()) ** 0.5:.1f}"


makers = told(seen, new, NAMES, numbers)
guess, own = makers.argmax(-1), numbers[:, None]
black = told((seen > 0.5).float(), (new > 0.5).float(), NAMES, numbers).argmax(-1) == own
detected = told(seen, new, ("generated", "real"), (numbers == 0).long()).argmax(-1) == (own == 0)
print(f"\nMaker named, of {len(NAMES)}: {said(guess == own)}; of digits in black and white: {said(black)}")
print(f"Real or generated: real ones {said(detected[0])}, generated ones {said(detected[1:])}\n")
grey = ((new > 0.1) & (new < 0.9)).float().mean((1, 2, 3))
print(f"{'':<13}{'named':>14}{'black and white':>18}{'as real or not':>18}{'grey pixels':>13}")
for n, name in enumerate(NAMES):
    print(f"{name:<13}{said(guess[n] == n):>14}{said(black[n]):>18}{said(detected[n]):>18}{grey[n]:13.3f}")

figure, (table, tiles) = plt.subplots(1, 2, figsize=(10.4, 4.7), layout="constrained", width_ratios=(1, 1.33))
confusion = torch.stack([row.bincount(minlength=len(NAMES)) for row in guess]) / guess.shape[1]
table.imshow(confusion.numpy(), cmap="Blues", vmin=0, vmax=1)
for (n, m), part in np.ndenumerate(confusion.numpy()):
    table.text(m, n, f"{100 * part:.0f}", ha="center", va="center", color="white" if part > 0.6 else INK)
sure = makers[own, torch.arange(makers.shape[1]), own].argsort(-1, descending=True)
shown = torch.nn.functional.pad(new[own, torch.cat([sure[:, :4], sure[:, -4:].flip(1)], 1)], (1, 1, 1, 1))
shown = shown.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
tiles.imshow(shown.numpy(), cmap="gray_r", interpolation="nearest")
tiles.axvline(39.5, color=BAR, linewidth=1.5)
table.set_xticks(range(len(NAMES)), NAMES, rotation=30, ha="right")
tiles.set_xticks([19.5, 59.5], ["most surely recognised", "least"])
for place, title, step in ((table, "Said to be by, %", 1), (tiles, "Drawn by", 10)):
    place.set_title(title, loc="left", fontsize=11, color=INK)
    place.set_yticks((step * numbers + (step - 1) / 2).tolist(), NAMES)
    place.tick_params(length=0, colors=QUIET)
    place.spines[:].set_visible(False)
figure.savefig(folder / "who-drew-this.png", dpi=120)
print("\nPicture:", folder / "who-drew-this.png")
