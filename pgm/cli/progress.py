"""A progress bar that appears only when it takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds before it is shown


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, when that is a terminal; yields what to call with the number of rows just done."""
    target = Console(stderr=True)
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=target, transient=True, disable=not target.is_terminal)
    task = shown.add_task("rows", total=total)
    timer = threading.Timer(PATIENCE, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done: shown.advance(task, done)
    finally:
        timer.cancel()
        timer.join()
        if shown.live.is_started:
            shown.stop()
