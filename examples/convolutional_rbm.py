"""A convolutional Boltzmann machine learns strokes: a few small filters, the same all over the image.

Beside it a dense machine with about as many parameters learns the same digits. log p of held-out digits is estimated
by annealing there and back. What a filter finds in a digit, and where, is seen in its map, in which at most one unit
of each block of 2 x 2 is on: probabilistic max pooling.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch

from deepgen import adam, convolutional_rbm, cosine, fit, likelihood, named, persistent, rbm
from deepgen.pictures.style import charts, headed, saved
from deepgen.zoo.boltzmann import log_z_figure

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if SMOKE else Path(__file__).parent / "pictures"
TURNS, TEMPERATURES = (5, 5) if SMOKE else (3000, 1000)
train, held = (named("digits", split, "threshold") for split in ("train", "test"))
image = train.variable("image")

torch.manual_seed(0)
machines = {
    "convolutional, 24 filters of 3 x 3": convolutional_rbm(image, 24, 3, pooling=2),
    "dense, 3 hidden units": rbm(image, 3),
}
print(f"{'machine':<38}{'parameters':>10}   log p of a held-out digit")
for name, machine in machines.items():
    phase = persistent(machine, chains=100, optimiser=adam(0.01), rate=cosine(TURNS))
    fit(phase, train, turns=TURNS, batch=100, device="cpu", progress=False)
    parameters = sum(parameter.numel() for parameter in machine.model.parameters())
    log_z = log_z_figure(machine, means={"image": train["image"].mean(0)}, temperatures=TEMPERATURES, progress=False)
    found = likelihood(machine, held, log_z, progress=False)
    print(f"{name:<38}{parameters:>10}   {found}")

# Where the filters answer to a digit: the mean of each unit, given the digit.
machine = machines["convolutional, 24 filters of 3 x 3"]
filters = next(term.filters for term in machine.model.terms if repr(term).startswith("Convolved")).detach()
shown = held["image"][:6]
with torch.no_grad():
    fields = machine.field("h", machine.state({"image": shown}))
    maps = machine.values({"h": machine.units("h").mean(fields)})["h"]  # [digits, filters, rows, columns]
busy = maps.mean((0, 2, 3)).argsort(descending=True)[:8]
dreams = machine.sample(16, {}, burn=20 if SMOKE else 2000, seed=0, progress=False)
means = machine.units("image").mean(machine.field("image", machine.state(dreams))).detach().reshape(-1, 8, 8)

figure, planes = charts(1, 3, 420, 400)
limit = filters.abs().max().item()
rows = [torch.nn.functional.pad(filters[k, 0] / (2 * limit) + 0.5, (1, 1, 1, 1), value=1.0) for k in range(24)]
tiles = torch.cat([torch.cat(rows[6 * r : 6 * r + 6], 1) for r in range(4)])
planes[0].imshow(tiles.numpy(), cmap="RdBu_r", vmin=0, vmax=1)
headed(planes[0], "Filters: red looks for ink, blue for none")
strips = [torch.cat([digit, *(torch.nn.functional.pad(each[k], (1, 1, 1, 1)) for k in busy)], 1) for digit, each in
          zip(shown, maps, strict=True)]  # fmt: skip
planes[1].imshow(1 - torch.cat(strips).numpy(), cmap="gray", vmin=0, vmax=1)
headed(planes[1], "Digits, and where eight filters answer")
planes[2].imshow(1 - torch.cat([torch.cat(list(means[4 * r : 4 * r + 4]), 1) for r in range(4)]).numpy(), cmap="gray")
headed(planes[2], "Dreams of the machine")
for plane in planes:
    plane.set(xticks=[], yticks=[])
    plane.spines[:].set_visible(False)
saved(figure, folder / "convolutional-rbm.png")
print("Picture:", folder / "convolutional-rbm.png")
