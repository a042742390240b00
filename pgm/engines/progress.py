"""A progress bar for what takes more than two seconds."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds before it is shown


def counted(total: int, what: str, shown: bool = True) -> Generator[int, None, None]:
    """The numbers from 0 to total - 1, with a bar on stderr once they take long, when that is a terminal.

    Example:
        >>> list(counted(3, "steps"))
        [0, 1, 2]
    """
    bar = _bar(what, shown)
    task, start = bar.add_task(what, total=total, said=""), time.monotonic()
    try:
        for number in range(total):
            yield number
            bar.update(task, completed=number + 1)
            if not bar.live.is_started and time.monotonic() - start > PATIENCE:
                bar.start()
    finally:
        bar.stop()


class Watched:
    """The steps of a long run: a bar with the estimate so far, and a Ctrl-C that ends the run and keeps what there is.

    Args:
        total: how many steps at most.
        what: what a step is called, in the plural.
        shown: whether to show a bar on stderr once it takes long, when that is a terminal, and to say there that Ctrl-C
            cut the run short.

    Attributes:
        interrupted: whether Ctrl-C ended the steps.

    Example:
        >>> with Watched(1000, "sweeps") as steps:
        ...     for step in steps:
        ...         steps.say(f"estimate {1 / (step + 1):.2f}")
        ...         if step == 2:
        ...             raise KeyboardInterrupt
        >>> steps.interrupted, steps.done
        (True, 2)
    """

    def __init__(self, total: int, what: str, shown: bool = True) -> None:
        self.total, self.what, self.shown = total, what, shown
        self.done, self.interrupted = 0, False
        self._bar = _bar(what, shown)
        self._task = self._bar.add_task(what, total=total, said="")
        self._start = time.monotonic()

    def __enter__(self) -> Watched:
        return self

    def __iter__(self) -> Iterator[int]:
        while self.done < self.total:
            yield self.done
            self.done += 1
            self._bar.update(self._task, completed=self.done)
            if not self._bar.live.is_started and time.monotonic() - self._start > PATIENCE:
                self._bar.start()

    def say(self, text: str) -> None:
        """Show the estimate so far beside the bar."""
        self._bar.update(self._task, said=text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Ends the bar; Ctrl-C is taken as the wish to stop once there is a whole step to keep."""
        self._bar.stop()
        while isinstance(error, SystemError):  # Ctrl-C in a compiled loop comes out as the cause of one
            error = error.__cause__
        self.interrupted = isinstance(error, KeyboardInterrupt) and self.done > 0
        if self.interrupted and self.shown:
            said = f"Ctrl-C: cut short, {self.done} of at most {self.total} {self.what} are done."
            self._bar.console.print(said, highlight=False)
        return self.interrupted


def _bar(what: str, shown: bool) -> Progress:
    console = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )
    return Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))
