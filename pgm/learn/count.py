"""Counting: the sufficient statistics of rows, once it is known how probable what they do not show is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor

from ..columns import columns
from ..counts import Tallied
from ..gaussians import GaussianConditional
from ..terms import Local
from ..variable import Variable
from .statistics import Counts, Part, Scatter, Tied

Scope = tuple[Variable, ...]


@dataclass(frozen=True, eq=False)
class Numbers:
    """The regressors and the child of a regression side by side, given the rest of the row.

    Args:
        mean: shape `[rows, joint states, length]`.
        spread: their covariance, `[rows, joint states, length, length]`.
    """

    mean: Tensor
    spread: Tensor


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What is known of some rows.

    Args:
        weights: how much each row counts, `[rows]`.
        seen: values by name, `[rows]` state numbers or `[rows, *event]` numbers, of variables seen in all rows.
        states: posteriors of finite variables that are not, by scope, `[rows, joint states]`.
        numbers: for regressions some of whose numbers are not seen, by the regression's scope; the joint states are
            those of its finite parents that are not seen.
    """

    weights: Tensor
    seen: Mapping[str, Tensor]
    states: Mapping[Scope, Tensor] = field(default_factory=dict)
    numbers: Mapping[Scope, Numbers] = field(default_factory=dict)

    def absent(self, term: Local) -> Scope:
        """The finite variables of a term that are not seen, in its order."""
        return absent(term, self.seen)


def absent(term: Local, seen: Any) -> Scope:
    """The finite variables in the scope of a term whose names are not in `seen`, in its order."""
    return tuple(v for v in term.scope if v.finite and v.name not in seen)


def part_of(tie: Tied, beliefs: Beliefs) -> Part:
    """The statistics of one conditional, all of its copies together."""
    parts = [_of_term(copy, beliefs) for copy in tie.copies]
    total = parts[0]
    for part in parts[1:]:
        total = total + part  # type: ignore[operator]  # all of one kind
    return total


def _of_term(term: Local, beliefs: Beliefs) -> Part:
    missing = beliefs.absent(term)
    known = [v for v in term.scope if v.finite and v not in missing]
    where, cells = _cell(known, beliefs), prod(v.size for v in known)
    weights = beliefs.weights.unsqueeze(1)
    weights = weights * beliefs.states[missing] if missing else weights  # [rows, joint states]
    scope = [*known, *missing]
    order = [scope.index(v) for v in term.scope if v.finite]
    shape = [v.size for v in scope]
    if isinstance(term, GaussianConditional):
        parts = _scatter(_numbers(term, beliefs), where, weights, cells)
        return Scatter(*(_placed(tensor, shape, order) for tensor in parts))
    if isinstance(term, Tallied):
        values = beliefs.seen[term.child.name]
        tallies = [term.tally(values[rows], weights[rows]) for rows in _rows(where, cells)]
        return Counts(_placed(torch.stack(tallies), shape, order))
    table = torch.zeros(cells, weights.shape[1], dtype=torch.float64).index_add_(0, where, weights)
    return Counts(_placed(table, shape, order))


def _cell(known: Sequence[Variable], beliefs: Beliefs) -> Tensor:
    """The number of each row's joint state of some variables that are seen, `[rows]`."""
    where = torch.zeros(len(beliefs.weights), dtype=torch.long)
    for variable in known:
        where = where * variable.size + beliefs.seen[variable.name]
    return where


def _rows(where: Tensor, cells: int) -> tuple[Tensor, ...]:
    """The rows of each cell, some of none."""
    return where.argsort().split(where.bincount(minlength=cells).tolist())


def _numbers(term: GaussianConditional, beliefs: Beliefs) -> tuple[Tensor, Tensor | None]:
    """Regressors and child side by side, `[rows, 1 or joint states, length]`, and their covariance."""
    if term.scope in beliefs.numbers:
        found = beliefs.numbers[term.scope]
        return found.mean, found.spread
    scope = (*term.real, term.child)
    return columns(scope, [beliefs.seen[v.name] for v in scope], torch.float64).unsqueeze(1), None


def _scatter(
    numbers: tuple[Tensor, Tensor | None], where: Tensor, weights: Tensor, cells: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, mean and scatter of the rows of each cell, `[cells, missing, ...]`."""
    mean, spread = numbers
    length, missing = mean.shape[-1], weights.shape[1]
    empty = torch.zeros(cells, missing, length + 1, length, dtype=torch.float64)
    found = torch.zeros(cells, missing, dtype=torch.float64), empty[..., 0, :], empty[..., 1:, :]
    for cell, rows in enumerate(_rows(where, cells)):
        if len(rows):
            wide = None if spread is None else spread[rows].movedim(1, 0)
            made = Scatter.of(mean[rows].movedim(1, 0), weights[rows].T, wide)
            for whole, part in zip(found, made.tensors, strict=True):
                whole[cell] = part
    return found


def _placed(table: Tensor, shape: Sequence[int], order: Sequence[int]) -> Tensor:
    """`[seen, missing, *rest]` with one axis a variable, in the order of the scope."""
    spread = table.reshape([*shape, *table.shape[2:]])
    return spread.permute([*order, *range(len(shape), spread.dim())])
