"""Exact inference: options, and the limits it promises to keep."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal

import torch

from ..errors import PlanError

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..model import Model
    from ..posterior import Posterior

FREE_SHARE = 0.5  # of the free memory, when no limit is given
OPERATIONS_AT_MOST = 2.0**42


@dataclass(frozen=True)
class Exact:
    """Answers without approximation, by contraction of tables, and of Gaussians where numeric variables are linear.

    Args:
        memory: bytes that may be used; by default half of what is free when the plan is made.
        seconds: time budget of the search for an elimination order; by default in proportion to its worth, at most 2 s.
        dtype: arithmetic; float64, or float32 by choice.
        device: where to compute; by default where the model's parameters are.
        executor: 'tape' (unrolled multiply-adds, on the CPU in float64), 'products' (batched matrix products, any
            device) or 'auto'.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> Exact(memory=2e9)
        Exact(memory=2000000000.0, seconds=None, dtype=torch.float64, device=None, executor='auto')
    """

    memory: float | None = None
    seconds: float | None = None
    dtype: torch.dtype = torch.float64
    device: str | torch.device | None = None
    executor: Literal["auto", "tape", "products"] = "auto"

    def __post_init__(self) -> None:
        if self.executor not in ("auto", "tape", "products"):
            raise PlanError(f"Exact: executor is {self.executor!r}, expected 'auto', 'tape' or 'products'.")
        if self.memory is not None and not (isinstance(self.memory, Real) and self.memory > 0):
            raise PlanError(f"Exact: memory is {self.memory!r} bytes, expected a positive number.")
        if self.seconds is not None and not (isinstance(self.seconds, Real) and self.seconds >= 0):
            raise PlanError(f"Exact: seconds is {self.seconds!r}, expected a number that is not negative.")
        if self.dtype not in (torch.float64, torch.float32):
            raise PlanError(f"Exact: dtype is {self.dtype!r}, expected torch.float64 or torch.float32.")
        if self.executor == "tape" and self.dtype != torch.float64:
            raise PlanError(f"Exact: a tape works in torch.float64, not {self.dtype}; use executor='products'.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        if model.finite:
            from ..finite import posterior

            return posterior(model, targets, evidence, self, impossible)
        from ..divorce import divorced
        from ..hybrid import answer

        return answer(divorced(model), targets, evidence, self, impossible)

    def bytes_allowed(self) -> float:
        """The memory limit in bytes."""
        return self.memory if self.memory is not None else FREE_SHARE * free_memory()


def free_memory() -> float:
    """Bytes of memory that a program could take without swapping; physical memory where that is unknown."""
    try:
        with open("/proc/meminfo") as lines:
            available = next(line for line in lines if line.startswith("MemAvailable"))
        return 1024.0 * int(available.split()[1])
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
