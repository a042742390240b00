"""How fast is the most probable explanation of all variables, beside toulbar2 in the same process?

    python -m benchmarks.mpe [--networks asia,alarm] [--json] [--smoke]

Five leaves are observed. Ours: `mpe` asked cold (planning included) and warm. Theirs: building the cost function
network from -log p with the evidence assigned, and solving it; both are needed for each new row. Agreement is that of
the log weights. toulbar2 needs `pip install pytoulbar2`; without it its columns stay empty.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from importlib.util import find_spec

import numpy as np

import pgm
from pgm.model import Model

from . import networks
from .measure import timed, timed_each

BUDGET = 3.0
DIGITS = 6  # decimals of a cost that toulbar2 keeps
TIME_LIMIT = 60  # seconds


def measure(name: str, budget: float = BUDGET) -> dict[str, object]:
    """One network: our times, toulbar2's and the difference of the log weights."""
    model = networks.load(name)
    given = networks.evidence(model, 20)
    singles = [{key: labels[row] for key, labels in given.items()} for row in range(20)]
    pgm.mpe(networks.load("asia"))  # loads the compiled loops
    start = time.perf_counter()
    best = pgm.mpe(copy.deepcopy(model), given=singles[0])
    cold = time.perf_counter() - start
    pgm.mpe(model, given=singles[0])
    warm = timed_each(lambda row: pgm.mpe(model, given=row), singles[1:], budget)  # type: ignore[arg-type]
    row: dict[str, object] = {"network": name, "warm_ms": 1e3 * warm, "cold_ms": 1e3 * cold}
    theirs, value = _toulbar2(model, singles[0], budget) if find_spec("pytoulbar2") else (None, None)
    row["toulbar2_ms"] = None if theirs is None else 1e3 * theirs
    row["warm_ratio"] = None if theirs is None else theirs / warm
    row["cold_ratio"] = None if theirs is None else theirs / cold
    row["log_prob"] = float(best.log_prob[0])
    row["difference"] = None if value is None else abs(value - float(best.log_prob[0]))
    return row


def _toulbar2(model: Model, given: dict[str, str], budget: float) -> tuple[float | None, float | None]:
    """Median seconds to build and solve, and the log weight found; None when it does not finish."""
    found: list[float | None] = []
    costs = [_costs(model, child, given) for child in model.conditionals]

    def solve() -> None:
        found.append(_solve(model, costs))

    seconds = timed(solve, budget, at_least=1, at_most=20)
    return (None, None) if found[0] is None else (seconds, found[0])


def _costs(model: Model, child: str, given: dict[str, str]) -> tuple[list[str], np.ndarray]:
    """The scope and the costs -log p of one conditional at the observed states."""
    conditional = model.conditionals[child]
    table = conditional.factor().values.detach().numpy()
    index = tuple(v.number(given[v.name]) if v.name in given else slice(None) for v in conditional.scope)
    with np.errstate(divide="ignore"):
        return [v.name for v in conditional.scope if v.name not in given], -np.log(table[index])


def _solve(model: Model, costs: list[tuple[list[str], np.ndarray]]) -> float | None:
    import pytoulbar2

    top = 1e4
    problem = pytoulbar2.CFN(ubinit=top, resolution=DIGITS)
    for name in dict.fromkeys(name for scope, _ in costs for name in scope):
        problem.AddVariable(name, list(range(model[name].size)))
    constant = 0.0
    for scope, table in costs:
        if scope:
            problem.AddFunction(scope, np.where(np.isinf(table), top, table).reshape(-1).tolist())
        else:
            constant += float(table)
    solution = problem.Solve(timeLimit=TIME_LIMIT)
    return None if solution is None else -(solution[1] + constant)


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    os.environ["PGM_CACHE"] = ""  # a cold question must search for its order
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(networks.NAMES), help="comma-separated names")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="asia only: does it run?")
    options = parser.parse_args()
    names, budget = (["asia"], 0.05) if options.smoke else (options.networks.split(","), BUDGET)
    for number, name in enumerate(names):
        row = measure(name, budget)
        if number == 0 and not options.json:
            print("  ".join(f"{field:>12}" for field in row))
        cells = (f"{v:>12.4g}" if isinstance(v, float) and not math.isnan(v) else f"{v!s:>12}" for v in row.values())
        print(json.dumps(row) if options.json else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
