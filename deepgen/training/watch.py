"""What a terminal shows while a model learns, and what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .history import Notice


class Line:
    """One line on stderr: how far training is, its figures, its rate and the time left.

    Args:
        total: turns in all.
        done: turns that are over.
        shown: whether to show it, when stderr is a terminal, and to print notices.
    """

    def __init__(self, total: int, done: int, shown: bool) -> None:
        console, self._shown = Console(stderr=True), shown
        columns = (BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not (shown and console.is_terminal))
        self._task = self._bar.add_task("", total=total, completed=done, said="")

    def __enter__(self) -> Line:
        self._bar.start()
        return self

    def advance(self, turn: int) -> None:
        """So many turns are over."""
        if not self._bar.disable:
            self._bar.update(self._task, completed=turn)

    def say(self, figures: dict[str, float], rate: float) -> None:
        """Show the first figure of each phase, which it makes small, and rows a second."""
        named = {name.rpartition(".")[0]: f"{name} {value:.4g}" for name, value in reversed(figures.items())}
        shown = "  ".join(said for phase, said in reversed(named.items()) if phase)
        self._bar.update(self._task, said=f"epoch {figures['epoch']:.2f}  {shown}  {rate:,.0f} rows/s")

    def tell(self, notices: Iterable[Notice]) -> None:
        """Print what was noticed, a line each, above this one; also where stderr is no terminal."""
        if self._shown:
            for notice in notices:
                self._bar.console.print(str(notice), markup=False, highlight=False, soft_wrap=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class Stop:
    """Whether Ctrl-C was pressed: the turn is finished first, so that nothing is half done; a second one breaks off.

    Example:
        >>> import os
        >>> with Stop() as stop:
        ...     os.kill(os.getpid(), signal.SIGINT)
        ...     stop.asked
        True
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
