"""A convolutional Boltzmann machine learns strokes: a few small filters, the same all over the image.

A dense machine with about as many parameters learns the same digits, and better: they are centred, so that a bias for
each pixel says much, and the convolutional one has a single bias for all. log p of held-out digits is exact or
estimated by annealing there and back. What a filter finds in a digit, and where, is seen in its map, in which at most
one unit of each block of 2 x 2 is on: probabilistic max pooling.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from torch.nn.functional import pad

from deepgen import adam, convolutional_rbm, cosine, fit, likelihood, named, persistent, rbm
from deepgen.pictures.style import charts, headed, saved
from deepgen.zoo.boltzmann import log_z_figure

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if SMOKE else Path(__file__).parent / "pictures"
TURNS, TEMPERATURES = (5, 5) if SMOKE else (1500, 500)
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
strong = filters.flatten(1).norm(dim=1).argsort(descending=True)
dreams = machine.sample(24, burn=20 if SMOKE else 1000, seed=0, progress=False)
means = machine.units("image").mean(machine.field("image", machine.state(dreams))).detach().reshape(-1, 8, 8)


def sheet(tiles: list[torch.Tensor], columns: int, side: int) -> torch.Tensor:
    """Tiles side by side, each in the middle of a square of so many pixels."""
    framed = [pad(tile, [(side - len(tile)) // 2] * 4) for tile in tiles]
    return torch.cat([torch.cat(framed[n : n + columns], 1) for n in range(0, len(framed), columns)])


figure, planes = charts(1, 3, 460, 340)
limit, ranked = filters.abs().max().item(), [filters[k, 0] for k in strong]
answers = [tile for digit, each in zip(shown, maps, strict=True) for tile in (digit, *(each[k] for k in strong[:8]))]
for plane, title, tiles, colours, least, most in (
    (planes[0], "Filters: red looks for ink, blue for none", sheet(ranked, 6, 5), "RdBu_r", -limit, limit),
    (planes[1], "Digits, and where the eight strongest filters answer", sheet(answers, 9, 10), "gray_r", 0, 1),
    (planes[2], "Dreams of the machine", sheet(list(means), 6, 10), "gray_r", 0, 1),
):
    plane.imshow(tiles.numpy(), cmap=colours, vmin=least, vmax=most)
    plane.set(xticks=[], yticks=[])
    plane.spines[:].set_visible(False)
    headed(plane, title)
saved(figure, folder / "convolutional-rbm.png")
print("Picture:", folder / "convolutional-rbm.png")
