"""States that no joint state of positive weight can have, as far as factors one at a time tell."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...fields.field import Field, Group


def supported(field: Field) -> Field:
    """The same field with states of no weight removed: -inf where some factor is 0 whatever else may still be.

    The sum over joint states does not change. Where all states of a variable are gone, the row is impossible.

    Args:
        field: without trains.

    Example:
        >>> both = Group(torch.tensor([[0, 1]]), torch.tensor([[[[0.0, -torch.inf], [-torch.inf, 0.0]]]]))
        >>> supported(Field(torch.tensor([2, 2]), torch.tensor([[0.0, -torch.inf, 0.0, 0.0]]), (both,))).unary
        tensor([[0., -inf, 0., -inf]])

    Reference: Mackworth (1977), Consistency in networks of relations.
    """
    possible = ~field.unary.isneginf()
    hard = [(group, ~group.logs.isneginf()) for group in field.groups if bool(group.logs.isneginf().any())]
    left = -1
    while hard and left != int(possible.sum()):
        left = int(possible.sum())
        for group, allowed in hard:
            possible = _pruned(field, group, allowed, possible)
    return replace(field, unary=field.unary.masked_fill(~possible, -torch.inf))


def impossible_rows(field: Field) -> Tensor:
    """Rows in which a variable of a supported field has no state left, `[rows]`."""
    of = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    states = torch.zeros(field.rows, field.variables, device=field.device)
    gone = states.index_add(1, of, (~field.unary.isneginf()).to(states)) == 0
    assert field.constant is not None
    return gone.any(1) | field.constant.isneginf()


def _pruned(field: Field, group: Group, allowed: Tensor, possible: Tensor) -> Tensor:
    """States left once one group has been looked at."""
    places = [
        field.starts[group.scopes[:, k], None] + torch.arange(n, device=field.device) for k, n in enumerate(group.sizes)
    ]
    joint = allowed.expand(field.rows, len(group), *group.sizes)
    for k, place in enumerate(places):
        joint = joint & _along(possible[:, place], k, len(places))
    for k, place in enumerate(places):
        seen = joint.movedim(k + 2, 2).flatten(3).any(3)  # [rows, factors, size]
        gone = torch.zeros_like(possible, dtype=torch.int32).index_add(1, place.flatten(), (~seen).flatten(1).int())
        possible = possible & (gone == 0)
    return possible


def _along(values: Tensor, axis: int, arity: int) -> Tensor:
    """Values `[rows, factors, size]` along one axis of tables."""
    shape = [1] * arity
    shape[axis] = values.shape[2]
    return values.reshape(*values.shape[:2], *shape)
