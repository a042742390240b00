"""Where the way begins: independent variables, and factors without exact zeros."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import torch
from torch import Tensor

from ...fields.field import Field, Group, Trains

LEAST = 1e-6  # probability in a base distribution of a state that is possible
BELOW = 20.0  # nats by which an impossible entry weighs less than the least of the others on the way


def rebased(field: Field, base: Tensor) -> Field:
    """The same field with other log weights of single states; what they lack moves into a factor of each variable.

    Args:
        field: the field.
        base: log weights of single states, `[rows or 1, states]`; a variable without factors keeps its own, and
            impossible states stay so.
    """
    impossible = field.unary.isneginf()
    base = torch.where(impossible, -torch.inf, base.to(field.unary).expand_as(field.unary))
    lacking = torch.where(impossible, 0.0, field.unary - base)  # [rows, states]
    placed = torch.zeros(field.variables, dtype=torch.bool, device=field.device)
    groups, trains = list(field.groups), list(field.trains)
    for number, part in enumerate(field.parts):
        for axis in range(part.scopes.shape[1]):
            more = _first(part, axis, lacking, placed, field)  # [rows, factors, size]
            if isinstance(part, Group):
                shape = [1] * len(part.sizes)
                shape[axis] = more.shape[2]
                part = replace(part, logs=part.logs + more.reshape(*more.shape[:2], *shape))
                groups[number] = part
            else:
                core = part.cores[axis] * more.exp()[:, :, None, :, None]
                part = replace(part, cores=(*part.cores[:axis], core, *part.cores[axis + 1 :]))
                trains[number - len(groups)] = part
            placed = placed.index_fill(0, part.scopes[:, axis], True)
    kept = torch.where(placed.repeat_interleave(field.sizes), base, field.unary)
    return replace(field, unary=kept, groups=tuple(groups), trains=tuple(trains))


def _first(part: Group | Trains, axis: int, lacking: Tensor, placed: Tensor, field: Field) -> Tensor:
    """What variables on an axis lack `[rows, factors, size]`, at one factor of each that is not placed yet."""
    scope, count = part.scopes[:, axis], torch.arange(len(part), device=field.device)
    chosen = torch.zeros_like(field.sizes).index_put((scope,), count)[scope] == count
    places = field.starts[scope][:, None] + torch.arange(part.sizes[axis], device=field.device)
    return lacking[:, places] * (chosen & ~placed[scope])[:, None]


def softened(field: Field) -> Field:
    """The same field where nothing that factors of two variables or more forbid is impossible, only very improbable.

    The field itself when they forbid nothing.
    """
    groups = tuple(_softened_group(group) for group in field.groups)
    trains = tuple(_softened_trains(trains) for trains in field.trains)
    same = all(a is b for a, b in zip((*groups, *trains), field.parts, strict=True))
    return field if same else replace(field, groups=groups, trains=trains)


def _softened_group(group: Group) -> Group:
    impossible = group.logs.isneginf()
    if not bool(impossible.any()):
        return group
    least = group.logs.masked_fill(impossible, torch.inf).amin().nan_to_num(posinf=0.0)
    return replace(group, logs=group.logs.masked_fill(impossible, float(least) - BELOW))


def _softened_trains(trains: Trains) -> Trains:
    """A small constant is added where a product could be 0: one more row and column of each matrix."""
    least, most = (_product([reduce(core) for core in trains.cores]) for reduce in (_least, _most))
    if bool((least > 0).all()):
        return trains
    small = (most * exp(-BELOW)).reshape(*most.shape, 1, 1, 1)
    cores = []
    for place, core in enumerate(trains.cores):
        one = torch.ones_like(core[:, :, :1, :, :1])
        if place == 0:
            cores.append(torch.cat([core.expand(*small.shape[:2], -1, -1, -1), small * one], 4))
        elif place == len(trains.cores) - 1:
            cores.append(torch.cat([core, one], 2))
        else:
            cores.append(_diagonal(core, one))
    return replace(trains, cores=tuple(cores))


def _diagonal(core: Tensor, one: Tensor) -> Tensor:
    right = torch.cat([torch.zeros_like(core[:, :, :, :, :1]), one], 2)
    return torch.cat([torch.cat([core, torch.zeros_like(core[:, :, :1])], 2), right], 4)


def _least(core: Tensor) -> Tensor:
    return core.amin(3)


def _most(core: Tensor) -> Tensor:
    return core.amax(3)


def _product(matrices: list[Tensor]) -> Tensor:
    """The product of matrices `[rows or 1, factors or 1, left, right]`: `[rows or 1, factors or 1]`."""
    found = matrices[0]
    for matrix in matrices[1:]:
        found = found @ matrix
    return found[..., 0, 0]
