"""A field whose impossible states are only very bad, so that moves of single variables lead out of them."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import torch

from ...fields.field import Field


def softened(field: Field) -> Field:
    """The field with a finite penalty for each exact zero, above what any move of one variable could gain elsewhere.

    Where no joint states are at hand that are possible, moves in it lead towards some; among possible ones it weighs
    as the field does, up to rounding.

    Example:
        >>> from ...fields.field import grid
        >>> equal = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
        >>> softened(grid(torch.zeros(1, 2, 2), equal)).groups[0].logs
        tensor([[[[ 0., -1.],
                  [-1.,  0.]]]])
    """
    least = -_penalty(field)
    groups = tuple(replace(g, logs=g.logs.clamp_min(least)) for g in field.groups)
    faint = max(exp(least), torch.finfo(field.dtype).tiny ** 0.3)  # products of several stay above 0
    trains = tuple(replace(t, cores=tuple(core.clamp_min(faint) for core in t.cores)) for t in field.trains)
    return replace(field, unary=field.unary.clamp_min(least), groups=groups, trains=trains)


def _penalty(field: Field) -> float:
    """More than what a change of one variable can gain, and than the least finite number."""
    owner = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    finite = torch.where(field.unary.isneginf(), 0.0, field.unary).abs().amax(0)
    gain = torch.zeros_like(field.unary[0, : field.variables]).index_add_(0, owner, 2 * finite)
    arrays = [(g.scopes, [g.logs]) for g in field.groups] + [
        (t.scopes, [c.log() for c in t.cores]) for t in field.trains
    ]
    for scopes, logs in arrays:
        most = sum(float(torch.where(each.isneginf(), 0.0, each).abs().max()) for each in logs)
        gain.index_add_(0, scopes.reshape(-1), gain.new_full((scopes.numel(),), 2 * most))
    return 1.0 + (float(gain.max()) if len(gain) else 0.0)
