"""A progress bar for what takes more than two seconds."""

from __future__ import annotations

import time
from collections.abc import Generator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds before it is shown


def counted(total: int, what: str, shown: bool = True) -> Generator[int, None, None]:
    """The numbers from 0 to total - 1, with a bar on stderr once they take long, when that is a terminal.

    Example:
        >>> list(counted(3, "steps"))
        [0, 1, 2]
    """
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))
    task, start = bar.add_task(what, total=total), time.monotonic()
    try:
        for number in range(total):
            yield number
            bar.update(task, completed=number + 1)
            if not bar.live.is_started and time.monotonic() - start > PATIENCE:
                bar.start()
    finally:
        bar.stop()
