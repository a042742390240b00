"""What a search found, beside a bound on what it could have found."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import ConvergenceWarning
from ...fields.answers import Best
from ...fields.field import Field
from .dual import dual_of
from .unrolled import too_wide, unrolled

SWEEPS = 20  # of the dual, for engines that do not live by it


def quick_bound(field: Field) -> tuple[Tensor, Tensor]:
    """A bound after a few sweeps of the dual, `[rows]`, and the joint states they suggest, `[rows, variables]`.

    The bound is inf, and the states are the first ones, where a noisy or has too many causes to be a table.
    """
    if too_wide(field):
        start = torch.zeros(field.rows, field.variables, dtype=torch.long, device=field.device)
        return field.unary.new_full((field.rows,), torch.inf), start
    dual = dual_of(unrolled(field.to(dtype=torch.float64), "quick_bound"))
    bounds = [dual.sweep(step % 2 == 0) for step in range(SWEEPS)]
    return bounds[-1], dual.decode(True)[:, : field.variables]


def random_states(field: Field, draws: int, generator: torch.Generator) -> Tensor:
    """Each variable in any of its states, `[rows, draws, variables]`."""
    shape = (field.rows, draws, field.variables)
    uniform = torch.rand(shape, generator=generator, device=field.device, dtype=torch.float64)
    return (uniform * field.sizes).long()


def warn(rows: Tensor, engine: str, what: str, instead: str) -> None:
    """Warn of what happened in those rows, `[rows]`, if there are any."""
    if bool(rows.any()):
        text = f"{engine}: {what} in {int(rows.sum())} of {len(rows)} rows. {instead}."
        warnings.warn(text, ConvergenceWarning, stacklevel=3)


def outcome(field: Field, draws: Tensor, bound: Tensor, engine: str, diagnostics: Mapping[str, Sequence[Any]]) -> Best:
    """The heaviest draw of each row with its bound; warns of rows without a draw that is possible.

    Args:
        field: the field.
        draws: joint states, `[rows, draws, variables]`.
        bound: no joint states weigh more, `[rows]`.
        engine: its name.
        diagnostics: one entry a row each; `gap` is added.
    """
    weights, place = field.log_weight(draws).max(1)
    states = draws[torch.arange(len(draws), device=draws.device), place]
    nothing = weights.isneginf() & ~bound.isneginf()
    warn(nothing, engine, "found no joint states of positive probability", "Use Exact() or Toulbar2()")
    bound = torch.maximum(bound.clamp_max(field.ceiling), weights)
    gap = torch.where(bound.isneginf(), 0.0, bound - weights)
    return Best(states, bound, {"gap": gap.tolist(), **diagnostics})
