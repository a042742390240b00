"""A photograph cut into regions: colours say what a pixel may be, neighbours hold together, and a bound proves it.

The most probable picture among 3^68,480 is sought. Dual decomposition lowers a bound that no picture exceeds until a
picture meets it; then that picture is the best there is. The picture goes to demo-output/, with --smoke to a temporary
folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.datasets import load_sample_image
from torch import Tensor

import pgm
from pgm import ICM, DualDecomposition, Real, Variable, gaussian_mixture, grid
from pgm.pictures.style import LINE

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)
step = 8 if "--smoke" in sys.argv else 2  # every second row and column

REGIONS, COUPLING = 3, 10.0  # kinds of region; nats by which neighbours of one colour are favoured to be of one kind
photo = torch.tensor(load_sample_image("flower.jpg")[::step, ::step] / 255, dtype=torch.float64)
height, width, _ = photo.shape

# What colours each kind of region has: a mixture of Gaussians, fitted to some of the pixels.
kind, colour = Variable("kind", REGIONS), Variable("colour", Real(3))
some = photo.reshape(-1, 3)[:: 40 // step]
mixture = pgm.fit(gaussian_mixture(kind, colour, some), {"colour": some}).model
with torch.no_grad():
    states = torch.arange(REGIONS).expand(height, width, -1)
    colours = photo[:, :, None].expand(-1, -1, REGIONS, -1)
    evidence = mixture.conditionals["colour"].log_prob(states, colours)  # [height, width, kinds]


def strength(differences: Tensor) -> Tensor:
    """How strongly neighbours are held together: less where their colours differ, as they do at an edge."""
    squares = (differences**2).sum(-1)
    return COUPLING * (-squares / (2 * squares.mean())).exp()


links = torch.zeros(2, height, width, dtype=torch.float64)
links[0, :-1], links[1, :, :-1] = strength(photo.diff(dim=0)), strength(photo.diff(dim=1))
field = grid(evidence, links[..., None, None] * torch.eye(REGIONS, dtype=torch.float64))

alone = evidence.argmax(-1)
near, best = ICM().search(field), DualDecomposition().search(field)
found = {
    "each pixel alone": (alone.reshape(1, -1), None),
    "one pixel at a time": (near.states, near.bound),
    "dual decomposition": (best.states, best.bound),
}
sweeps, certified = best.diagnostics["iterations"][0], best.diagnostics["certified"][0]

print(f"{field}, {REGIONS} kinds of region\n")
print("                      log weight   none is above     gap   pixels changed")
for name, (some, bound) in found.items():
    weight = field.log_weight(some).item()
    above, gap = ("-", "-") if bound is None else (f"{bound.item():.2f}", f"{bound.item() - weight:.2g}")
    changed = (some.reshape(height, width) != alone).double().mean()
    print(f"{name:<20} {weight:>12.2f} {above:>15} {gap:>7} {changed:>16.1%}")
verdict = "meets it: no picture is more probable" if certified else "has not met it: there may be better ones"
print(f"\nAfter {sweeps} sweeps the bound on what was found {verdict}.")


def painted(kinds: Tensor) -> Tensor:
    """Each region in the mean colour of its pixels."""
    flat = kinds.reshape(-1)
    sums = torch.zeros(REGIONS, 3, dtype=torch.float64).index_add(0, flat, photo.reshape(-1, 3))
    return (sums / flat.bincount(minlength=REGIONS).clamp_min(1)[:, None])[flat].reshape(photo.shape)


regions = best.states.reshape(height, width)
edges = torch.zeros(height, width, dtype=torch.bool)
edges[:-1] |= regions.diff(dim=0) != 0
edges[:, :-1] |= regions.diff(dim=1) != 0
figure, axes = plt.subplots(2, 2, figsize=(9.6, 6.9), layout="constrained")
shown = {
    "Photograph": photo,
    "Each pixel alone": painted(alone),
    "The most probable regions": painted(regions),
    "Their outlines": photo.masked_fill(edges[..., None], 1.0),
}
for plane, (title, picture) in zip(axes.flat, shown.items(), strict=True):
    plane.imshow(picture.numpy(), interpolation="nearest")
    plane.set(title=title, xticks=[], yticks=[])
    plane.spines[:].set_color(LINE)
figure.savefig(folder / "potts-segmentation.png", dpi=100)
print("\nPicture:", folder / "potts-segmentation.png")
