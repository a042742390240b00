"""Variables that exact zeros tie together, drawn as one: where single steps cannot lead from state to state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ...fields.field import Field, Group

STATES = 16  # of the variables that are drawn as one, at most
CELLS = 1024  # joint states of them, possible or not, at most
FACTORS = 10_000  # fields with more factors are left as they are

Tie = tuple[tuple[int, ...], Tensor]  # variables, and which of their joint states are possible [*sizes]


@dataclass(frozen=True, eq=False)
class Merged:
    """A field over clusters of variables, and the way back.

    Args:
        field: one variable a cluster, whose states are the possible joint states of the members.
        plain: the field of single variables.
        cluster: the cluster of each variable, `[variables]`.
        decode: for each variable its state in each state of its cluster, end to end.
        begins: where those of each variable begin, and the end, `[variables + 1]`.
    """

    field: Field
    plain: Field
    cluster: Tensor
    decode: Tensor
    begins: Tensor

    def states(self, merged: Tensor) -> Tensor:
        """State numbers of the variables from those of the clusters, `[..., clusters]` to `[..., variables]`."""
        return self.decode[self.begins[:-1] + merged[..., self.cluster].long()].to(merged.dtype)

    def probabilities(self, merged: Tensor) -> Tensor:
        """Probabilities of single states from those of states of clusters, `[..., states]`."""
        lengths = self.begins.diff()
        variable = torch.repeat_interleave(torch.arange(len(lengths), device=merged.device), lengths)
        inner = torch.arange(len(variable), device=merged.device) - self.begins[variable]
        source = self.field.starts[self.cluster[variable]] + inner
        found = merged.new_zeros(*merged.shape[:-1], self.plain.unary.shape[1])
        return found.index_add_(-1, self.plain.starts[variable] + self.decode, merged[..., source])


def merged(field: Field) -> Merged:
    """The field with those variables made one between which a table leaves no path of single steps.

    Only small clusters are made, and variables in trains are left alone.

    Args:
        field: any.

    Example:
        >>> equal = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
        >>> pair = Group(torch.tensor([[0, 1]]), equal[None, None])
        >>> merged(Field(torch.tensor([2, 2]), torch.zeros(1, 4), (pair,))).field
        Field(1 variables, 0 factors, 1 row)

    Reference: Jensen, Kong and Kjaerulff (1995), Blocking Gibbs sampling in very large probabilistic expert systems.
    """
    possible = ~field.unary.isneginf().all(0)
    masks: list[Tie] = [((v,), possible[low:high]) for v, (low, high) in enumerate(_ranges(field))]
    of = list(range(field.variables))
    for scope, mask in _ties(field, possible):
        joined = _joined([masks[c] for c in dict.fromkeys(of[v] for v in scope)], (scope, mask))
        if joined is not None:
            masks.append(joined)
            for v in joined[0]:
                of[v] = len(masks) - 1
    if len(masks) == field.variables:
        whole = torch.arange(int(field.sizes.sum()), device=field.device)
        owner = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
        return Merged(field, field, torch.arange(field.variables), whole - field.starts[owner], field.starts)
    return _contracted(field, [masks[c] if len(masks[c][0]) > 1 else None for c in of])


def _ranges(field: Field) -> list[tuple[int, int]]:
    starts = field.starts.tolist()
    return list(zip(starts, starts[1:], strict=False))


def _ties(field: Field, possible: Tensor) -> list[Tie]:
    """Tables that single steps cannot cross, the smallest first; variables in trains are in none of them."""
    found: list[Tie] = []
    wide = {v for trains in field.trains for v in trains.scopes.flatten().tolist()}
    if field.factors > FACTORS:
        return found
    ranges = _ranges(field)
    for group in field.groups:
        masks = ~group.logs.isneginf().all(0)  # [factors or 1, *sizes]
        if bool(masks.all()) or prod(group.sizes) > CELLS:
            continue
        for number, scope in enumerate(group.scopes.tolist()):
            mask = masks[number % len(masks)]
            for axis, v in enumerate(scope):
                mask = mask & _along(possible[slice(*ranges[v])], axis, len(scope))
            if not wide & set(scope) and not _connected(mask):
                found.append((tuple(scope), mask))
    return sorted(found, key=lambda tie: tie[1].numel())


def _along(vector: Tensor, axis: int, axes: int) -> Tensor:
    return vector.reshape([-1 if k == axis else 1 for k in range(axes)])


def _connected(mask: Tensor) -> bool:
    """Whether single steps lead from each possible joint state to each other."""
    reached = torch.zeros_like(mask)
    first = torch.nonzero(mask)[:1]
    reached[tuple(first.T)] = True
    count = 0
    while int(reached.sum()) != count:
        count = int(reached.sum())
        for axis in range(mask.dim()):
            reached = reached | (reached.any(axis, keepdim=True) & mask)
    return count == int(mask.sum())


def _joined(parts: list[Tie], tie: Tie) -> Tie | None:
    """Clusters made one by a tie between them; None when that is too large, or leaves no state."""
    members = tuple(v for scope, _ in parts for v in scope)
    shape = [size for _, mask in parts for size in mask.shape]
    if prod(shape) > CELLS:
        return None
    whole, axes = torch.ones(shape, dtype=torch.bool, device=tie[1].device), len(members)
    for scope, mask in (*parts, tie):
        order = sorted(range(len(scope)), key=lambda k: members.index(scope[k]))  # noqa: B023
        sizes = {members.index(scope[k]): mask.shape[k] for k in order}
        whole = whole & mask.permute(order).reshape([sizes.get(axis, 1) for axis in range(axes)])
    return (members, whole) if 0 < int(whole.sum()) <= STATES else None


def _contracted(field: Field, ties: list[Tie | None]) -> Merged:
    """The field over clusters; `ties` has that of each variable, None where it stays alone."""
    device, ranges = field.device, _ranges(field)
    numbers: dict[tuple[int, ...], int] = {}
    cluster: list[int] = []
    decode: list[Tensor] = []
    unary: list[Tensor] = []
    for v, tie in enumerate(ties):
        members = tie[0] if tie else (v,)
        states = torch.nonzero(tie[1]) if tie else torch.arange(int(field.sizes[v]), device=device)[:, None]
        if members not in numbers:
            numbers[members] = len(numbers)
            unary.append(
                torch.stack([field.unary[:, ranges[u][0] + states[:, k]] for k, u in enumerate(members)]).sum(0)
            )
        cluster.append(numbers[members])
        decode.append(states[:, members.index(v)])
    sizes = torch.tensor([each.shape[1] for each in unary], device=device)
    where = torch.tensor(cluster, device=device)
    moved = torch.tensor([tie is not None for tie in ties], device=device)
    groups = [part for group in field.groups if (part := _untouched(group, moved, where)) is not None]
    tables: dict[tuple[int, ...], list[tuple[list[int], Tensor]]] = defaultdict(list)
    for inside, logs in (each for group in field.groups for each in _touched(group, moved, cluster, decode)):
        if len(inside) == 1:
            unary[inside[0]] = unary[inside[0]] + logs
        else:
            tables[tuple(logs.shape)].append((inside, logs))
    for found in tables.values():
        scopes = torch.tensor([inside for inside, _ in found], device=device)
        groups.append(Group(scopes, torch.stack([logs for _, logs in found], 1)))
    trains = tuple(replace(each, scopes=where[each.scopes]) for each in field.trains)
    lengths = torch.tensor([0, *(len(each) for each in decode)], device=device).cumsum(0)
    contracted = Field(sizes, torch.cat(unary, 1), tuple(groups), trains, field.constant)
    return Merged(contracted, field, where, torch.cat(decode), lengths)


def _untouched(group: Group, moved: Tensor, where: Tensor) -> Group | None:
    """The factors of a group around which nothing was merged, None when there are none."""
    kept = ~moved[group.scopes].any(1)
    logs = group.logs[:, kept] if group.logs.shape[1] > 1 else group.logs
    return Group(where[group.scopes[kept]], logs) if bool(kept.any()) else None


def _touched(
    group: Group, moved: Tensor, cluster: list[int], decode: list[Tensor]
) -> Iterator[tuple[list[int], Tensor]]:
    """The others over clusters: which, and the table of each, `[rows or 1, *sizes]`."""
    for number in torch.nonzero(moved[group.scopes].any(1)).flatten().tolist():
        scope = group.scopes[number].tolist()
        inside = list(dict.fromkeys(cluster[v] for v in scope))
        index = [_along(decode[v], inside.index(cluster[v]), len(inside)) for v in scope]
        rows = torch.arange(len(group.logs), device=group.logs.device)
        lone = number % group.logs.shape[1]
        yield inside, group.logs[(_along(rows, 0, 1 + len(inside)), lone, *(each[None] for each in index))]
