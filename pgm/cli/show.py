"""What people and programs read: aligned tables no wider than the terminal, or one JSON object."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.table import Table

BAR = 24  # columns that the bar of probability 1 takes at most


def console() -> Console:
    """Where tables go; names are printed as they are, whatever marks they hold."""
    return Console(markup=False, emoji=False, highlight=False)


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """An empty table; the columns named in `right` hold numbers. Long cells are folded, never cut."""
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        found.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return found


def bar(probability: float, out: Console) -> RenderableType:
    """A probability as a bar, in what the terminal can show."""
    if out.options.ascii_only:
        return "#" * round(BAR * probability)
    return Bar(1.0, 0.0, probability, width=BAR)


def decimals(value: float) -> str:
    """A number with four decimals, zero without a sign.

    Example:
        >>> decimals(2 / 3), decimals(-1e-17)
        ('0.6667', '0.0000')
    """
    return f"{round(value, 4) + 0.0:.4f}"


def print_json(answer: dict[str, Any]) -> None:
    """Print one JSON object on one line; what is not finite becomes null, for JSON has no word for it."""
    sys.stdout.write(json.dumps(_finite(answer), allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def plain(value: Any) -> Any:
    """Diagnostics in lists and dicts: tensors become lists, names of several variables are joined by commas."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else ", ".join(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | None) else value.tolist()


def count(number: int, word: str) -> str:
    """A number with its word, in the plural where it must be.

    Example:
        >>> count(1, "row"), count(1200, "row")
        ('1 row', '1,200 rows')
    """
    return f"{number:,} {word}{'s' * (number != 1)}"
