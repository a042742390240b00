"""States of positive weight to start chains from, where a field has exact zeros."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import torch
from torch import Tensor

from ...fields.field import Field, Group, Trains
from .sweep import Sweeper

PENALTIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # nats that an exact zero costs while a possible state is looked for
TRIES = 25  # sweeps at each


def deterministic(field: Field) -> Tensor:
    """Whether a row has factors of two variables or more that are zero somewhere, `[rows]`."""
    found = torch.zeros(field.rows, dtype=torch.bool, device=field.device)
    for group in field.groups:
        found = found | group.logs.isneginf().flatten(1).any(1)
    for trains in field.trains:
        found = found | _doubtful(trains).any(1)
    return found


def _doubtful(trains: Trains) -> Tensor:
    """Which trains may be zero somewhere, `[rows or 1, trains or 1]`."""
    ahead = [core > 0 for core in trains.cores]
    back = [core.transpose(2, 4) > 0 for core in reversed(trains.cores)]
    return ~(_always(ahead) | _always(back))


def _always(cores: list[Tensor]) -> Tensor:
    """Which trains are sure to be positive everywhere: those that always carry something, `[rows, trains]`."""
    sure = torch.ones_like(cores[0][:, :, :, 0, 0])  # [rows or 1, trains or 1, left]
    for core in cores:
        sure = (sure[..., None, None] & core).any(2).all(2)
    return sure.squeeze(-1)


def consistent(field: Field) -> Field:
    """The same field, with the states that no factor of two variables or more supports at weight 0 by themselves.

    A state is dropped where a table is zero for it and all states of the others that are left, until none is found.
    When a variable of a row has none left, the row is impossible.

    Reference: Mackworth (1977), Consistency in networks of relations.
    """
    groups = [group for group in field.groups if bool(group.logs.isneginf().any())]
    possible = ~field.unary.isneginf()
    before = -1
    while groups and int(possible.sum()) != before:
        before = int(possible.sum())
        for group in groups:
            possible = _supported(field, group, possible)
    return replace(field, unary=field.unary.masked_fill(~possible, -torch.inf))


def _supported(field: Field, group: Group, possible: Tensor) -> Tensor:
    """The states that have support in each of their tables in a group, `[rows, states]`."""
    axes = range(len(group.sizes))
    places = [field.starts[group.scopes[:, k], None] + torch.arange(group.sizes[k], device=field.device) for k in axes]
    table = ~group.logs.isneginf()
    for k in axes:
        mine = possible[:, places[k]]  # [rows, factors, size]
        table = table & mine.reshape(*mine.shape[:2], *(group.sizes[k] if j == k else 1 for j in axes))
    for k in axes:
        kept = table.movedim(k + 2, 2).flatten(3).any(3).flatten(1)  # [rows, factors * size]
        index = places[k].reshape(1, -1).expand(len(kept), -1)
        possible = possible.int().scatter_reduce(1, index, kept.int(), "amin").bool()
    return possible


def begun(sweeper: Sweeper, chains: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """States of positive weight to start from, and the rows for which there are some.

    Drawn from single states alone; where that hits a zero, sweeps in which zeros only cost something, more and more
    of it, go on until all is possible. A chain that does not get there takes the state of one that does.

    Args:
        sweeper: of a field as `consistent` gives it.
        chains: how many for each row.
        generator: the source of randomness.

    Returns:
        States `[rows, chains, variables]` and whether they are possible, `[rows]`.

    Reference: Selman, Kautz and Cohen (1994), Noise strategies for improving local search.
    """
    field, states = sweeper.field, sweeper.start(chains, generator)
    if bool(deterministic(field).any()):
        for penalty in PENALTIES:
            if bool(sweeper.coupling(states).isneginf().any()):
                states = _repaired(states, sweeper, Sweeper(relaxed(field, penalty)), generator)
        states = _shared(states, ~sweeper.coupling(states).isneginf())
    return states, ~(sweeper.coupling(states).isneginf().any(1) | _single(field, states).isneginf().any(1))


def _repaired(states: Tensor, sweeper: Sweeper, soft: Sweeper, generator: torch.Generator) -> Tensor:
    """The states after some sweeps of a relaxed field, each kept once it is possible."""
    for _ in range(TRIES):
        bad = sweeper.coupling(states).isneginf()
        if not bool(bad.any()):
            break
        states = torch.where(bad.unsqueeze(-1), soft.sweep(states, generator=generator), states)
    return states


def relaxed(field: Field, penalty: float) -> Field:
    """The zeros of a field alone: what is possible weighs the same, and what a table forbids `penalty` nats less."""
    groups = (replace(g, logs=torch.where(g.logs.isneginf(), -penalty, 0.0).to(field.dtype)) for g in field.groups)
    least = exp(-penalty)
    trains = (
        replace(each, cores=tuple(torch.where(core > 0, core, least * core.max()) for core in each.cores))
        for each in field.trains
        if bool(_doubtful(each).any())
    )
    unary = torch.where(field.unary.isneginf(), field.unary, 0.0)
    return replace(field, unary=unary, groups=tuple(groups), trains=tuple(trains))


def _shared(states: Tensor, good: Tensor) -> Tensor:
    """Bad chains take the states of good ones of their row, one after another, where there are any."""
    order = (~good).int().argsort(dim=1, stable=True)  # good chains first
    number = torch.arange(states.shape[1], device=states.device) % good.sum(1, keepdim=True).clamp_min(1)
    instead = torch.where(good, torch.arange(states.shape[1], device=states.device), order.gather(1, number))
    return states.gather(1, instead.unsqueeze(-1).expand(states.shape))


def _single(field: Field, states: Tensor) -> Tensor:
    """The log weights of single states, summed, `[rows, chains]`."""
    places = (states.long() + field.starts[:-1]).flatten(1)
    return field.unary.gather(1, places).reshape(states.shape).sum(-1)
