"""Elimination orders kept on disk between runs, keyed by structure.

The folder is `$PGM_CACHE`, by default `pgm` in the user's cache folder; an empty `$PGM_CACHE` keeps nothing. What is
read is checked, and a folder that cannot be read or written is as good as an empty one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

VERSION = 1  # of the search; orders of an older one are not read
KEPT = 1000  # files; the oldest ones go first
Orders = list[tuple[int, tuple[int, ...], float]]  # part as a bit mask, order, cost


def key_of(*facts: object) -> str:
    """A file name for everything that an order depends on.

    Example:
        >>> key_of((2, 2), ((0, 1),)) == key_of((2, 2), ((0, 1),)), len(key_of(1))
        (True, 32)
    """
    return hashlib.sha256(repr((VERSION, facts)).encode()).hexdigest()[:32]


def folder() -> Path | None:
    """Where orders are kept, or None when they are not."""
    named = os.environ.get("PGM_CACHE")
    if named is not None:
        return Path(named) if named else None
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pgm"


def read_orders(key: str) -> Orders | None:
    """What is kept under a key; None when nothing is, or when it is damaged."""
    home = folder()
    if home is None:
        return None
    try:
        rows = json.loads((home / f"{key}.json").read_text())
        found = [(int(part, 16), tuple(int(v) for v in order), float(cost)) for part, order, cost in rows]
        whole = all(sum(1 << v for v in set(o)) == part and len(set(o)) == len(o) for part, o, _ in found)
    except (OSError, ValueError, TypeError):
        return None
    return found if whole else None


def write_orders(key: str, orders: Sequence[tuple[int, tuple[int, ...], float]]) -> None:
    """Keep orders under a key: written aside and renamed, so that no reader sees half a file."""
    home = folder()
    if home is None:
        return
    text = json.dumps([(hex(part), order, cost) for part, order, cost in orders])
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=home, suffix=".part", delete=False) as aside:
            aside.write(text)
        os.replace(aside.name, home / f"{key}.json")
        _forget_oldest(home)
    except OSError:
        return


def _forget_oldest(home: Path) -> None:
    files = sorted(home.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in files[: max(0, len(files) - KEPT)]:
        path.unlink(missing_ok=True)
