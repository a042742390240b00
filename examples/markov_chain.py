"""A first-order Markov chain: where it settles, what lies between two observed days, and what it forgets.

p(x0, ..., xT) = p(x0) prod p(x_t | x_{t-1}); the long-run distribution is the eigenvector of eigenvalue 1.
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch

import pgm
from pgm import BayesianNetwork, Tabular, Variable

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

WEATHER = ["sun", "cloud", "rain"]
START = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
MOVE = [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.2, 0.4, 0.4]]  # from a row to a column


def chain(steps: int, start: torch.Tensor = START) -> BayesianNetwork:
    """Days 0 to `steps`, each given the day before."""
    days = [Variable(f"day {t}", WEATHER) for t in range(steps + 1)]
    moves = [Tabular(after, [before], MOVE) for before, after in zip(days, days[1:], strict=False)]
    return BayesianNetwork(Tabular(days[0], [], start), *moves, name="Weather")


# Two routes to day t: the library sums the others out, linear algebra multiplies by the matrix t times.
model = chain(40)
post = pgm.infer(model)
move = torch.tensor(MOVE, dtype=torch.float64)
print("day  sun     cloud   rain    off the matrix power by")
for t in (0, 1, 2, 5, 10, 40):
    by_power = START @ torch.linalg.matrix_power(move, t)
    answer = post[f"day {t}"]
    numbers = "  ".join(f"{p:.4f}" for p in answer.tolist())
    print(f"{t:>3}  {numbers}  {(answer - by_power).abs().max():.0e}")

# The long run: pi = pi P, so pi is the left eigenvector of P whose eigenvalue is 1, scaled to sum to 1.
values, vectors = torch.linalg.eig(move.T)
vector = vectors[:, (values - 1).abs().argmin()].real
stationary = vector / vector.sum()
print("Stationary distribution by the eigenvector:", "  ".join(f"{p:.4f}" for p in stationary.tolist()))
second = values.abs().sort(descending=True).values[1].item()
print(f"Day 40 is off by {(post['day 40'] - stationary).abs().max():.0e}; each day leaves {second:.1%} of what is off.")

# Evidence reaches both ways in time: between a sunny and a rainy day the days in between lean to both.
bridge = chain(4)
seen = {"day 0": "sun", "day 4": "rain"}
between = pgm.infer(bridge, given=seen)
print("\nBetween sun on day 0 and rain on day 4:")
print(between)

# The Markov property: given the present, past and future are independent.
print("\n" + repr(pgm.d_separated(bridge.graph, "day 0", "day 4")))
print(pgm.d_separated(bridge.graph, "day 0", "day 4", given="day 2"))

# What one day tells of a later one fades, in nats (the chain is started in its long run, so that all days look alike).
longrun = chain(8, stationary)
told = [pgm.mutual_information(longrun, "day 0", f"day {t}").item() for t in (1, 2, 4, 8)]
print("What day 0 tells of day 1, 2, 4, 8:", ", ".join(f"{nats:.5f}" for nats in told), "nats")

print("\nPicture:", pgm.plot(bridge, given=seen, posterior=between).save(folder / "markov-chain.svg"))
