"""Distributions that factorise over clusters of variables, and the field as they see it.

Each factor of the field sees, of every cluster it touches, the joint states of the variables it has there: a *piece*.
Over pieces the field is an ordinary one, whose factors have at most one variable in a cluster; what ties the pieces of
one cluster together is exact inference in it. Without clusters pieces are variables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import numpy as np
import torch
from torch import Tensor

from ...compiled.colouring import colours
from ...errors import PlanError
from ...fields.field import Field, Group
from ...variable import quoted
from .clusters import Shape


@dataclass(frozen=True, eq=False)
class Meeting:
    """One axis of a group of factors, where it meets the pieces of some clusters.

    Args:
        group: its number.
        axis: which place of the scopes.
        factors: which of them, `[entries]`.
        places: where the states along the axis are among those of the clusters, `[entries, size]`.
        others: where the states along all other axes are among all, `[entries, size]` each.
    """

    group: int
    axis: int
    factors: Tensor
    places: Tensor
    others: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Alike:
    """Clusters of one shape, no two of which meet in a factor: they are updated together.

    Args:
        shape: of each.
        places: of the states of their pieces among all, `[clusters, width]`.
        meetings: the factors around them.
    """

    shape: Shape
    places: Tensor
    meetings: tuple[Meeting, ...]


@dataclass(frozen=True, eq=False)
class Family:
    """All distributions that are products over clusters.

    Args:
        field: over pieces; the first of them are the variables one by one.
        singles: how many pieces are single variables.
        scopes: the variables of each of the other pieces.
        clusters: the variables of those clusters that have more than one.
        classes: the clusters, by shape and colour.
        factors: all factors along their first axis, whose places are among all states.
        names: of the variables, where they have any.
    """

    field: Field
    singles: int
    scopes: tuple[tuple[int, ...], ...]
    clusters: tuple[tuple[int, ...], ...]
    classes: tuple[Alike, ...]
    factors: tuple[Meeting, ...]
    names: tuple[str, ...]

    def holding(self, scope: Sequence[int]) -> tuple[Alike, int, tuple[int, ...]]:
        """The class and the place in it of the cluster that holds a scope, and the variables of that cluster.

        Raises:
            PlanError: when there is none.
        """
        for cluster in self.clusters:
            if set(scope) <= set(cluster):
                first = int(self.field.starts[cluster[0]])
                for alike in self.classes:
                    found = torch.nonzero(alike.places[:, 0] == first)
                    if len(found):
                        return alike, int(found[0]), cluster
        named = quoted([self.names[v] if self.names else str(v) for v in scope])
        raise PlanError(f"MeanField: {named} are independent here; put them into one cluster to get their joint.")


def family(field: Field, clusters: Sequence[Sequence[int]] = ()) -> Family:
    """The family of a field without trains; variables in no cluster are on their own.

    Args:
        field: the field.
        clusters: variable numbers, none twice.
    """
    owner = torch.arange(field.variables)
    for cluster in clusters:
        owner[list(cluster)] = min(cluster)
    pieces = _Pieces(field, owner)
    shapes = _shapes(pieces, clusters)
    every = pieces.field()
    return Family(
        every,
        field.variables,
        tuple(pieces.scopes),
        tuple(map(tuple, clusters)),
        _classes(every, pieces, owner, shapes),
        tuple(_whole(every, number) for number in range(len(every.groups))),
        field.names,
    )


class _Pieces:
    """Collects the pieces that factors see, and the factors over them."""

    def __init__(self, field: Field, owner: Tensor) -> None:
        self.base, self.owner = field, owner.to(field.device)
        self.scopes: list[tuple[int, ...]] = []
        self.sizes: list[int] = []
        self.unary: list[Tensor] = []
        self.groups: list[Group] = []
        for group in field.groups:
            self._cut(group)

    def field(self) -> Field:
        """The field over pieces."""
        base = self.base
        sizes = torch.cat([base.sizes, torch.tensor(self.sizes, dtype=torch.long, device=base.device)])
        return Field(sizes, torch.cat([base.unary, *self.unary], 1), tuple(self.groups), (), base.constant)

    def _cut(self, group: Group) -> None:
        """Sort the factors by which of their axes share a cluster."""
        owners = self.owner[group.scopes]  # [factors, arity]
        pattern = (owners.unsqueeze(2) == owners.unsqueeze(1)).int().argmax(2)  # the first axis in the same cluster
        arity = pattern.shape[1]
        codes = (pattern * arity ** torch.arange(arity, device=pattern.device)).sum(1)
        for code in codes.unique():
            chosen = torch.nonzero(codes == code).squeeze(1)
            kind = pattern[chosen[0]].tolist()
            logs = group.logs if group.logs.shape[1] == 1 else group.logs[:, chosen]
            parts = [[axis for axis, first in enumerate(kind) if first == part] for part in sorted(set(kind))]
            self._merge(Group(group.scopes[chosen], logs), parts)

    def _merge(self, group: Group, parts: list[list[int]]) -> None:
        """Factors with the axes of each part merged into one, over a piece."""
        order = [axis + 2 for part in parts for axis in part]
        merged = [prod(group.sizes[axis] for axis in part) for part in parts]
        logs = group.logs.permute(0, 1, *order).reshape(*group.logs.shape[:2], *merged)
        columns = [self._numbers(group.scopes[:, part], size) for part, size in zip(parts, merged, strict=True)]
        if len(parts) > 1:
            self.unary += [
                logs.new_zeros(self.base.rows, len(group) * n) for p, n in zip(parts, merged, strict=True) if len(p) > 1
            ]
            self.groups.append(Group(torch.stack(columns, 1), logs))
        else:
            self.unary.append(logs.expand(self.base.rows, len(group), *merged).flatten(1))

    def _numbers(self, scopes: Tensor, size: int) -> Tensor:
        """The numbers of pieces `[factors]`, new ones for joint states."""
        if scopes.shape[1] == 1:
            return scopes[:, 0]
        first = self.base.variables + len(self.scopes)
        self.scopes += map(tuple, scopes.tolist())
        self.sizes += [size] * len(scopes)
        return first + torch.arange(len(scopes), device=scopes.device)


def _shapes(pieces: _Pieces, clusters: Sequence[Sequence[int]]) -> list[tuple[Shape, list[int]]]:
    """The shape of each cluster and the numbers of its pieces."""
    inside: dict[int, list[int]] = defaultdict(list)
    for number, scope in enumerate(pieces.scopes, pieces.base.variables):
        inside[int(pieces.owner[scope[0]])].append(number)
    found = []
    for cluster in clusters:
        local = {v: k for k, v in enumerate(cluster)}
        wide = inside[min(cluster)]
        scopes = [pieces.scopes[number - pieces.base.variables] for number in wide]
        inner = tuple(tuple(local[v] for v in scope) for scope in scopes)
        sizes = tuple(pieces.base.sizes[list(cluster)].tolist())
        found.append((Shape(sizes, tuple((k,) for k in local.values()) + inner), [*cluster, *wide]))
    return found


def _classes(field: Field, pieces: _Pieces, owner: Tensor, shapes: list[tuple[Shape, list[int]]]) -> tuple[Alike, ...]:
    """The clusters by colour and shape; lone variables by colour and size, without a loop over them."""
    colour = _colour(pieces, owner)
    alone = torch.ones(len(owner), dtype=torch.bool)
    kept: dict[tuple[int, Shape], list[list[int]]] = defaultdict(list)
    for shape, numbers in shapes:
        alone[numbers[: len(shape.sizes)]] = False
        kept[int(colour[numbers[0]]), shape].append(numbers)
    lone = torch.nonzero(alone).squeeze(1)
    sizes = pieces.base.sizes.cpu()[lone]
    largest = int(sizes.max()) + 1 if len(lone) else 1
    keys = colour[lone] * largest + sizes
    members = {
        (key // largest, Shape((key % largest,), ((0,),))): lone[keys == key][:, None] for key in keys.unique().tolist()
    }
    for key, listed in kept.items():
        also = torch.tensor(listed)
        members[key] = torch.cat([members[key], also]) if key in members else also
    by_colour = sorted(members.items(), key=lambda each: each[0][0])
    return tuple(_alike(field, shape, numbers.to(field.device)) for (_, shape), numbers in by_colour)


def _colour(pieces: _Pieces, owner: Tensor) -> Tensor:
    """The colour of the cluster of each variable: no factor meets two clusters of one colour."""
    scopes = [owner[group.scopes.cpu()].numpy() for group in pieces.base.groups]
    lengths = np.concatenate([np.zeros(1, np.int64), *(np.full(len(s), s.shape[1]) for s in scopes)])
    members = np.concatenate([np.zeros(0, np.int64), *(s.reshape(-1) for s in scopes)])
    return torch.from_numpy(colours(len(owner), lengths.cumsum(), members))[owner]


def _alike(field: Field, shape: Shape, numbers: Tensor) -> Alike:
    """Clusters by the numbers of their pieces, `[clusters, pieces]`, and the factors around them."""
    starts = [*accumulate(shape.widths, initial=0)]
    places = torch.cat(
        [
            field.starts[column, None] + torch.arange(n, device=field.device)
            for column, n in zip(numbers.T, shape.widths, strict=True)
        ],
        1,
    )
    first = torch.full((field.variables,), -1, device=field.device)  # where the states of each piece begin in here
    own = torch.arange(len(numbers), device=field.device)[:, None] * starts[-1]
    first[numbers] = own + torch.tensor(starts[:-1], device=field.device)
    meetings = []
    for number, group in enumerate(field.groups):
        for axis, size in enumerate(group.sizes):
            begins = first[group.scopes[:, axis]]
            factors = torch.nonzero(begins >= 0).squeeze(1)
            if len(factors):
                inside = begins[factors][:, None] + torch.arange(size, device=field.device)
                meetings.append(Meeting(number, axis, factors, inside, _others(field, group, axis, factors)))
    return Alike(shape, places, tuple(meetings))


def _whole(field: Field, number: int) -> Meeting:
    """All factors of a group along their first axis."""
    group = field.groups[number]
    factors = torch.arange(len(group), device=field.device)
    return Meeting(number, 0, factors, _places(field, group, 0, factors), _others(field, group, 0, factors))


def _others(field: Field, group: Group, axis: int, factors: Tensor) -> tuple[Tensor, ...]:
    return tuple(_places(field, group, k, factors) for k in range(len(group.sizes)) if k != axis)


def _places(field: Field, group: Group, axis: int, factors: Tensor) -> Tensor:
    """Where the states along one axis of factors are among all, `[factors, size]`."""
    begins = field.starts[group.scopes[factors, axis]]
    return begins[:, None] + torch.arange(group.sizes[axis], device=field.device)
