"""Associative memory: damaged digits come back, one unit at a time or in a single step of attention.

A Hopfield network stores patterns as minima of an energy of pairs, up to 0.138 patterns a unit. Energies that are
steeper hold more: powers of overlaps, and at last the softmax, which is attention. Nothing is trained.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from torch.nn.functional import pad

import deepgen
from deepgen import exponential, hopfield, polynomial, predicted_error, recall_error
from deepgen.pictures.style import COLOURS, canvas, headed, quiet, saved
from pgm import Binary, Real, Variable

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
generator = torch.Generator().manual_seed(0)
SIZES, COUNTS = [100, 300, 1000][: 1 if smoke else 3], [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 20_000]
COUNTS, LOADS = COUNTS[: 4 if smoke else None], [0.04, 0.08, 0.1, 0.12, 0.13, 0.138, 0.15, 0.16, 0.18, 0.2]

# Four memories of digits, and what they make of damaged ones.
data, x, half = deepgen.digits(), Variable("image", Binary(8, 8)), (torch.arange(8) < 4)[:, None]
bits, mean = deepgen.thresholded(data)["image"], data["image"].mean(0)
lengths = (data["image"] - mean).flatten(1).norm(dim=1)[:, None, None]
grey, flips = (data["image"] - mean) / lengths, (torch.rand(10, 8, 8, generator=generator) < 0.15).float()
ten, damaged = bits[:10], (bits[:10] - flips).abs()
hebb, projected = (hopfield(x, ten, rule=rule) for rule in (deepgen.hebbian, deepgen.projection))
dense = deepgen.DenseMemory(x, bits[:500], polynomial(20))
softmax = deepgen.ContinuousMemory(Variable("image", Real(8, 8)), grey, sharpness=300.0)
films = {
    "Hebb's rule,\n10 digits": (hebb.recall(damaged).states, ten),
    "projection rule,\n10 digits": (projected.recall(damaged).states, ten),
    "overlaps to the 20th,\n500 digits": (dense.recall(damaged).states, ten),
    "softmax, one step,\n1,797 digits": (softmax.recall(grey[:10] * half).states * lengths[:10] + mean, data["image"]),
}
print("Right, of ten digits with 15 % of pixels flipped; for the softmax of ten of which the lower half is missing:")
for name, (states, stored) in films.items():
    print("  " + name.replace("\n", " "), ((states[-1] - stored[:10]).abs().flatten(1).amax(1) < 0.1).sum().item())
own = softmax.associations(grey * half).argmax(-1) == torch.arange(len(grey))
print(f"Of all {len(grey):,} digits the softmax means the right one for {own.float().mean():.1%}, from the upper half")


def wrong(units: int, count: int) -> float:
    """Over networks that have 200 random patterns or so in all."""
    many = torch.randint(0, 2, (1 if smoke else max(2, 200 // count), count, units), generator=generator).float()
    found = [recall_error(hopfield(Variable("x", Binary(units)), p), p, update="synchronous", sweeps=30) for p in many]
    return sum(each.value for each in found) / len(found)


curves = {f"{units} units": [wrong(units, round(load * units)) for load in LOADS] for units in SIZES}
print(f"\nWrong bits against patterns a unit, {SIZES} units and, predicted, endless:")
for row in zip(LOADS, *curves.values(), map(predicted_error, LOADS), strict=True):
    print("  ".join(f"{each:.4f}" for each in row))
KINDS = {"square": polynomial(2), "cube": polynomial(3), "fourth power": polynomial(4), "exponential": exponential(1.0)}
held = {name: [] for name in KINDS}
for count in COUNTS:
    patterns = torch.randint(0, 2, (count, 64), generator=generator).float()
    for name, separation in KINDS.items():
        memory = deepgen.DenseMemory(x, patterns.reshape(-1, 8, 8), separation)
        held[name].append(recall_error(memory, memory.patterns[:20], update="synchronous", sweeps=1).value)
print(f"\nWrong bits after one update of 64 units, {COUNTS} patterns:")
for name, shares in held.items():
    print(f"  {name:12s}  {'  '.join(f'{share:.3f}' for share in shares)}")

figure = canvas(1580, 800)
figure.set_layout_engine("constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=(1.05, 1))
rows, digits = upper.subplots(len(films), 1), (2, 3, 5, 8)
for place, what in enumerate(len(digits) * ("shown", "1 sweep", "last", "stored")):
    rows[0].text(9 * place + 3 * (place // 4) + 3.5, -1.5, what, ha="center", fontsize=7.5, color="#666666")
for row, (name, (states, stored)) in zip(rows, films.items(), strict=True):
    frames = [frame[digit] for digit in digits for frame in (states[0], states[1], states[-1], stored)]
    gaps = [1, 1, 1, 4] * len(digits)  # columns of nothing
    strip = torch.cat([pad(f, (0, gap), value=torch.nan) for f, gap in zip(frames, gaps, strict=True)], 1)
    row.imshow(strip.numpy(), cmap="gray", vmin=0, vmax=1)
    row.axis("off")
    row.text(-2, 3.5, name, ha="right", va="center", fontsize=8)
energy, capacity, steeper = (quiet(axes) or axes for axes in lower.subplots(1, 3))
energy.plot(projected.recall(damaged, update="independent").energies, marker="o", ms=3, lw=1.2, color=COLOURS[0])
energy.set(xlabel="sweep", ylabel="energy")
headed(energy, "Ten damaged digits roll downhill, projection rule")
known = [load / 10_000 for load in range(400, 1379)]
capacity.plot(known, [predicted_error(load) for load in known], color="#999999", lw=2.5, label="endless, predicted")
capacity.axvline(0.138, color="#999999", lw=1, ls=":")
capacity.set(xlabel="patterns a unit", ylabel="wrong bits", ylim=(-0.01, 0.32))
headed(capacity, "Hebb's rule gives way at 0.138 patterns a unit")
steeper.set(xscale="log", xlabel="patterns in 64 units", ylabel="wrong bits")
headed(steeper, "Steeper energies hold more: after one update")
for axes, places, lines in ((capacity, LOADS, curves), (steeper, COUNTS, held)):
    for (name, shares), colour in zip(lines.items(), COLOURS, strict=False):
        axes.plot(places, shares, color=colour, marker="o", ms=3, lw=1.2, label=name)
    axes.legend(frameon=False, fontsize=8)
saved(figure, folder / "associative-memory.png")
print("\nPicture:", folder / "associative-memory.png")
