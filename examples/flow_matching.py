"""Noise becomes a checkerboard in two ways: by diffusion on curved paths, by flow matching on nearly straight ones.

Both have the same network and see the same batches. Straight paths need few steps: the distance of samples to new data
is measured for some numbers of looks at the network. The flow says how probable each place is, and of a checkerboard
that is known: 1 / 8 on black, 0 on white. Straightness is the distance between a path's ends, divided by its length.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from math import log
from pathlib import Path

import torch
from matplotlib import pyplot as plt

from deepgen import adam, checkerboard, cosine, cosine_noise, denoised, diffusion, fit, flow_matching, matched
from deepgen.data.standardised import spread_of, standardised
from deepgen.evaluate.samples import sliced_wasserstein
from deepgen.networks.timed import timed_mlp
from deepgen.pictures.points import BEHIND
from pgm.pictures.style import BAR, INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, width, rows = (5, 8, 100) if smoke else (4000, 128, 2500)
torch.manual_seed(0)

board = checkerboard(20_000)
train = standardised(board)
held = standardised(checkerboard(2 * rows, seed=1), like=board)["x"]
centre, scale = spread_of(board)
x, network = train.variable("x"), timed_mlp(width, width, width)
curved = diffusion(x, network, noise=cosine_noise(200), predicts="v")
straight = flow_matching(x, network)
options = {"turns": turns, "batch": 256, "device": "cpu", "average": 0.99}
fit(denoised(curved, optimiser=adam(3e-3), rate=cosine(turns)), train, **options)
fit(matched(straight, optimiser=adam(3e-3), rate=cosine(turns)), train, **options)

print("Sliced Wasserstein distance to new data, by looks at the network")
print(f"{'':<18}" + "".join(f"{steps:>8}" for steps in (2, 4, 10, 50)))
for name, draw in (
    ("diffusion (DDIM)", lambda steps: curved.sample(rows, steps=steps, eta=0.0, seed=2)),
    ("flow (Euler)", lambda steps: straight.sample(rows, steps=steps, method="euler", seed=2)),
):
    print(f"{name:<18}" + "".join(f"{sliced_wasserstein(draw(n), held[:rows]):8.3f}" for n in (2, 4, 10, 50)))
print(f"{'data themselves':<18}{sliced_wasserstein(held[rows:], held[:rows]):8.3f}")

found = straight.log_prob({"x": held[:rows]}, steps=20, method="midpoint") - 2 * log(scale)  # in the units of the board
error = found.std() / rows**0.5
print(f"\nlog p of new points ~ {found.mean():.3f} ± {error:.3f} nats, of the board itself {-log(8):.3f}")

# The same noise on both ways.
paths: dict[str, list[torch.Tensor]] = {"diffusion": [], "flow": []}
curved.sample(rows, steps=50, eta=0.0, seed=3, watch=lambda leg, now, start: paths["diffusion"].append(now))
straight.sample(rows, steps=50, seed=3, watch=lambda time, now: paths["flow"].append(now))
ways = {name: torch.stack(way) * scale + centre for name, way in paths.items()}  # [steps, rows, 2]
for name, way in ways.items():
    straightness = (way[-1] - way[0]).norm(dim=1) / way.diff(dim=0).norm(dim=2).sum(0)
    print(f"{name:<10} straightness of paths {straightness.mean():.3f}")

figure = plt.figure(figsize=(9.6, 6.6), layout="constrained")
titles = [["Data", "Diffusion: samples", "Diffusion: paths"], ["Flow: density", "Flow: samples", "Flow: paths"]]
axes = figure.subplot_mosaic(titles)
for title, place in axes.items():
    place.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])
    place.spines[:].set_visible(False)
    place.set_title(title, loc="left", fontsize=10, color=INK)
axes["Data"].scatter(*board["x"][:rows].T, s=3, color=QUIET, linewidths=0)
for name, title in (("diffusion", "Diffusion"), ("flow", "Flow")):
    axes[f"{title}: samples"].scatter(*ways[name][-1].T, s=3, color=BAR, linewidths=0)
    axes[f"{title}: paths"].plot(*ways[name][:, :60].permute(2, 0, 1), color=BEHIND, linewidth=0.9)
    axes[f"{title}: paths"].scatter(*ways[name][0, :60].T, s=9, color=QUIET, linewidths=0)
    axes[f"{title}: paths"].scatter(*ways[name][-1, :60].T, s=9, color=BAR, linewidths=0, zorder=3)
side = torch.linspace(-3, 3, 8 if smoke else 81)
places = torch.cartesian_prod(side, side)
density = straight.log_prob({"x": (places - centre) / scale}, steps=20, method="midpoint").exp() / scale**2
image = density.reshape(len(side), len(side)).T
look = {"extent": (-3, 3, -3, 3), "origin": "lower", "cmap": "Blues", "interpolation": "bilinear"}
axes["Flow: density"].imshow(image.numpy(), **look)
figure.savefig(folder / "flow-matching.png", dpi=120)
print("\nPicture:", folder / "flow-matching.png")
