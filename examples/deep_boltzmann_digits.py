"""A deep Boltzmann machine learns digits, two layers at once, and fills in what is missing of others.

All layers learn together: mean field says what hidden units do at a digit, chains that never end what they do asleep.
With centred gradients that needs no pretraining; without them the bound on log p(image) stays far below. log Z comes
from annealed importance sampling, there and back, so that each bound has its interval.
The picture, examples/pictures/deep-boltzmann-digits.png, has digits that the machine makes up, and held-out ones of
which it knows the upper half: what it makes of the lower half, drawn six times.
"""

import sys
import tempfile
from pathlib import Path

import torch

from deepgen import adam, annealed_log_z, cosine, dbm, digits, fit, likelihood, mean_field, persistent, thresholded
from deepgen.pictures.style import charts, headed, saved
from deepgen.zoo.boltzmann import sweep

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if SMOKE else Path(__file__).parent / "pictures")
STEPS, TEMPERATURES, SWEEPS = (5, 10, 5) if SMOKE else (3000, 1000, 500)

test, train = thresholded(digits()).split(297)
image = train.variable("image")
means = {"image": train["image"].mean(0)}

print("Lower bounds on log p(image) of held-out digits")
for centring in (0.0, 0.01):
    torch.manual_seed(0)
    machine = dbm(image, 128, 128)
    options = {"optimiser": adam(0.003), "rate": cosine(STEPS)}
    phase = persistent(machine, clamped=mean_field(10), centring=centring, **options)
    fit(phase, train, turns=STEPS, batch=100, device="cpu", progress=False)
    log_z = annealed_log_z(machine, means=means, temperatures=TEMPERATURES, progress=False)
    found = likelihood(machine, test, log_z, progress=False)
    said = f"{found.value:.2f} ± {found.error:.2f} nats; {str(log_z).split(' (')[0]}"
    print(f"{'centred' if centring else 'not centred':<14}{said}")


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
