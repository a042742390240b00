"""A Helmholtz machine learns what pictures of bars are made of, and its guesses are checked by exact inference.

The data: 4 x 4 pictures of bars, vertical ones in one half of them, horizontal ones in the other, each of the four
there or not at the toss of a coin. Nine hidden units learn awake (the guide says what may have caused a picture, the
model learns to make it from that) and asleep (the model dreams, the guide learns what caused the dream). So small a
machine can be checked: log p(x) and the posterior of each hidden unit are computed exactly.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from itertools import product
from math import log
from pathlib import Path

import torch
from matplotlib import pyplot as plt

import pgm
from deepgen import adam, arrays, bits, expanded, fit, reweighted_wake_sleep, sigmoid_belief_network, wake_sleep
from pgm import Binary, Variable

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if SMOKE else Path(__file__).parent / "pictures")
TURNS = 20 if SMOKE else 4000

# All 32 pictures with a bar pattern, equally likely; none and all four bars look the same both ways.
patterns = torch.tensor(list(product((0.0, 1.0), repeat=4)))
vertical = patterns[:, None, :].expand(-1, 4, -1)
pictures = torch.cat([vertical, vertical.transpose(1, 2)])
data = arrays("bars", image=pictures)
seen = {"image": pictures}
shares = torch.unique(pictures.flatten(1), dim=0, return_counts=True)[1] / len(pictures)
entropy = -(shares * shares.log()).sum().item()

image = Variable("image", Binary(4, 4))
ways = {"wake-sleep": wake_sleep, "reweighted wake-sleep": reweighted_wake_sleep}
pairs = {}
print(f"Log p(x) of the data by a perfect model: {-entropy:.2f} nats; by independent pixels: {-16 * log(2):.2f}\n")
print(f"{'trained by':<24}{'log p(x), exact':>16}{'bound':>9}{'gap of the guide':>19}")
for name, way in ways.items():
    torch.manual_seed(0)
    pair = pairs[name] = sigmoid_belief_network(image, 8, 1)
    fit(way(pair, optimiser=adam(0.01)), data, turns=TURNS, batch=32, device="cpu", progress=False)
    network = expanded(pair.model)  # one variable a unit: 512 hidden states can be enumerated
    exact = pgm.log_evidence(network, given=bits(image, pictures)).mean().item()
    with torch.no_grad():
        values = pair.infer({"image": pictures.expand(500, -1, -1, -1)})
        log_p = sum(c.log_prob(*(values[v.name] for v in c.scope)) for c in pair.model.conditionals.values())
        log_q = sum(c.log_prob(*(values[v.name] for v in c.scope)) for c in pair.guide.conditionals.values())
        bound = (log_p - log_q).mean().item()
    print(f"{name:<24}{exact:>16.2f}{bound:>9.2f}{exact - bound:>19.2f}")

# What the better machine makes of a picture: the guide's guess beside the exact posterior, unit by unit.
pair = pairs["reweighted wake-sleep"]
network, shown = expanded(pair.model), pictures[[6, 9, 22, 25]]
posterior = pgm.infer(network, given=bits(image, shown))
truth = torch.stack([posterior[f"h1[{unit}]"][:, 1] for unit in range(8)], -1).detach()
guess = pair.guide.conditionals["h1"].distribution(shown).mean.detach()
print(f"\nWidest gap between a guess and the exact posterior of a unit: {(guess - truth).abs().max():.2f}")

dreams = pair.means(pair.sample(16, seed=0))["image"]
weights = pair.model.conditionals["image"].net.net[0].weight.detach().T.reshape(8, 4, 4)
figure = plt.figure(figsize=(8.6, 5.4), layout="constrained")
rows = figure.subfigures(3, 1, height_ratios=[1, 1, 1.25])
for row, title, tiles, limits in (
    (rows[0], "What each of the eight units adds to the log odds of a pixel", weights, (-6, 6)),
    (rows[1], "Dreams", dreams[:8], (0, 1)),
):
    row.suptitle(title)
    for plane, tile in zip(row.subplots(1, 8), tiles, strict=True):
        plane.imshow(tile.numpy(), cmap="RdBu_r" if limits[0] else "gray_r", vmin=limits[0], vmax=limits[1])
        plane.set(xticks=[], yticks=[])
rows[2].suptitle("Which units caused these? Probabilities: guide (blue) and exact posterior (black)")
planes = rows[2].subplots(1, 8, width_ratios=[1, 2] * 4)
for number, picture in enumerate(shown):
    planes[2 * number].imshow(picture.numpy(), cmap="gray_r", vmin=0, vmax=1)
    planes[2 * number].set(xticks=[], yticks=[])
    planes[2 * number + 1].bar(range(1, 9), guess[number].numpy(), color="#7aa6d8")
    planes[2 * number + 1].plot(range(1, 9), truth[number].numpy(), "k_", ms=8, mew=2)
    planes[2 * number + 1].set(ylim=(0, 1.04), xticks=range(1, 9), yticks=[0, 1] if number == 0 else [])
figure.savefig(folder / "helmholtz-machine.png", dpi=100)
print("Picture:", folder / "helmholtz-machine.png")
