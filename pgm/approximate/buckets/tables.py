"""A field as single tables in an elimination order; wide factors come as chains of small ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...compiled.elimination import moral_matrix
from ...fields.carried import carried
from ...fields.field import Field
from ...order import flatten, randomised, search_matrix

TRIALS = 12  # randomised orders tried; a number, not a time, so that answers can be repeated


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables over variables numbered by when they are eliminated, 0 first.

    Args:
        order: the variable of the field at each place; those from `field.variables` on are what trains carry along.
        sizes: the number of states at each place.
        scopes: the places of each table, ascending.
        logs: log values, `[rows or 1, *sizes]`.
    """

    order: tuple[int, ...]
    sizes: tuple[int, ...]
    scopes: tuple[tuple[int, ...], ...]
    logs: tuple[Tensor, ...]


def tables_of(field: Field) -> Tables:
    """The tables of a field, and the best order found for them."""
    whole, _ = carried(field)
    sizes, starts = whole.sizes.tolist(), field.starts.tolist()
    scopes: list[tuple[int, ...]] = [(v,) for v in range(field.variables)]
    logs = [field.unary[:, start:end] for start, end in zip(starts, starts[1:], strict=False)]
    for group in whole.groups:
        scopes += map(tuple, group.scopes.tolist())
        logs += [group.logs[:, k if group.logs.shape[1] > 1 else 0] for k in range(len(group))]
    order = order_of(sizes, scopes)
    place = {v: k for k, v in enumerate(order)}
    found = [_arranged(scope, table, place) for scope, table in zip(scopes, logs, strict=True)]
    return Tables(order, tuple(sizes[v] for v in order), *zip(*found, strict=True))


def order_of(sizes: list[int], scopes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """An elimination order with few table entries, the same in every run."""
    weights, stage = np.asarray(sizes, dtype=float), np.zeros(len(sizes), dtype=np.int64)
    matrix = moral_matrix(len(sizes), *flatten(scopes))
    best, least = search_matrix(matrix, weights, stage, 0.0)
    for trial in range(1, TRIALS + 1):
        order, cost = randomised(matrix, weights, stage, trial, least)
        best, least = (order, cost) if cost < least else (best, least)
    return tuple(best.tolist())


def _arranged(scope: tuple[int, ...], table: Tensor, place: dict[int, int]) -> tuple[tuple[int, ...], Tensor]:
    """A table with its axes in the order of elimination."""
    axes = sorted(range(len(scope)), key=lambda axis: place[scope[axis]])
    return tuple(place[scope[axis]] for axis in axes), table.permute(0, *(axis + 1 for axis in axes))
