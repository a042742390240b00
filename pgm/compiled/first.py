"""Saying, once, that the first question of an installation takes half a minute."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from . import row


@cache
def announce() -> None:
    """Tell a person who is watching that the loops are about to be compiled; silent when they are on disk already."""
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    folder = row.answer_row.stats.cache_path
    if watched and not any(Path(folder).glob("row.answer_row-*.nbi")):
        print("pgm: compiling its loops, once for this installation; about half a minute", file=sys.stderr, flush=True)
