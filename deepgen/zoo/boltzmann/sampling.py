"""Draws of machines, by Gibbs chains side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pgm.engines.progress import Watched
from pgm.errors import PlanError

from .evidence import begun, free
from .gibbs import sweep

if TYPE_CHECKING:
    from .machine import Machine


@torch.no_grad()
def drawn(
    machine: Machine,
    rows: int,
    known: Mapping[str, Tensor],
    burn: int,
    seed: int | None,
    progress: bool,
) -> dict[str, Tensor]:
    """What `Machine.sample` says."""
    if rows < 1 or burn < 1:
        raise PlanError(f"Machine: {rows} rows after {burn} sweeps are asked for, expected 1 or more of both.")
    with torch.random.fork_rng(enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        state, fixed = begun(machine, rows, known)
        layers = free(machine, fixed)
        with Watched(burn, "sweeps", progress) as steps:
            for _ in steps:
                state = sweep(machine, state, layers, fixed)
    return machine.values(state)
