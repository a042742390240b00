"""A thousand rows of evidence as one batch, with missing cells, from tensors, lists of labels or a DataFrame.

The network is ALARM; the rows are sampled from it, and a fifth of the cells is then lost.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import torch

import pgm

alarm = pgm.load(Path(__file__).parent / "data" / "alarm.bif")
count = 200 if "--smoke" in sys.argv else 1000
MONITORS = ["CVP", "PCWP", "HRBP", "HREKG", "HRSAT", "EXPCO2", "MINVOL", "PRESS", "BP"]
WANTED = ["HYPOVOLEMIA", "LVFAILURE", "KINKEDTUBE"]

# Rows as tensors of state numbers, -1 where a cell is missing. No row is thrown away, nothing is filled in: what is
# missing is summed out, row by row.
patients = pgm.sample(alarm, count, seed=0)
lost = torch.rand(count, len(MONITORS), generator=torch.Generator().manual_seed(0)) < 0.2
rows = {name: torch.where(lost[:, i], -1, patients[name]) for i, name in enumerate(MONITORS)}
pgm.infer(alarm, WANTED, given=rows)  # plans, and compiles where that has not been done
started = perf_counter()
answers = pgm.infer(alarm, WANTED, given=rows)
batch = perf_counter() - started
patterns = len(lost.unique(dim=0))
print(f"{count:,} rows, {lost.double().mean():.0%} of the cells missing, {patterns} patterns of missing cells")
print(f"answers for {WANTED[0]}: shape {tuple(answers[WANTED[0]].shape)}, {count / batch:,.0f} rows a second")


def labels(row: int) -> dict[str, str]:
    """The evidence of one row, by label, without the missing cells."""
    return {name: alarm[name].states[state[row]] for name, state in rows.items() if state[row] >= 0}


# The same rows one by one: the same answers.
started = perf_counter()
singles = [pgm.infer(alarm, WANTED, given=labels(row)) for row in range(count)]
loop = perf_counter() - started
difference = max((torch.stack([each[name] for each in singles]) - answers[name]).abs().max().item() for name in WANTED)
print(f"one by one {count / loop:,.0f} rows a second (one plan a pattern); largest difference {difference:.0e}")

# Each row has its own log evidence: the least expected patients are the ones with the smallest.
print("\nThe three least expected rows:")
for row in answers.log_evidence.argsort()[:3].tolist():
    seen = ", ".join(f"{name} {state}" for name, state in labels(row).items())
    print(f"  row {row}: log p {answers.log_evidence[row]:.2f}: {seen}")

# A row that cannot happen stops the batch with a message that names it, or gives NaN for that row when asked to.
print("\nImpossible rows:")
asia = pgm.load(Path(__file__).parent / "data" / "asia.bif")
impossible = {"tub": ["no", "yes"], "either": ["yes", "no"]}
try:
    pgm.infer(asia, ["lung"], given=impossible)
except pgm.EvidenceError as error:
    print(f"  {error}")
print("  with NaN:", pgm.infer(asia, ["lung"], given=impossible, impossible="nan")["lung", "yes"].tolist())

# A DataFrame of labels goes in as it is, and answers come out as one.
if find_spec("pandas"):
    frame = patients.to_dataframe()[MONITORS].mask(lost.numpy())
    print("\nFrom a DataFrame:")
    print(pgm.infer(alarm, WANTED, given=frame).to_dataframe().head(3).round(3).to_string())
else:
    print("\nWith pandas installed, a DataFrame of labels can be given, and answers turned into one.")
