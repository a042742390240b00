"""A deep Boltzmann machine learns digits, two layers at once, and fills in what is missing of others.

All layers learn together: mean field says what hidden units do at a digit, chains that never end what they do asleep.
Without more the bound on log p(image) stays far below. Layers that learn one after the other first, in a third of the
steps, help some; centred gradients help far more, after which that is worth little, but takes less time. log Z comes
from annealed importance sampling, there and back, so that each bound has its interval.
The picture, examples/pictures/deep-boltzmann-digits.png, has digits that the machine makes up, and held-out ones of
which it knows the upper half: what it makes of the lower half, drawn six times.
"""

import sys
import tempfile
from itertools import product
from pathlib import Path

import torch

from deepgen import (
    adam,
    annealed_log_z,
    cosine,
    dbm,
    digits,
    fit,
    likelihood,
    mean_field,
    persistent,
    pretraining,
    thresholded,
)
from deepgen.pictures.style import charts, headed, saved
from deepgen.zoo.boltzmann import Machine, sweep

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if SMOKE else Path(__file__).parent / "pictures")
STEPS, TEMPERATURES, SWEEPS = (6, 10, 5) if SMOKE else (3000, 1000, 500)

test, train = thresholded(digits()).split(297)
image = train.variable("image")
mean = train["image"].mean(0)


def learned(centred: bool, each: int) -> Machine:
    """After so many steps for each layer, and then the rest for all; centred from the start or not at all."""
    torch.manual_seed(0)
    machine, last = dbm(image, 64, 64, mean=mean if centred else None), STEPS - 2 * each
    together = persistent(
        machine, clamped=mean_field(10), centring=0.01 * centred, optimiser=adam(0.003), rate=cosine(last)
    )
    first = pretraining(machine, optimiser=adam(0.003), rate=cosine(each)) if each else ()
    for phase, turns in (*((phase, each) for phase in first), (together, last)):
        fit(phase, train, turns=turns, batch=100, device="cpu", progress=False)
    return machine


print("Lower bounds on log p(image) of held-out digits")
for centred, each in product((False, True), (0, STEPS // 6)):
    machine = learned(centred, each)
    log_z = annealed_log_z(machine, means={"image": mean}, temperatures=TEMPERATURES, progress=False)
    found = likelihood(machine, test, log_z, progress=False)
    how = f"{'centred' if centred else 'not centred'}, {'pretrained' if each else 'all at once'}"
    print(f"{how:<26}{found.value:.2f} ± {found.error:.2f} nats; {str(log_z).split(' (')[0]}")


def shades(known: dict[str, torch.Tensor], rows: int) -> torch.Tensor:
    """Draws, as probabilities of each pixel that is not known given the hidden units."""
    drawn = machine.sample(rows, known, burn=SWEEPS, seed=0, progress=False)
    shown = machine.values(sweep(machine, machine.state(drawn), ["image"], means=True))["image"]
    return torch.where(known["image"].isnan(), shown, known["image"]) if known else shown


made = shades({}, 70)
halves = torch.where(torch.arange(8)[:, None] < 4, test["image"][:10], torch.nan)
filled = shades({"image": halves.repeat(6, 1, 1)}, 60)

figure, planes = charts(1, 2, 470, 390)
sheets = (
    ("Digits made up, 500 sweeps from noise", made),
    ("Held-out digits (top); their upper half completed", torch.cat([test["image"][:10], filled])),
)
for plane, (title, tiles) in zip(planes, sheets, strict=True):
    square = torch.nn.functional.pad(tiles, (1, 1, 1, 1), value=torch.nan).reshape(7, 10, 10, 10)
    plane.imshow(
        square.transpose(1, 2).reshape(70, 100).numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"
    )
    plane.set_axis_off()
    headed(plane, title)
planes[1].axhline(9.5, color="#999999", linewidth=0.8)
saved(figure, folder / "deep-boltzmann-digits.png")
print("Picture:", folder / "deep-boltzmann-digits.png")
