"""`pgm learn`: from rows of labels to a Bayesian network in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import typer

from ..errors import EvidenceError, FileError, GraphError
from ..graph import Graph
from ..io import save
from ..io.text import fault
from ..learn.climb import hill_climb
from ..learn.columns import Columns
from ..learn.fit_graph import fit_graph
from ..learn.pc import pc
from ..learn.priors import Dirichlet
from ..learn.scores import bdeu, bic
from ..learn.tree import chow_liu
from .files import require_model_file
from .progress import INTERRUPTED, activity
from .show import count, print_json
from .table import records, refuse_other_separators, refuse_repeated

ALPHA = 0.01  # of --method pc
PRIOR = Dirichlet(equivalent_rows=1)  # so that no state seems impossible
LABELS = 256  # more in one column are numbers or names, not states


def learn(
    rows: Path,
    output: Path,
    method: Literal["hill-climb", "chow-liu", "pc"],
    score: Literal["bic", "bdeu"],
    max_parents: int | None,
    alpha: float | None,
    seed: int,
    json: bool,
) -> None:
    """Learn a structure and its tables and save both; an interrupted search leaves the best graph so far."""
    if max_parents is not None and method != "hill-climb":
        raise GraphError(f"pgm learn: --max-parents goes with --method hill-climb, not with {method}.")
    if alpha is not None and method != "pc":
        raise GraphError(f"pgm learn: --alpha goes with --method pc, not with {method}.")
    require_model_file(output)
    columns, criterion = _read(rows), bic if score == "bic" else bdeu
    finished = True
    with activity(f"{method}: {count(columns.rows, 'row')} of {count(len(columns.names), 'variable')}") as say:
        if method == "pc":
            graph = _by_tests(columns, ALPHA if alpha is None else alpha, say)
        elif method == "chow-liu":
            graph = chow_liu(columns).graph
        else:
            told = _steps(say)
            climbed = hill_climb(columns, criterion, max_parents=max_parents, seed=seed, progress=told)
            graph, finished = climbed.graph, climbed.finished
    save(fit_graph(graph, columns, prior=PRIOR), output)
    _report(columns, graph, output, method, score, criterion(columns).total(graph), json)
    if not finished:
        print(f"{output}: interrupted; this is the best graph so far.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


def _by_tests(columns: Columns, alpha: float, say: Callable[[str], None]) -> Graph:
    """One member of the class that PC finds."""
    return pc(columns, alpha, progress=lambda size, pairs: say(f"pc: {count(pairs, 'pair')}, {size} given")).extension()


def _steps(say: Callable[[str], None]) -> Callable[[int, float], None]:
    return lambda steps, best: say(f"hill-climb: {count(steps, 'step')}, best score {best:,.2f}")


def _report(columns: Columns, graph: Graph, output: Path, method: str, score: str, value: float, json: bool) -> None:
    arrows = sum(map(len, graph.parents.values()))
    if json:
        sizes = {"rows": columns.rows, "variables": len(columns.names), "arrows": arrows}
        print_json({"output": str(output), **sizes, "method": method, score: value})
    else:
        print(f"{output}: {count(len(columns.names), 'variable')}, {count(arrows, 'arrow')}, {score} {value:,.2f}")


def _read(path: Path) -> Columns:
    """The columns of a CSV file, all of them labels."""
    lines = records(path)
    _, header = next(lines, (1, []))
    header = [name.strip() for name in header]
    refuse_repeated(path, header)
    refuse_other_separators(path, header)
    if "" in header:
        raise fault(path, 1, f"column {header.index('') + 1} has no name; name it, or remove it if it counts rows.")
    cells = list(zip(*(row for _, row in lines), strict=True))
    if not cells:
        raise FileError(f"{path}: there are no rows, expected a header and at least one.")
    data = {name: list(map(str.strip, column)) for name, column in zip(header, cells, strict=True)}
    for name, column in data.items():
        different = len(set(column))
        if different > LABELS:
            raise FileError(
                f"{path}: column {name!r} has {different:,} different labels in {count(len(column), 'row')}, expected "
                f"at most {LABELS}; leave it out, or cut numbers into bins."
            )
    try:
        return Columns.of(data)
    except (EvidenceError, GraphError) as error:
        raise FileError(f"{path}: {error}") from None
