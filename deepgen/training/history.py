"""What was measured while a model learned: one row a moment, one column a figure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgm.errors import FileError, GraphError

FILE, SHEET = "history.jsonl", "history.csv"
Row = dict[str, float]


@dataclass(eq=False)
class History:
    """Figures by name, a row for every few turns; each is the mean since the row before.

    Args:
        rows: `turn`, `epoch`, `seconds` (of training) and every term of every phase, `phase.term`.
        interrupted: whether Ctrl-C ended the run.
        folder: where the run's files are, if anywhere.

    Example:
        >>> history = History([{"turn": 10, "elbo.loss": 2.0}, {"turn": 20, "elbo.loss": 1.5}])
        >>> history, history["elbo.loss"]
        (History(20 turns, elbo.loss 1.5), [2.0, 1.5])
    """

    rows: list[Row] = field(default_factory=list)
    interrupted: bool = False
    folder: Path | None = None

    def __getitem__(self, name: str) -> list[float]:
        """One figure over time; rows without it are left out."""
        found = [row[name] for row in self.rows if name in row]
        if not found:
            raise GraphError(f"History: there is no figure {name!r}; there are {', '.join(self.names)}.")
        return found

    @property
    def names(self) -> list[str]:
        """The names of all figures."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def last(self) -> Row:
        """The newest value of each figure."""
        return {name: value for row in self.rows for name, value in row.items()}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def write(self) -> None:
        """Put all rows into the run's folder, as JSON lines and as a sheet of comma-separated values."""
        if self.folder is None:
            return
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        _replaced(self.folder / FILE, text)
        with open(self.folder / SHEET, "w", newline="") as file:
            sheet = csv.DictWriter(file, self.names)
            sheet.writeheader()
            sheet.writerows(self.rows)

    def append(self, row: Row) -> None:
        """Take in a row, and put it into the run's folder."""
        self.rows.append(row)
        if self.folder is not None:
            with open(self.folder / FILE, "a") as file:
                file.write(json.dumps(row) + "\n")

    def __repr__(self) -> str:
        last = self.last
        losses = [f"{name} {value:.4g}" for name, value in last.items() if "." in name]
        ended = ["interrupted"] if self.interrupted else []
        turns = f"{last.get('turn', 0):.0f} turns"
        return f"History({', '.join([turns, *losses[:4], *ended])})"


def read_history(folder: Path | str) -> History:
    """The history of a run from its folder.

    Raises:
        FileError: when there is none, or a line is no JSON.
    """
    path = Path(folder) / FILE
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise FileError(f"{path}: there is no history ({error.strerror}).") from None
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            found: Any = json.loads(line)
        except ValueError:
            if number == len(lines):  # the machine stopped while it was written
                break
            raise FileError(f"{path}:{number}: {line[:40]!r} is no JSON.") from None
        rows.append(found)
    return History(rows, folder=Path(folder))


def _replaced(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.replace(path)
