"""What was never drawn: the part of a standard error that the spread of draws cannot show."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fields.field import Field


def widened(errors: Tensor, effective: Tensor, unsure: Tensor) -> Tensor:
    """sqrt(error^2 + 1 / effective^2): as if one more effective draw had been in the other state.

    A part of the distribution that weighs less than one draw in so many may have been missed altogether, in which case
    all draws agree and their spread is far too small.

    Args:
        errors: from the spread, `[rows, ...]`.
        effective: how many draws the slowest state is worth, `[rows]`.
        unsure: which probabilities are not known beforehand, like `errors`.
    """
    return torch.hypot(errors, unsure / effective.reshape(-1, *[1] * (errors.dim() - 1)))


def least_effective(p: Tensor, errors: Tensor, draws: int) -> Tensor:
    """The independent draws that the least certain of all states `[rows, states]` is worth, no more than were made."""
    return torch.where(errors > 0, p * (1 - p) / errors**2, torch.inf).amin(1).clamp(1.0, float(draws))


def unsure(field: Field) -> Tensor:
    """The states whose probabilities depend on other variables, `[rows, states]`: neither impossible nor alone."""
    possible = ~field.unary.isneginf()
    linked = torch.zeros(field.variables, dtype=torch.bool, device=field.device)
    for part in field.parts:
        linked[part.scopes.flatten()] = True
    owner = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    several = torch.zeros(field.rows, field.variables, device=field.device).index_add(1, owner, possible.float()) > 1
    return possible & (several & linked)[:, owner]


def unsure_jointly(possible: Tensor, field: Field, scope: tuple[int, ...]) -> Tensor:
    """The joint states of a scope that are not known beforehand to be impossible or certain, `[rows, *sizes]`.

    Args:
        possible: states, `[rows, states]`.
        field: what they are states of.
        scope: variable numbers.
    """
    found = torch.ones(len(possible), *[1] * len(scope), dtype=torch.bool, device=possible.device)
    for axis, v in enumerate(scope):
        mine = possible[:, field.starts[v] : field.starts[v + 1]]
        found = found & mine.reshape(len(mine), *(-1 if k == axis else 1 for k in range(len(scope))))
    several = found.flatten(1).sum(1) > 1
    return found & several.reshape(-1, *[1] * len(scope))
