"""Rows of evidence in a CSV file: read whole and checked before anything is answered."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FileError
from ..evidence import MISSING
from ..io.text import decode, fault, read_bytes
from ..model import Model
from ..variable import Variable, quoted


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


def read_rows(path: Path, model: Model, keep: bool) -> EvidenceTable:
    """Read rows of evidence.

    Args:
        path: CSV with a header of variable names; an empty cell is missing; .gz is unpacked.
        model: its variables are looked for.
        keep: whether other columns are kept; otherwise they are an error.

    Raises:
        FileError: with file and line on a repeated or unknown column, a ragged row, or an unknown state.
    """
    header, lines, rows = _read(path)
    _check_header(path, header, model, keep)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    states, kept = {}, {}
    for name, cells in zip(header, columns, strict=True):
        if name in model.graph.by_name:
            states[name] = _numbers(path, model[name], cells, lines)
        else:
            kept[name] = list(cells)
    return EvidenceTable(states, kept, len(rows))


def _read(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """The header, and the rows with the line on which each ends; blank lines are skipped beside several columns."""
    reader = csv.reader(io.StringIO(decode(path, read_bytes(path)).text, newline=""), strict=True)
    lines, rows = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        for row in reader:
            if len(header) > 1 and not row:
                continue
            row = row or [""]
            if len(row) != len(header):
                raise fault(
                    path, reader.line_num, f"the row has {len(row)} cells, expected {len(header)} as the header."
                )
            lines.append(reader.line_num)
            rows.append(row)
    except csv.Error as error:
        raise fault(path, reader.line_num, f"{error}; expected CSV with commas and double quotes.") from None
    return header, lines, rows


def _check_header(path: Path, header: Sequence[str], model: Model, keep: bool) -> None:
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise fault(path, 1, f"column {twice!r} is there twice; keep one.")
    names = model.graph.by_name
    unknown = next((name for name in header if name not in names), None)
    there = f"there are {quoted(names)}"
    if unknown is not None and not keep:
        raise fault(path, 1, f"column {unknown!r} is not a variable; {there}. Remove it, or use --keep to copy it.")
    if not any(name in names for name in header):
        raise fault(path, 1, f"no column is a variable; {there}. The first line must hold their names.")


def _numbers(path: Path, variable: Variable, cells: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    numbers = {"": MISSING} | dict(variable.domain.numbers)
    found = [numbers.get(cell) for cell in cells]
    for row, number in enumerate(found):
        if number is None:
            found[row] = numbers.get(cells[row].strip())
        if found[row] is None:
            raise _unknown(path, variable, cells[row], lines[row])
    return np.array(found, dtype=np.int64)


def _unknown(path: Path, variable: Variable, cell: str, line: int) -> FileError:
    return fault(path, line, f"{variable.name!r} is {cell!r}; its states are {quoted(variable.states, 12)}.")
