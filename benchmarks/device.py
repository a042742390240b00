"""How well a device is used: for what share of the time it computes, and how near its highest rate it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import median

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

PEAK_SIZE, CPU_PEAK_SIZE, PEAK_TIMES = 8192, 1024, 10


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals: kernels of several streams may run at once."""
    total, end = 0.0, -float("inf")
    for first, last in sorted(intervals):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


def busy(run: Callable[[], object], device: torch.device) -> float:
    """For what share of the time, from its first kernel to its last, a GPU computes."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        run()
        torch.cuda.synchronize(device)
    kernels = [e.time_range for e in found.events() or () if e.device_type == DeviceType.CUDA]
    spans = [(each.start, each.end) for each in kernels]
    return covered(spans) / (max(end for _, end in spans) - min(start for start, _ in spans))


def products(run: Callable[[], object]) -> int:
    """How many multiplications and additions the matrix products and convolutions of a call take."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """The most multiplications and additions a second that matrix products reach here."""
    size = PEAK_SIZE if device.type == "cuda" else CPU_PEAK_SIZE
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / duration(lambda: one @ other, device)


def duration(run: Callable[[], object], device: torch.device, times: int = PEAK_TIMES) -> float:
    """How long a call takes, the median of several after one that warms up; by the GPU's own clock where it is one."""
    run()
    return median(_lap(run, device) for _ in range(times))


def _lap(run: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3
