"""Bounds of sums and of maxima over all joint states of a field, tightened pass by pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...engines.progress import Watched
from ...fields.field import Field
from .passes import Weight, decoded, down, held_total, start, up
from .scheme import Scheme, scheme_of, widths
from .tables import Tables

STEP = 2.0  # of weights along their gradient; any step keeps bounds valid, this one tightened random grids most
NEGATIVE = 0.5  # minus the first negative weights of a lower bound, for the same reason


@dataclass(frozen=True, eq=False)
class Bounds:
    """What passes over mini-buckets say of a field.

    Args:
        lower, upper: of the log of the sum, or of the largest log weight, `[rows]`.
        beliefs: probabilities of all states of all variables of the field, `[rows, states]`.
        states: joint states that weigh much, `[rows, variables]`.
        passes: how many times the order was gone along for each bound.
        interrupted: whether Ctrl-C ended them.
    """

    lower: Tensor
    upper: Tensor
    beliefs: Tensor
    states: Tensor
    passes: int
    interrupted: bool


@dataclass(frozen=True)
class Effort:
    """How hard to try.

    Args:
        iterations: passes after the first.
        matching: whether mini-buckets of one variable are made to agree.
        progress: whether to show a bar when it takes long.
    """

    iterations: int
    matching: bool
    progress: bool


def sum_bounds(field: Field, tables: Tables, scheme: Scheme, effort: Effort) -> Bounds:
    """Bounds of log Z; equal, and beliefs exact, where the scheme is exact.

    The lower bound is the better one of that of Hoelder's inequality, which is -inf where negative weights meet zeros,
    and of the exact sum over those joint states that agree with a good one where tables had to be cut apart.
    """
    above = start(scheme, _weights(scheme, tables, lambda bucket: [1 / len(bucket)] * len(bucket)))
    below = start(scheme, _weights(scheme, tables, _reversed))
    infinity = field.unary.new_full((field.rows,), torch.inf)
    upper, lower, step = infinity, -infinity, 0.0
    with Watched(1 if scheme.exact else 1 + effort.iterations, "passes over mini-buckets", effort.progress) as steps:
        for _ in steps:
            passed = down(scheme, tables, above, True, step, effort.matching)
            above, beliefs = up(scheme, passed)
            upper = torch.minimum(upper, passed.total)
            if not scheme.exact:
                states = decoded(scheme, passed.logs, field.rows)
                last = down(scheme, tables, below, False, step, effort.matching)
                below, _ = up(scheme, last)
                lower, step = torch.maximum(lower, last.total), STEP
                steps.say(f"log Z from {float(lower.mean()):.4f} to {float(upper.mean()):.4f}")
    if scheme.exact:
        lower, states = upper, decoded(scheme, passed.logs, field.rows)
    else:
        cut = scheme_of(scheme.sizes, scheme.scopes[: scheme.tables], widths(scheme), hold=True)
        lower = torch.maximum(lower, held_total(cut, tables, states))
    assert field.constant is not None
    return Bounds(
        lower + field.constant,
        (upper + field.constant).clamp_max(field.ceiling),
        _in_field(field, tables, [each.softmax(1) for each in beliefs]),
        _places(field, tables, states),
        steps.done,
        steps.interrupted,
    )


def maximum_bounds(field: Field, tables: Tables, scheme: Scheme, effort: Effort) -> Bounds:
    """Bounds of the largest log weight, the lower one that of states found greedily along the order."""

    def weights(bucket: tuple[int, ...]) -> list[float | None]:
        carried = tables.order[scheme.minis[bucket[0]].scope[0]] >= field.variables
        return [1 / len(bucket) if carried else None] * len(bucket)

    state = start(scheme, _weights(scheme, tables, weights))
    infinity = field.unary.new_full((field.rows,), torch.inf)
    upper, lower = infinity, -infinity
    states = torch.zeros(field.rows, field.variables, dtype=torch.long, device=field.device)
    assert field.constant is not None
    with Watched(1 if scheme.exact else 1 + effort.iterations, "passes over mini-buckets", effort.progress) as steps:
        for _ in steps:
            passed = down(scheme, tables, state, True, 0.0, effort.matching)
            found = _places(field, tables, decoded(scheme, passed.logs, field.rows))
            weight = field.log_weight(found)
            states = torch.where((weight > lower)[:, None], found, states)
            upper, lower = torch.minimum(upper, passed.total + field.constant), torch.maximum(lower, weight)
            steps.say(f"best from {float(lower.mean()):.4f} to {float(upper.mean()):.4f}")
            state, beliefs = up(scheme, passed)
    upper = upper.clamp_max(field.ceiling)
    return Bounds(lower, upper, _in_field(field, tables, beliefs), states, steps.done, steps.interrupted)


def _weights(
    scheme: Scheme, tables: Tables, rule: Callable[[tuple[int, ...]], list[float] | list[float | None]]
) -> list[Weight]:
    """The weights that a rule gives the mini-buckets of each variable, as tensors `[1]`."""
    one = tables.logs[0].new_ones(1)
    return [None if w is None else w * one for bucket in scheme.buckets for w in rule(bucket)]


def _reversed(bucket: tuple[int, ...]) -> list[float]:
    """One positive weight and the others negative; they sum to 1."""
    others = len(bucket) - 1
    return [1.0 + NEGATIVE * others, *[-NEGATIVE] * others]


def _in_field(field: Field, tables: Tables, values: list[Tensor]) -> Tensor:
    """What is said of each place of the order, `[rows or 1, size]`, as `[rows, states]` of the field."""
    place = {v: k for k, v in enumerate(tables.order)}
    return torch.cat([values[place[v]].expand(field.rows, -1) for v in range(field.variables)], 1)


def _places(field: Field, tables: Tables, states: Tensor) -> Tensor:
    """States by place as states by variable, without those that trains carry."""
    place = {v: k for k, v in enumerate(tables.order)}
    return states[:, [place[v] for v in range(field.variables)]]


def joined(parts: list[Bounds]) -> Bounds:
    """The bounds of all rows from those of some at a time."""
    tensors = {
        name: torch.cat([vars(each)[name] for each in parts]) for name in ("lower", "upper", "beliefs", "states")
    }
    return Bounds(passes=max(p.passes for p in parts), interrupted=any(p.interrupted for p in parts), **tensors)


def some_rows(field: Field, tables: Tables, rows: slice) -> tuple[Field, Tables]:
    """A field and its tables for some of its rows."""
    logs = tuple(table[rows] if len(table) > 1 else table for table in tables.logs)
    assert field.constant is not None
    groups = tuple(replace(g, logs=g.logs[rows] if len(g.logs) > 1 else g.logs) for g in field.groups)
    trains = tuple(replace(t, cores=tuple(c[rows] if len(c) > 1 else c for c in t.cores)) for t in field.trains)
    few = replace(field, unary=field.unary[rows], groups=groups, trains=trains, constant=field.constant[rows])
    return few, replace(tables, logs=logs)
