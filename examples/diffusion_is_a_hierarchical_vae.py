"""Diffusion is a Markovian hierarchical VAE: the same graphs, the same bound, in closed form.

A guide of twenty steps turns eight clusters into noise, and a network takes the noise away again. The bound is measured
on three routes: closed forms, the evidence lower bound of any hierarchy, and Pyro's. Then each step back gets the best
variance for its mean.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt

from deepgen import adam, cosine, cosine_noise, denoised, diffusion, fit, optimal_variance, ring, timed_mlp
from deepgen.data.toys import ring_centres
from deepgen.objectives import elbo
from deepgen.pictures import graph
from deepgen.pictures.points import scatter
from deepgen.pictures.style import COLOURS, headed, quiet
from deepgen.testing import pyro_bound

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, draws = (5, 3) if smoke else (5000, 50)
torch.manual_seed(0)
STEPS, DEVIATION = 20, 0.1

train, test = ring(20_000, deviation=DEVIATION), ring(500, deviation=DEVIATION, seed=1)
model = diffusion(train.variable("x"), timed_mlp(128, 128, 128, octaves=4), noise=cosine_noise(STEPS), predicts="v")
phase = denoised(model, "bound", optimiser=adam(4e-3), rate=cosine(turns))
fit(phase, train, turns=turns, batch=250, average=0.995, device="cpu")

# One bound, three routes; each with its standard error over draws of x1, ..., x20.
seen = {"x": test["x"]}
pair = model.pair  # x20 -> ... -> x1 -> x, and the guide x -> x1 -> ... -> x20
with torch.no_grad():
    hierarchy = -torch.stack([elbo(pair.model, pair.guide, seen).mean() for _ in range(draws)])
total, error = pyro_bound(pair, seen, draws)
costs = model.costs(seen, draws)
closed = torch.stack([model.costs(seen).total.mean() for _ in range(draws)])
print(f"Nats a point of {len(test)} that are new, posterior variances:\n{costs}\n")
print("The same bound (standard error):")
print(f"  closed forms            {closed.mean():7.4f} ({closed.std() / draws**0.5:.4f})")
print(f"  ELBO of the hierarchy   {hierarchy.mean():7.4f} ({hierarchy.std() / draws**0.5:.4f})")
print(f"  Pyro's ELBO             {-total / len(test):7.4f} ({error / len(test):.4f})")

best = optimal_variance(model, train)
fitted = best.costs(seen, draws)
clusters = torch.distributions.MixtureSameFamily(
    torch.distributions.Categorical(torch.ones(8)),
    torch.distributions.Independent(torch.distributions.Normal(ring_centres(), DEVIATION), 1),
)
truth = -clusters.log_prob(test["x"]).mean()
print(f"\nThe best variances         {fitted.total.mean():7.4f}")
print(f"-log p(x) of the clusters  {truth:7.4f}, which no bound goes below")
ways = {"guide": pair.infer({"x": test["x"]}), "model": best.pair.sample(2000, seed=0)}

near = torch.cdist(ways["model"]["x"], ring_centres()).amin(1) < 3 * DEVIATION
print(f"Samples within three deviations of a cluster's centre: {near.float().mean():.0%}, of the data 99%")

figure = plt.figure(figsize=(12.4, 7.4), dpi=110, layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1, 2.5))
upper, lower = right.subfigures(2, 1, height_ratios=(1.7, 1))
path = Path(tempfile.mkdtemp(prefix="deepgen-")) / "graphs.png"
graph(model.respaced(4).pair, title="The two graphs, with four of the steps", path=path)
drawn = left.subplots()
drawn.imshow(plt.imread(path), interpolation="lanczos")
drawn.axis("off")

names = ["x", "x2", "x7", "x20"]
upper.suptitle("Noise is added by the guide, taken away by the model; each column has its own scale", fontsize=9)
for row, (name, values) in zip(upper.subplots(2, len(names)), ways.items(), strict=True):
    for axes, step in zip(row, names, strict=True):
        scatter(axes, values[step][: len(test)])
        axes.collections[0].set_sizes([5.0])
        far = 1.05 * max(way[step][: len(test)].abs().max().item() for way in ways.values())
        axes.set(xlim=(-far, far), ylim=(-far, far), xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        headed(axes, f"{step}, {name}")

bars, places = lower.subplots(), np.arange(STEPS + 1)
for shift, (name, found, colour) in enumerate(
    [("posterior variances", costs, COLOURS[0]), ("best variances", fitted, COLOURS[3])]
):
    heights = [found.data.mean(), *found.steps.mean(1), found.prior.mean()]
    bars.bar(places + 0.4 * shift - 0.2, torch.stack(heights).numpy(), 0.38, color=colour, label=f"{name}, in all "
             f"{found.total.mean():.2f}")  # fmt: skip
quiet(bars)
headed(bars, "What each step costs, in nats")
bars.set_xticks(places, [f"$L_{{{t}}}$" for t in places])
bars.axhline(0, color="#999999", linewidth=0.8)
bars.legend(frameon=False, fontsize=8)
figure.savefig(folder / "diffusion-hierarchical-vae.png")
print("\nPicture:", folder / "diffusion-hierarchical-vae.png")
