"""What was measured while a model learned, one row a moment, one column a figure; and what was noticed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pgm.errors import FileError, GraphError

FILE, SHEET, NOTICES = "history.jsonl", "history.csv", "notices.jsonl"
Row = dict[str, float]


@dataclass(frozen=True)
class Notice:
    """What went wrong while a model learned.

    Args:
        turn: when it was noticed first.
        name: what it is called.
        said: figures, and what to do.

    Example:
        >>> print(Notice(1200, "dead units", "40% are never on; lower the rate."))
        dead units by turn 1,200: 40% are never on; lower the rate.
    """

    turn: int
    name: str
    said: str

    def __str__(self) -> str:
        return f"{self.name} by turn {self.turn:,}: {self.said}"


@dataclass(eq=False)
class History:
    """Figures by name, a row for every few turns; each is the mean since the row before.

    Args:
        rows: `turn`, `epoch`, `seconds` (of training) and every term of every phase, `phase.term`.
        interrupted: whether Ctrl-C ended the run.
        folder: where the run's files are, if anywhere.
        notices: what monitors of the phases said was wrong, each once, when it was first seen.

    Example:
        >>> history = History([{"turn": 10, "elbo.loss": 2.0}, {"turn": 20, "elbo.loss": 1.5}])
        >>> history, history["elbo.loss"]
        (History(20 turns, elbo.loss 1.5), [2.0, 1.5])
    """

    rows: list[Row] = field(default_factory=list)
    interrupted: bool = False
    folder: Path | None = None
    notices: list[Notice] = field(default_factory=list)

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

    def first(self, term: str, otherwise: float) -> float:
        """The first value of a term of any phase, on what it learns from; another number where there is none."""
        return next(_values(self.rows, term), otherwise)

    def newest(self, term: str, otherwise: float) -> float:
        """The newest value of a term of any phase, on what it learns from; another number where there is none."""
        return next(_values(reversed(self.rows), term), otherwise)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def write(self) -> None:
        """Put all rows into the run's folder, as JSON lines and as a sheet of comma-separated values."""
        if self.folder is None:
            return
        _replaced(self.folder / FILE, "".join(json.dumps(row) + "\n" for row in self.rows))
        if self.notices:
            _replaced(self.folder / NOTICES, "".join(json.dumps(asdict(notice)) + "\n" for notice in self.notices))
        else:
            (self.folder / NOTICES).unlink(missing_ok=True)
        with open(self.folder / SHEET, "w", newline="") as file:
            sheet = csv.DictWriter(file, self.names)
            sheet.writeheader()
            sheet.writerows(self.rows)

    def append(self, row: Row) -> None:
        """Take in a row, and put it into the run's folder."""
        self.rows.append(row)
        self._add(FILE, row)

    def notice(self, turn: int, found: Mapping[str, str]) -> list[Notice]:
        """Take in what is wrong by a turn, by name, and put it into the run's folder; what of it is new."""
        known = {notice.name for notice in self.notices}
        new = [Notice(turn, name, said) for name, said in found.items() if name not in known]
        for notice in new:
            self.notices.append(notice)
            self._add(NOTICES, asdict(notice))
        return new

    def until(self, turn: int) -> History:
        """What there was by a turn."""
        rows = [row for row in self.rows if row["turn"] <= turn]
        return History(rows, folder=self.folder, notices=[notice for notice in self.notices if notice.turn <= turn])

    def _add(self, file: str, entry: Mapping[str, object]) -> None:
        if self.folder is not None:
            with open(self.folder / file, "a") as lines:
                lines.write(json.dumps(entry) + "\n")

    def __repr__(self) -> str:
        last = self.last
        losses = [f"{name} {value:.4g}" for name, value in last.items() if "." in name]
        seen = [f"noticed {notice.name}" for notice in self.notices]
        ended = ["interrupted"] if self.interrupted else []
        turns = f"{last.get('turn', 0):.0f} turns"
        return f"History({', '.join([turns, *losses[:4], *seen, *ended])})"


Monitor = Callable[[History], Mapping[str, str]]  # what is wrong by now, and what to do about it, by name


def read_history(folder: Path | str) -> History:
    """The history of a run from its folder.

    Raises:
        FileError: when there is none, or a line is no JSON.
    """
    home = Path(folder)
    notices = _read(home / NOTICES) if (home / NOTICES).exists() else []
    return History(_read(home / FILE), folder=home, notices=[Notice(**notice) for notice in notices])


def _read(path: Path) -> list[Any]:
    """What JSON lines hold."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise FileError(f"{path}: there is no history ({error.strerror}).") from None
    found: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            if number == len(lines):  # the machine stopped while it was written
                break
            raise FileError(f"{path}:{number}: {line[:40]!r} is no JSON.") from None
    return found


def _values(rows: Iterable[Row], term: str) -> Iterator[float]:
    for row in rows:
        for name, value in row.items():
            if name.rpartition(".")[2] == term and not name.startswith("held-out "):
                yield value


def _replaced(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.replace(path)
