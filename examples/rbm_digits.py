"""A restricted Boltzmann machine learns digits, small enough to know its likelihood exactly and to see it dream.

Sixteen hidden units and 64 pixels: log Z is a sum over 65,536 states, so that log p(x) of held-out digits is exact, and
what annealed importance sampling says of it can be checked. Two machines learn by persistent chains, with centred
gradients and without; then the same digits turned white on black show why centring matters.
The picture, examples/pictures/rbm-digits.png, has what hidden units look for in a machine of 100, its chains as they
move on, reconstructions, and digits of which it has only seen the upper half.
"""

import sys
import tempfile
from pathlib import Path

import torch

from deepgen import (
    annealed_log_z,
    arrays,
    completed,
    cosine,
    digits,
    fit,
    likelihood,
    log_z,
    monitored,
    persistent,
    rbm,
    sgd,
    thresholded,
)
from deepgen.pictures.style import charts, headed, saved
from deepgen.zoo.boltzmann import sweep

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if SMOKE else Path(__file__).parent / "pictures")
EPOCHS, FEW, STEPS = (1, 6, 20) if SMOKE else (60, 16, 1000)

test, train = thresholded(digits()).split(297)
turned = tuple(arrays(f"{data.name}, turned", image=1 - data["image"]) for data in (train, test))
image = train.variable("image")


def learned(hidden: int, centring: float, train, test, epochs: int = EPOCHS):
    """A machine, and what its history has to say."""
    torch.manual_seed(0)
    machine = rbm(image, hidden, mean=train["image"].mean(0) if centring else None)
    turns = epochs * (len(train) // 50)
    phase = persistent(machine, centring=centring, optimiser=sgd(0.1), rate=cosine(turns))
    phase = monitored(phase, machine, train, test)
    return machine, fit(phase, train, turns=turns, batch=50, device="cpu", progress=False)


print(f"{f'{FEW} hidden units':<34}{'log p(x) of held-out digits, exact':>36}")
for name, pair in (("digits", (train, test)), ("digits turned", turned)):
    for centring in (0.01, 0.0):
        machine, history = learned(FEW, centring, *pair)
        figure = likelihood(machine, pair[1])
        print(f"{name + (', centred' if centring else ', not centred'):<34}{figure.value:>30.2f} nats")
        if name == "digits" and centring:
            annealed = annealed_log_z(machine, means={"image": train["image"].mean(0)}, temperatures=STEPS)
            print(f"    log Z = {log_z(machine):.3f} exactly; {annealed}")

machine, history = learned(100, 0.01, train, test)
found = annealed_log_z(machine, means={"image": train["image"].mean(0)}, temperatures=STEPS, progress=False)
print(f"\n100 hidden units: {likelihood(machine, test, found)}")
print("Notices:", *(history.notices or ["none"]), sep="\n    ")

(weights,) = (term.weight.detach() for term in machine.model.terms if len(term.scope) == 2)
state = machine.state(train.rows(slice(0, 12)).columns)
frames = [state["image"]]
for _ in range(3):
    for _ in range(1 if SMOKE else 20):
        state = sweep(machine, state, ["h", "image"])
    frames.append(sweep(machine, state, ["image"], means=True)["image"])
seen = test["image"][:12]
hidden = sweep(machine, machine.state({"image": seen}), ["h"], means=True)
again = machine.values(sweep(machine, hidden, ["image"], means=True))["image"]
above = torch.where(torch.arange(8)[:, None] < 4, seen, torch.nan)
whole = completed(machine, {"image": above}, rows=12, sweeps=STEPS)["image"]

figure, planes = charts(2, 2, 470, 190)
strongest = weights.norm(dim=0).argsort(descending=True)[:48]
sheets = (
    ("What each of 48 hidden units adds to log odds", weights.T[strongest], 12, "RdBu_r", (-1.5, 1.5)),
    ("Chains that begin at digits, 20 sweeps a row", torch.cat(frames), 12, "gray_r", (0, 1)),
    ("Held-out digits, and what the machine makes of them", torch.cat([seen, again]), 12, "gray_r", (0, 1)),
    ("The upper half is known, the lower one inferred", torch.cat([seen, above, whole]), 12, "gray_r", (0, 1)),
)  # fmt: skip
for plane, (title, tiles, across, colours, (low, high)) in zip(planes, sheets, strict=True):
    square = torch.nn.functional.pad(tiles.reshape(-1, 8, 8), (1, 1, 1, 1), value=torch.nan)
    sheet = square.reshape(-1, across, 10, 10).transpose(1, 2).flatten(2).flatten(0, 1)
    plane.imshow(sheet.numpy(), cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    plane.set_axis_off()
    plane.set_anchor("NW")
    headed(plane, title)
saved(figure, folder / "rbm-digits.png")
print("Picture:", folder / "rbm-digits.png")
