"""A progress bar that appears only when it takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PATIENCE = 2.0  # seconds before it is shown
INTERRUPTED = 130  # exit code after Ctrl-C


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, when that is a terminal; yields what to call with the number of rows just done."""
    with _shown(TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as shown:
        task = shown.add_task("rows", total=total)
        yield lambda done: shown.advance(task, done)


@contextmanager
def activity(text: str) -> Iterator[Callable[[str], None]]:
    """A line on stderr, when that is a terminal, for work whose end is not known; yields what to call with its text."""
    with _shown(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()) as shown:
        task = shown.add_task(text, total=None)
        yield lambda now: shown.update(task, description=now)


@contextmanager
def _shown(*columns: ProgressColumn) -> Iterator[Progress]:
    """Columns that appear once patience has run out, and go when all is done."""
    target = Console(stderr=True)
    shown = Progress(*columns, console=target, transient=True, disable=not target.is_terminal)
    timer = threading.Timer(PATIENCE, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield shown
    finally:
        timer.cancel()
        timer.join()
        if shown.live.is_started:
            shown.stop()
