"""How fast are exact answers, beside the peers in the same process?

    python -m benchmarks.exact [--networks asia,alarm] [--peers pyagrum,pgmpy] [--json] [--smoke]

For each network five leaves are observed in rows drawn from the model. Warm: one new row of labels to all posteriors
by name and label, the question having been asked before. Cold: a model object that was never asked. Batch: a thousand
rows at once, against the peer's loop. A ratio above 1 means that this library is faster.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import time

import numpy as np

import pgm
from pgm.model import Model

from . import networks, peers
from .measure import peak_growth, timed, timed_each

ROWS = 1000
BUDGET = 3.0  # seconds for each measurement
FIELDS = (
    "network",
    "peer",
    "warm_ms",
    "peer_warm_ms",
    "warm_ratio",
    "cold_ms",
    "peer_cold_ms",
    "cold_ratio",
    "rows_per_s",
    "peer_rows_per_s",
    "batch_ratio",
    "peak_mb",
    "predicted_peak_mb",
    "max_abs_error",
)


def measure(name: str, peer: str, budget: float = BUDGET, rows: int = ROWS) -> dict[str, object]:
    """One network against one peer, as the fields of the table."""
    model = networks.load(name)
    given = networks.evidence(model, rows)
    singles = [{key: labels[row] for key, labels in given.items()} for row in range(rows)]
    cold = _cold(model, singles[0], budget)
    peak, predicted = _peak(model, singles[0])
    pgm.infer(model, given=singles[0])
    warm = timed_each(lambda row: pgm.infer(model, given=row), singles[1:], budget)  # type: ignore[arg-type]
    batch = timed(lambda: pgm.infer(model, given=given), budget, at_least=2)
    peer_cold, peer_warm = peers.PEERS[peer]
    theirs_cold, theirs = peer_cold(model), peer_warm(model)
    peer_cold_time = timed(lambda: theirs_cold(singles[0]), budget, at_least=1)
    theirs(singles[0])
    peer_warm_time = timed_each(theirs, singles[1:], budget)  # type: ignore[arg-type]
    return {
        "network": name,
        "peer": peer,
        "warm_ms": 1e3 * warm,
        "peer_warm_ms": 1e3 * peer_warm_time,
        "warm_ratio": peer_warm_time / warm,
        "cold_ms": 1e3 * cold,
        "peer_cold_ms": 1e3 * peer_cold_time,
        "cold_ratio": peer_cold_time / cold,
        "rows_per_s": rows / batch,
        "peer_rows_per_s": 1 / peer_warm_time,
        "batch_ratio": rows / batch * peer_warm_time,
        "peak_mb": None if peak is None else peak / 2**20,
        "predicted_peak_mb": predicted / 2**20,
        "max_abs_error": _error(model, singles[0], theirs),
    }


def _cold(model: Model, row: dict[str, str], budget: float) -> float:
    """From a model object that was never asked to an answer: planning, order search and unrolling included."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 20):
        fresh = copy.deepcopy(model)
        start = time.perf_counter()
        pgm.infer(fresh, given=row)
        times.append(time.perf_counter() - start)
        if sum(times) > budget:
            break
    return float(np.median(times))


def _peak(model: Model, row: dict[str, str]) -> tuple[float | None, float]:
    """Measured and predicted growth of memory for a first question."""
    fresh = copy.deepcopy(model)
    peak = peak_growth(lambda: pgm.infer(fresh, given=row))
    return peak, pgm.infer(fresh, given=row).plan.peak_bytes


def _error(model: Model, row: dict[str, str], theirs: peers.Ask) -> float:
    """The largest difference between the two programs' probabilities."""
    mine = pgm.infer(model, given=row)
    answers = theirs(row).items()
    found = {n: np.asarray(a.toarray() if "toarray" in dir(a) else a) for n, a in answers}
    return max(float(np.abs(mine[name].numpy() - values).max()) for name, values in found.items())


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    os.environ["PGM_CACHE"] = ""  # a cold question must search for its order
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(networks.NAMES), help="comma-separated names")
    parser.add_argument("--peers", default="pyagrum", help="comma-separated: " + ", ".join(peers.PEERS))
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="asia only, a few rows: does it run?")
    options = parser.parse_args()
    names, budget, rows = options.networks.split(","), BUDGET, ROWS
    if options.smoke:
        names, budget, rows = ["asia"], 0.05, 20
    if not options.json:
        print("  ".join(f"{field:>17}" for field in FIELDS))
    for name in names:
        for peer in options.peers.split(","):
            row = measure(name, peer, budget, rows)
            print(json.dumps(row) if options.json else "  ".join(_cell(row[field]) for field in FIELDS))
            sys.stdout.flush()


def _cell(value: object) -> str:
    return f"{value:>17.4g}" if isinstance(value, float) else f"{value!s:>17}"


if __name__ == "__main__":
    main()
