"""Does `pgm solve` give the reference answers of UAI instances, and how long does it take?

    python -m benchmarks.uai FOLDER [--task PR,MAR,MAP] [--tolerance 1e-3] [--json]

FOLDER holds NAME.uai, with evidence in NAME.uai.evid where there is some, and reference answers in NAME.uai.PR,
NAME.uai.MAR and NAME.uai.MAP; tasks without a reference are left out. The error is the largest difference of log10 of
the partition function (PR) or of a marginal (MAR). Of an assignment (MAP) it is how far the log10 of its weight falls
short of the reference's: best assignments may tie, so that the assignments themselves prove nothing.
The exit code is 0 when all pass, 1 when one misses, 2 when there is nothing to run.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pgm.cli.solve import answer, samples_for
from pgm.io import Result, labelled, load, load_results
from pgm.io.results import TASKS
from pgm.model import Model


@dataclass(frozen=True)
class Row:
    """What became of one task of one instance.

    Args:
        instance: the name of the model file without its suffix.
        task: 'PR', 'MAR' or 'MAP'.
        passed: whether the error is within the tolerance.
        error: see the module; None when there is no answer to compare, or it is infinite.
        seconds: from the files to the answers.
        reason: why it did not pass; empty when it did.
    """

    instance: str
    task: str
    passed: bool
    error: float | None
    seconds: float
    reason: str = ""


def instances(folder: Path, tasks: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Each model of a folder with each task that has a reference answer beside it."""
    for path in sorted(folder.glob("*.uai")):
        for task in tasks:
            if reference_of(path, task).exists():
                yield path, task


def reference_of(path: Path, task: str) -> Path:
    """Where the reference answer to a task lies."""
    return path.with_name(f"{path.name}.{task}")


def run(path: Path, task: str, tolerance: float) -> Row:
    """Answer one task of one instance and compare; whatever goes wrong is a miss with its reason."""
    began = time.perf_counter()
    try:
        model, samples = load(path), samples_for(path, None)
        found = [answer(model, task, observed) for observed in samples]
        seconds = time.perf_counter() - began
        expected = load_results(reference_of(path, task))
        error = _largest(model, samples, found, expected)
    except (ValueError, MemoryError, RuntimeError) as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        return Row(path.stem, task, False, None, time.perf_counter() - began, reason)
    reason = "" if error <= tolerance else f"off by {error:.3g}, tolerance {tolerance:g}"
    return Row(path.stem, task, not reason, error if math.isfinite(error) else None, seconds, reason)


def _largest(
    model: Model, samples: Sequence[dict[int, int]], found: Sequence[Result], expected: Sequence[Result]
) -> float:
    if len(found) != len(expected):
        raise ValueError(f"{len(found)} rows of evidence, but {len(expected)} reference answers")
    rows = zip(samples, found, expected, strict=True)
    return max(_error(model, observed, ours, theirs) for observed, ours, theirs in rows)


def _error(model: Model, observed: dict[int, int], ours: Result, theirs: Result) -> float:
    if ours.task != theirs.task:
        raise ValueError(f"the reference answers {theirs.task}, expected {ours.task}")
    if ours.task == "PR":
        return _gap(ours.log10, theirs.log10)
    if ours.task == "MAR":
        return _marginal_gap(ours.marginals, theirs.marginals)
    if any(ours.states[number] != state for number, state in observed.items()):
        return math.inf
    best, reached = _weight(model, theirs), _weight(model, ours)
    return _gap(best, reached) if best > reached else 0.0


def _gap(a: float, b: float) -> float:
    """The difference of two logarithms, 0 when both are those of zero."""
    return 0.0 if a == b else abs(a - b)


def _marginal_gap(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    if [len(each) for each in ours] != [len(each) for each in theirs]:
        raise ValueError("the reference has other numbers of variables or states than the model")
    pairs = zip(ours, theirs, strict=True)
    return max((float(np.abs(np.subtract(a, b)).max()) for a, b in pairs), default=0.0)


def _weight(model: Model, result: Result) -> float:
    """log10 of the product of all terms at an assignment."""
    labels = labelled(model, dict(enumerate(result.states)))
    return float(model.log_prob(labels).detach()) / math.log(10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a folder and print: a table and totals for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the instances")
    parser.add_argument("--task", default=",".join(TASKS), help="comma-separated: " + ", ".join(TASKS))
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest error that passes")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args(arguments)
    tasks = options.task.split(",")
    if not set(tasks) <= set(TASKS):
        parser.error(f"--task {options.task!r}: expected some of {', '.join(TASKS)}, separated by commas")
    rows = []
    for path, task in instances(options.folder, tasks):
        rows.append(run(path, task, options.tolerance))
        print(json.dumps(asdict(rows[-1])) if options.json else _line(rows[-1]), flush=True)
    if not rows:
        print(f"{options.folder}: no NAME.uai with a reference answer NAME.uai.{tasks[0]}", file=sys.stderr)
        return 2
    passed = sum(row.passed for row in rows)
    if not options.json:
        print(f"{passed} passed, {len(rows) - passed} missed, {sum(row.seconds for row in rows):.1f} s")
    return 0 if passed == len(rows) else 1


def _line(row: Row) -> str:
    error = "" if row.error is None else f"{row.error:.1e}"
    verdict = "pass" if row.passed else "MISS"
    return f"{row.instance:<28} {row.task:<4} {verdict} {error:>8} {row.seconds:>8.2f} s  {row.reason}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
