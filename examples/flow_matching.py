"""Noise becomes a swirl: by diffusion, and by flow matching with pairs of noise and data at random or by nearness.

With random pairs the two are one: scaled so that signal and noise sum to 1, diffusion without new noise moves as flow
matching does. Pairs that are nearest to each other within a batch make paths straight, and straight paths need few
steps: the distance of samples to new data is measured by looks at the network.
Straightness is the distance between a path's ends divided by its length. Flows say exactly how probable a point is.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import torch
from matplotlib import pyplot as plt

from deepgen import adam, cosine, cosine_noise, denoised, diffusion, fit, flow_matching, matched, swirl
from deepgen.data.standardised import standardised
from deepgen.evaluate.samples import sliced_wasserstein
from deepgen.networks.timed import timed_mlp
from deepgen.pictures.points import BEHIND
from deepgen.zoo.flow_matching import probability_flow
from pgm.pictures.style import BAR, INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, width, rows, side = (3, 8, 20, 4) if smoke else (4000, 128, 2500, 81)
torch.manual_seed(0)

points = swirl(20_000)
train = standardised(points)
held = standardised(swirl(2 * rows, seed=1), like=points)["x"]
x, network = train.variable("x"), timed_mlp(width, width, width, octaves=4)
diffused = diffusion(x, network, noise=cosine_noise(200), predicts="v")
flow, straight = flow_matching(x, network), flow_matching(x, network)
learning = {"optimiser": adam(3e-3), "rate": cosine(turns)}
for phase in (denoised(diffused, **learning), matched(flow, **learning), matched(straight, "optimal", **learning)):
    fit(phase, train, turns=turns, batch=256, device="cpu", average=0.99)

models = {"Diffusion": probability_flow(diffused), "Flow": flow, "Flow, nearest pairs": straight}
print("Sliced Wasserstein distance to new data, by looks at the network (Euler's method)")
print(f"{'':<20}" + "".join(f"{steps:>8}" for steps in (2, 4, 10, 50)))
for name, model in models.items():
    far = [sliced_wasserstein(model.sample(rows, steps=n, method="euler", seed=2), held[:rows]) for n in (2, 4, 10, 50)]
    print(f"{name:<20}" + "".join(f"{distance:8.3f}" for distance in far))
print(f"{'data themselves':<20}{sliced_wasserstein(held[rows:], held[:rows]):8.3f}\n")

# The same noise on all ways.
ways = {}
for name, model in models.items():
    noise = torch.randn(rows, 2, generator=torch.Generator().manual_seed(3))
    times = torch.linspace(0, 1, 41).tolist()
    legs = [noise]
    for begin, end in pairwise(times):
        legs.append(model.carried(legs[-1], begin=begin, end=end, steps=2))
    ways[name] = torch.stack(legs)  # [times, rows, 2]
    straightness = (ways[name][-1] - ways[name][0]).norm(dim=1) / ways[name].diff(dim=0).norm(dim=2).sum(0)
    density = model.log_prob({"x": held[:rows]}, steps=20, method="midpoint")
    error = density.std() / rows**0.5
    print(f"{name:<20} straightness {straightness.mean():.2f}, log p {density.mean():.2f} ± {error:.2f} nats")
bound = -diffused.costs({"x": held[:rows]}).total
print(f"Diffusion, its lower bound: log p > {bound.mean():.2f} ± {bound.std() / rows**0.5:.2f} nats")

figure = plt.figure(figsize=(11.2, 5.8), layout="constrained")
axes = figure.subplot_mosaic([["Data", *models], ["Density of the flow", *(f"Paths: {name}" for name in models)]])
for title, place in axes.items():
    place.set(xlim=(-2.9, 2.9), ylim=(-2.9, 2.9), aspect="equal", xticks=[], yticks=[])
    place.spines[:].set_visible(False)
    place.set_title(title, loc="left", fontsize=10, color=INK)
axes["Data"].scatter(*held[:rows].T, s=2, color=QUIET, linewidths=0)
for name, way in ways.items():
    axes[name].scatter(*way[-1].T, s=2, color=BAR, linewidths=0)
    axes[f"Paths: {name}"].plot(*way[:, :70].permute(2, 0, 1), color=BEHIND, linewidth=0.9)
    axes[f"Paths: {name}"].scatter(*way[0, :70].T, s=7, color=QUIET, linewidths=0)
    axes[f"Paths: {name}"].scatter(*way[-1, :70].T, s=9, color=BAR, linewidths=0, zorder=3)
across = torch.linspace(-2.9, 2.9, side)
density = flow.log_prob({"x": torch.cartesian_prod(across, across)}, steps=20, method="midpoint").exp()
look = {"extent": (-2.9, 2.9, -2.9, 2.9), "origin": "lower", "cmap": "Blues", "interpolation": "bilinear"}
axes["Density of the flow"].imshow(density.reshape(side, side).T.sqrt().numpy(), **look)
figure.savefig(folder / "flow-matching.png", dpi=120)
print("\nPicture:", folder / "flow-matching.png")
