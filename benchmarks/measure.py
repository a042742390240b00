"""Times as medians, and memory as the growth of what the process really holds."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median


def timed(run: Callable[[], object], seconds: float, at_least: int = 3, at_most: int = 200) -> float:
    """The median time of a call in seconds, over as many calls as fit into the budget."""
    times: list[float] = []
    while len(times) < at_least or (sum(times) < seconds and len(times) < at_most):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
        if sum(times) > 4 * seconds:
            break
    return median(times)


def timed_each(run: Callable[[object], object], arguments: Sequence[object], seconds: float) -> float:
    """The median time of a call with each of the arguments in turn, until the budget is spent."""
    times: list[float] = []
    for argument in arguments:
        start = time.perf_counter()
        run(argument)
        times.append(time.perf_counter() - start)
        if sum(times) > seconds and len(times) >= 2:
            break
    return median(times)


def peak_growth(run: Callable[[], object]) -> float | None:
    """Bytes by which resident memory rose above its level at the start while `run` ran; None where that is unknown."""
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # hands freed memory back, so that using it again shows
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = _status("VmRSS")
        run()
        return float(_status("VmHWM") - before)
    except (OSError, AttributeError):
        return None


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])
