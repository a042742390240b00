"""`pgm query --rows`: a file of evidence answered in batches, in order, as far as time allows."""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np
import typer

from ..ask import infer
from ..engines.engine import Engine
from ..errors import EvidenceError, FileError
from ..model import Model
from ..variable import Variable
from .files import text_out
from .options import Known
from .progress import INTERRUPTED, progress
from .show import count, print_json
from .table import EvidenceTable, read_rows

FIRST, LARGEST = 64, 8192  # rows in the first batch and at most
NUMBERS = 4_000_000  # in the answers of one batch at most
BATCH_SECONDS = 0.5  # what a batch should take, so that an interruption loses little

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of every row.

    Args:
        model: the model.
        targets: the variables asked for.
        evident: evidence that all rows share.
        engine: how to answer.
    """

    model: Model
    targets: Sequence[Variable]
    evident: Known
    engine: Engine

    @cached_property
    def header(self) -> list[str]:
        """The columns of the answers."""
        return [*(f"{v.name}={state}" for v in self.targets for state in v.states), "log_evidence"]


@dataclass(frozen=True, eq=False)
class Batch:
    """The answers of some rows.

    Args:
        logs: log evidence in nats, `[rows]`, -inf where the evidence is impossible.
        probabilities: the states of all targets side by side, `[rows, states]`, NaN where the evidence is impossible.
    """

    logs: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """How many rows were answered, how many of them have probability 0, and whether rows are left."""

    answered: int
    impossible: int
    interrupted: bool


def answer_file(
    question: Question, source: Path, *, keep: bool = False, output: Path | None = None, json: bool = False
) -> None:
    """Answer a CSV file of evidence; an interruption keeps the rows answered so far.

    Args:
        question: what is asked of every row.
        source: the rows; see `read_rows`.
        keep: whether to copy columns that are not variables.
        output: where the answers go as CSV; stdout when None.
        json: whether to print JSON: the answers, or with `output` how many there are.

    Raises:
        FileError: on what is wrong with the file, or an output that can not be written.
        typer.Exit: with code 130 when interrupted.
    """
    rows = read_rows(source, question.model, keep)
    _check(question, rows, source)
    if json and output is None:
        outcome = _as_json(question, rows)
    else:
        with text_out(output) as stream:
            outcome = _as_csv(question, rows, stream)
    if output is not None:
        _report_output(outcome, rows, output, json)
    _report_problems(outcome, rows, str(output or "pgm query"))


def _check(question: Question, rows: EvidenceTable, source: Path) -> None:
    """No variable is known twice, and no two columns of the answers have one name."""
    evident = question.evident
    for name in (*evident.given, *evident.likelihood, *evident.jeffrey):
        if name in rows.states:
            raise EvidenceError(f"pgm query: {name!r} is a column of {source} and also given by an option; use one.")
    seen: set[str] = set()
    for name in (*rows.kept, *question.header):
        if name in seen:
            raise FileError(f"{source}: the answers would have two columns {name!r}; rename one.")
        seen.add(name)


def batches(question: Question, rows: EvidenceTable) -> Iterator[Batch]:
    """The answers in the order of the rows, in batches that grow to what half a second allows."""
    begin, size = 0, FIRST
    largest = max(1, min(LARGEST, NUMBERS // len(question.header)))
    while begin < rows.rows:
        end, started = min(begin + size, rows.rows), time.monotonic()
        yield _answer(question, {name: states[begin:end] for name, states in rows.states.items()})
        wanted = size * BATCH_SECONDS / max(time.monotonic() - started, 1e-6)
        begin, size = end, int(min(max(wanted, size / 4, 1), size * 4, largest))


def _answer(question: Question, states: dict[str, np.ndarray]) -> Batch:
    evident = question.evident
    post = infer(
        question.model,
        [v.name for v in question.targets],
        given={**evident.given, **states},
        likelihood=dict(evident.likelihood) or None,
        jeffrey=dict(evident.jeffrey) or None,
        engine=question.engine,
        impossible="nan",
    )
    return Batch(post.log_evidence.numpy(), np.concatenate([post[v.name].numpy() for v in question.targets], axis=1))


def _answered(
    question: Question, rows: EvidenceTable, render: Callable[[Batch], T], write: Callable[[T], object]
) -> Outcome:
    """Render and write batch after batch, until the end or an interruption."""
    done: list[np.ndarray] = []
    interrupted = False
    try:
        with progress(rows.rows) as advance:
            for batch in batches(question, rows):
                piece = render(batch)
                done.append(
                    np.isneginf(batch.logs)
                )  # before the write: an interruption in it is raised when it is done
                write(piece)
                advance(len(batch.logs))
    except KeyboardInterrupt:
        interrupted = True
    return Outcome(sum(map(len, done)), sum(int(each.sum()) for each in done), interrupted)


def _as_csv(question: Question, rows: EvidenceTable, stream: TextIO) -> Outcome:
    copied = zip(*rows.kept.values(), strict=True) if rows.kept else iter([()] * rows.rows)
    empty = [""] * len(question.header)

    def render(batch: Batch) -> str:
        cells = np.column_stack([batch.probabilities, batch.logs]).tolist()
        filled = [empty if impossible else row for row, impossible in zip(cells, np.isneginf(batch.logs), strict=True)]
        return _csv([[*next(copied), *row] for row in filled])

    stream.write(_csv([[*rows.kept, *question.header]]))
    return _answered(question, rows, render, stream.write)


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _as_json(question: Question, rows: EvidenceTable) -> Outcome:
    """The object that a single row gives, with lists in place of numbers; null in rows of probability 0."""
    found: list[Batch] = []
    outcome = _answered(question, rows, lambda batch: batch, found.append)
    width = len(question.header) - 1
    columns = np.concatenate([np.zeros((0, width)), *(batch.probabilities for batch in found)]).T.tolist()
    logs = np.concatenate([np.zeros(0), *(batch.logs for batch in found)]).tolist()
    each = iter(columns)
    posterior = {v.name: {state: next(each) for state in v.states} for v in question.targets}
    kept: dict[str, Any] = {"kept": {name: cells[: len(logs)] for name, cells in rows.kept.items()}}
    print_json({"log_evidence": logs, "posterior": posterior, **(kept if rows.kept else {})})
    return outcome


def _report_output(outcome: Outcome, rows: EvidenceTable, output: Path, json: bool) -> None:
    if json:
        counts = {"rows": rows.rows, "answered": outcome.answered, "impossible": outcome.impossible}
        print_json({"output": str(output), **counts})
    else:
        print(f"{output}: {count(outcome.answered, 'row')} answered")


def _report_problems(outcome: Outcome, rows: EvidenceTable, subject: str) -> None:
    if outcome.impossible:
        print(f"{subject}: {count(outcome.impossible, 'row')} of probability 0, left empty.", file=sys.stderr)
    if outcome.interrupted:
        done = f"{outcome.answered:,} of {count(rows.rows, 'row')}"
        print(f"{subject}: interrupted after {done}; those are kept.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
