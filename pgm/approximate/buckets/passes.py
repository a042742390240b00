"""Passes over mini-buckets: down the order, which gives a bound, and back up, which gives beliefs.

By Hoelder's inequality sum_x prod_r f_r(x) is at most prod_r (sum_x f_r(x)^(1/w_r))^(w_r) where the weights w_r are
positive and sum to 1, and at least that where one of them is positive and the others negative. Weights that all go to
0 give the maximum instead of the sum. Shifts move a function from one mini-bucket of a variable to the others, which
changes no product but makes bounds tighter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .scheme import ROOT, Scheme, Scope
from .tables import Tables

Weight = Tensor | None  # [rows or 1]; None takes the maximum
LARGEST = 10.0  # minus a negative weight: steps beyond it run away, and bounds with them


@dataclass(frozen=True, eq=False)
class State:
    """What is free to choose in a bound, and what the last pass up said, one entry a mini-bucket each.

    Args:
        weights: the exponents; None takes the maximum.
        shifts: log functions `[rows or 1, *sizes]` of what the mini-buckets of a variable share; they sum to 0.
        above: for the variables of each message the log of what the rest makes of it, `[rows or 1, *sizes]`.
    """

    weights: tuple[Weight, ...]
    shifts: tuple[Tensor | None, ...]
    above: tuple[Tensor | None, ...]


def start(scheme: Scheme, weights: Sequence[Weight]) -> State:
    """Nothing is shifted yet and nothing known of what is above."""
    none = (None,) * len(scheme.minis)
    return State(tuple(weights), none, none)


@dataclass(frozen=True, eq=False)
class Passed:
    """A pass down.

    Args:
        total: the log of the bound, `[rows or 1]`.
        logs: all tables and then all messages, `[rows or 1, *sizes]`.
        state: with which they were made.
    """

    total: Tensor
    logs: tuple[Tensor, ...]
    state: State


def down(scheme: Scheme, tables: Tables, state: State, upper: bool, step: float = 0.0, matching: bool = True) -> Passed:
    """One variable after the other is eliminated.

    Args:
        scheme: the mini-buckets.
        tables: what is multiplied.
        state: weights and shifts, and what is above.
        upper: whether the bound is an upper one; zeros are then passed between the mini-buckets of a variable.
        step: how far weights move.
        matching: whether to shift, so that the mini-buckets of a variable agree in what they share.

    Reference: Liu and Ihler (2011), Bounding the partition function using Hoelder's inequality.
    """
    logs, weights, shifts = list(tables.logs), list(state.weights), list(state.shifts)
    total = logs[0].new_zeros(1)
    for bucket in scheme.buckets:
        filled = [product(scheme, logs, shifts[m], scheme.shared(bucket), m) for m in bucket]
        above = [_above(scheme, state, m) for m in bucket]
        if len(bucket) > 1 and matching:
            moves = _moves(scheme, bucket, filled, above, [weights[m] for m in bucket], upper)
            for k, (m, move) in enumerate(zip(bucket, moves, strict=True)):
                old = shifts[m]
                shifts[m] = move if old is None else old + move
                filled[k] = filled[k] + _spread(move, scheme.shared(bucket), scheme.minis[m].scope)
        if len(bucket) > 1 and step:
            found = _reweighed(filled, above, [weights[m] for m in bucket], upper, step)
            weights[bucket[0] : bucket[-1] + 1] = found
        for table, m in zip(filled, bucket, strict=True):
            logs.append(summed(table, weights[m]))
            if logs[-1].dim() == 1:
                total = total + logs[-1]
    return Passed(total, tuple(logs), replace(state, weights=tuple(weights), shifts=tuple(shifts)))


def up(scheme: Scheme, passed: Passed) -> tuple[State, list[Tensor]]:
    """Back along the order: what is above each message, and the belief of each variable.

    Returns:
        The state with `above` renewed; the logs of beliefs, not normalised, `[rows or 1, size]` for each place.
    """
    state, logs = passed.state, passed.logs
    above: list[Tensor | None] = [None] * len(scheme.minis)
    beliefs: list[list[Tensor]] = [[] for _ in scheme.sizes]
    children: list[list[int]] = [[] for _ in scheme.minis]
    for m, parent in enumerate(scheme.parents):
        if parent != ROOT:
            children[parent].append(m)
    for bucket in reversed(scheme.buckets):
        for m in bucket:
            scope, weight = scheme.minis[m].scope, state.weights[m]
            table = scaled(product(scheme, logs, state.shifts[m], scheme.shared(bucket), m), weight)
            over = above[m]
            if over is not None:
                table = table + _spread(over, scope[1:], scope)
            alone = _onto(table, scope, scope[:1], weight)
            beliefs[scope[0]].append((alone - peak(alone)) * (1.0 if weight is None else weight.unsqueeze(1)))
            for child in children[m]:
                below, message = scheme.minis[child].scope[1:], logs[scheme.tables + child]
                ratio = _onto(table, scope, below, weight) - scaled(message, state.weights[child])
                above[child] = torch.where(ratio.isfinite(), ratio, -torch.inf)
    return replace(state, above=tuple(above)), [torch.stack(torch.broadcast_tensors(*each)).sum(0) for each in beliefs]


def product(scheme: Scheme, logs: Sequence[Tensor], shift: Tensor | None, shared: Scope, number: int) -> Tensor:
    """The tables of a mini-bucket and its shift, multiplied: logs `[rows or 1, *sizes]`."""
    mini = scheme.minis[number]
    parts = [(logs[source], scheme.scopes[source]) for source in mini.sources]
    parts += [(shift, shared)] if shift is not None else []
    parts.sort(key=lambda part: part[0].dim())  # small ones meet first
    total = torch.zeros((), dtype=logs[0].dtype, device=logs[0].device)
    for table, scope in parts:
        total = total + _spread(table, scope, mini.scope)
    return total


def summed(table: Tensor, weight: Weight) -> Tensor:
    """w log sum exp(table / w) over the first variable, `[rows, *sizes of the others]`; the maximum without weight."""
    if weight is None:
        return table.amax(1)
    found = scaled(table, weight).logsumexp(1)
    return found * weight.reshape(-1, *[1] * (found.dim() - 1))


def scaled(table: Tensor, weight: Weight) -> Tensor:
    """A log table divided by a weight a row."""
    return table if weight is None else table / weight.reshape(-1, *[1] * (table.dim() - 1))


def peak(table: Tensor) -> Tensor:
    """The largest entry of each row, as an array that can be subtracted; 0 where that is not finite."""
    found = table.amax(tuple(range(1, table.dim())), keepdim=True) if table.dim() > 1 else table
    return torch.where(found.isfinite(), found, 0.0)


def _above(scheme: Scheme, state: State, number: int) -> Tensor:
    """What is above the message of a mini-bucket, as a view that fits its joint scope; 0 where nothing is known."""
    found, scope = state.above[number], scheme.minis[number].scope
    return torch.zeros(()) if found is None else _spread(found, scope[1:], scope)


def _spread(table: Tensor, scope: Scope, onto: Scope) -> Tensor:
    """The same table as a view with an axis of length 1 for each variable that it lacks."""
    axes = iter(table.shape[1:])
    inside = set(scope)
    return table.reshape(len(table), *(next(axes) if v in inside else 1 for v in onto))


def _onto(table: Tensor, scope: Scope, kept: Scope, weight: Weight) -> Tensor:
    """Summed (or maximised) onto some of its variables."""
    gone = [axis for axis, v in enumerate(scope, 1) if v not in kept]
    if not gone:
        return table
    return table.amax(gone) if weight is None else table.logsumexp(gone)


def _moves(
    scheme: Scheme,
    bucket: tuple[int, ...],
    filled: list[Tensor],
    above: list[Tensor],
    weights: list[Weight],
    upper: bool,
) -> list[Tensor]:
    """Shifts after which mini-buckets agree in what they share; they sum to 0, or forbid what is impossible."""
    shared, found = scheme.shared(bucket), []
    for m, table, over, weight in zip(bucket, filled, above, weights, strict=True):
        known = torch.where(over.isfinite(), over, 0.0)  # zeros of other tables are no reason to forbid anything here
        alone = _onto(scaled(table, weight) + known, scheme.minis[m].scope, shared, weight)
        found.append(alone - peak(alone))
    share = [1.0 / len(bucket) if w is None else w.reshape(-1, *[1] * len(shared)) for w in weights]
    mean = sum(w * alone for w, alone in zip(share, found, strict=True))
    assert isinstance(mean, Tensor)
    fine = torch.stack(torch.broadcast_tensors(*found)).isfinite().all(0)
    closed = -torch.inf if upper else 0.0
    moves = []
    for w, alone, weight in zip(share, found, weights, strict=True):
        move = mean - alone if weight is None else w * (mean - alone)
        moves.append(torch.where(fine, move, closed))
    return moves


def _reweighed(
    filled: list[Tensor], above: list[Tensor], weights: list[Weight], upper: bool, step: float
) -> list[Weight]:
    """Weights after a step along the gradient, which is the entropy of the variable given the rest of its table."""
    if weights[0] is None:
        return weights
    entropies = torch.stack(torch.broadcast_tensors(*map(_entropy, filled, above, weights)))  # [minis, rows]
    now = torch.stack(torch.broadcast_tensors(*[w for w in weights if w is not None]))
    if upper:
        new = now * (-step * now * (entropies - (now * entropies).sum(0))).exp()
        return list((new / new.sum(0)).unbind())
    negative = now[1:] * (step * (entropies[:1] - entropies[1:]) * now[1:].abs()).exp()
    negative = negative.clamp_min(-LARGEST)
    return [1.0 - negative.sum(0), *negative.unbind()]


def _entropy(table: Tensor, above: Tensor, weight: Weight) -> Tensor:
    """The entropy of the first variable given the others, under the belief of a mini-bucket, `[rows]`."""
    logs = scaled(table, weight)
    belief = (logs + above).flatten(1).softmax(1).reshape(torch.broadcast_shapes(logs.shape, above.shape))
    conditional = logs - logs.logsumexp(1, keepdim=True)
    return -torch.nan_to_num(belief * conditional, 0.0, 0.0, 0.0).flatten(1).sum(1)


def decoded(scheme: Scheme, logs: Sequence[Tensor], rows: int) -> Tensor:
    """Joint states, chosen greedily from the last variable to the first, `[rows, places]`."""
    states = torch.zeros(rows, len(scheme.sizes), dtype=torch.long, device=logs[0].device)
    row = torch.arange(rows, device=states.device)
    for variable, bucket in reversed(list(enumerate(scheme.buckets))):
        scores = torch.zeros(rows, scheme.sizes[variable], dtype=logs[0].dtype, device=states.device)
        for source in (source for m in bucket for source in scheme.minis[m].sources):
            table = logs[source].movedim(1, -1)
            others = [states[:, v] for v in scheme.scopes[source][1:]]
            scores = scores + table[(row if len(table) > 1 else torch.zeros_like(row), *others)]
        states[:, variable] = scores.argmax(1)
    return states


def held_total(scheme: Scheme, tables: Tables, states: Tensor) -> Tensor:
    """The log of the sum over all joint states that agree with `states` in what the scheme holds, `[rows]`."""
    logs, total = list(tables.logs), tables.logs[0].new_zeros(1)
    for variable, bucket in enumerate(scheme.buckets):
        for m in bucket:
            table = product(scheme, logs, None, (), m)
            logs.append(_at(table, states[:, variable]) if variable in scheme.held else table.logsumexp(1))
            if logs[-1].dim() == 1:
                total = total + logs[-1]
    return total.expand(len(states))


def _at(table: Tensor, states: Tensor) -> Tensor:
    """A table `[rows or 1, size, *others]` at a state of its first variable a row."""
    whole = table.expand(len(states), *table.shape[1:])
    return whole[torch.arange(len(states), device=states.device), states]
