"""Rows of evidence in a CSV file: read whole and checked before anything is answered."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ..errors import FileError
from ..evidence import MISSING
from ..io.text import decode, fault, read_bytes
from ..model import Model
from ..variable import Variable, quoted

BLOCK = 256  # rows held as text at once; few enough to stay in the cache


@dataclass(frozen=True, eq=False)
class EvidenceTable:
    """A file of rows.

    Args:
        states: state numbers by variable, `[rows]`, -1 where a cell is empty.
        kept: cells of columns that are not variables, by their header, as they are.
        rows: how many.
    """

    states: dict[str, np.ndarray]
    kept: dict[str, list[str]]
    rows: int


def read_rows(path: Path, model: Model, keep: bool | None) -> EvidenceTable:
    """Read rows of evidence.

    Args:
        path: CSV with a header of variable names; an empty cell is missing; .gz is unpacked.
        model: its variables are looked for.
        keep: whether other columns are kept; otherwise they are an error. None where there is no such choice.

    Raises:
        FileError: with file and line on a repeated or unknown column, a ragged row, or an unknown state.
    """
    lines_read = records(path)
    _, header = next(lines_read, (1, []))
    header = [name.strip() for name in header]
    _check_header(path, header, model, keep)
    nothing, names = np.zeros(0, dtype=np.int64), model.graph.by_name
    found = {name: [nothing] for name in header if name in names}
    kept: dict[str, list[str]] = {name: [] for name in header if name not in found}
    while block := list(islice(lines_read, BLOCK)):
        lines, rows = zip(*block, strict=True)
        for name, cells in zip(header, zip(*rows, strict=True), strict=True):
            if name in kept:
                kept[name] += cells
            else:
                found[name].append(_numbers(path, model[name], cells, lines))
    states = {name: np.concatenate(parts) for name, parts in found.items()}
    return EvidenceTable(states, kept, len(next(iter(states.values()))))


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The header and the rows, with the line on which each ends; blank lines are skipped beside several columns."""
    reader = csv.reader(io.StringIO(decode(path, read_bytes(path)).text, newline=""), strict=True)
    width = None
    try:
        for row in reader:
            if not row and width != 1:
                continue
            row = row or [""]
            width = width or len(row)
            if len(row) != width:
                raise fault(path, reader.line_num, f"the row has {len(row)} cells, expected {width} as in the header.")
            yield reader.line_num, row
    except csv.Error as error:
        raise fault(path, reader.line_num, f"{error}; expected CSV with commas and double quotes.") from None


def refuse_repeated(path: Path, header: Sequence[str]) -> None:
    """Raise a `FileError` when two columns have one name."""
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise fault(path, 1, f"column {twice!r} is there twice; keep one.")


def refuse_other_separators(path: Path, header: Sequence[str]) -> None:
    """Raise a `FileError` when all of the header is one cell, with what others put in place of commas."""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise fault(path, 1, f"the header is one cell {header[0]!r}; expected commas between the cells.")


def _check_header(path: Path, header: Sequence[str], model: Model, keep: bool | None) -> None:
    refuse_repeated(path, header)
    names = model.graph.by_name
    unknown = next((name for name in header if name not in names), None)
    there = f"there are {quoted(names)}"
    if unknown is not None:
        refuse_other_separators(path, header)
    if unknown is not None and not keep:
        fix = "Remove it." if keep is None else "Remove it, or use --keep to copy it."
        raise fault(path, 1, f"column {unknown!r} is not a variable; {there}. {fix}")
    if not any(name in names for name in header):
        raise fault(path, 1, f"no column is a variable; {there}. The first line must hold their names.")


def _numbers(path: Path, variable: Variable, cells: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    numbers = {"": MISSING} | dict(variable.numbers)
    try:
        return np.fromiter(map(numbers.__getitem__, cells), dtype=np.int64, count=len(cells))
    except KeyError:  # spaces around a label, or an unknown one
        stripped = [cell if cell in numbers else cell.strip() for cell in cells]
    bad = next((row for row, cell in enumerate(stripped) if cell not in numbers), None)
    if bad is not None:
        raise _unknown(path, variable, cells[bad], lines[bad])
    return np.array([numbers[cell] for cell in stripped], dtype=np.int64)


def _unknown(path: Path, variable: Variable, cell: str, line: int) -> FileError:
    return fault(path, line, f"{variable.name!r} is {cell!r}; its states are {quoted(variable.states, 12)}.")
