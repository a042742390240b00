"""Wide factors without trains: as chains of small ones over what is carried along, or written out as tables."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .build import safe_log
from .field import Field, Group, Trains


def carried(field: Field) -> tuple[Field, tuple[Tensor, ...]]:
    """The same field without trains: summed over the added variables, which come last, it weighs what it did.

    A train is f(x) = sum over s of prod_k C_k(s_{k-1}, x_k, s_k), which is a field over x and s.

    Returns:
        The field, and for each of its former `trains` the variables of every factor, its own and then the added ones,
        `[factors, variables]`.

    Example:
        >>> cores = torch.eye(2).reshape(1, 1, 1, 2, 2), torch.eye(2).reshape(1, 1, 2, 2, 1)
        >>> wide = Field(torch.tensor([2, 2]), torch.zeros(1, 4), (), (Trains(torch.tensor([[0, 1]]), cores),))
        >>> carried(wide)
        (Field(3 variables, 2 factors, 1 row), (tensor([[0, 1, 2]]),))
    """
    if not field.trains:
        return field, ()
    sizes, groups, members = [field.sizes], list(field.groups), []
    count = field.variables
    for trains in field.trains:
        bonds = torch.tensor([core.shape[4] for core in trains.cores[:-1]], device=field.device)
        added = count + torch.arange(len(trains) * len(bonds), device=field.device).reshape(len(trains), -1)
        groups += _chain(trains, added)
        sizes.append(bonds.repeat(len(trains)))
        members.append(torch.cat([trains.scopes, added], 1))
        count += added.numel()
    every = torch.cat(sizes)
    unary = torch.nn.functional.pad(field.unary, (0, int(every.sum()) - field.unary.shape[1]))
    return replace(field, sizes=every, unary=unary, groups=tuple(groups), trains=()), tuple(members)


def _chain(trains: Trains, added: Tensor) -> list[Group]:
    """One group a core, over what was carried so far, the variable, and what is carried on."""
    groups, last = [], len(trains.cores) - 1
    for k, core in enumerate(trains.cores):
        columns = [added[:, k - 1 : k]] * (k > 0) + [trains.scopes[:, k : k + 1]] + [added[:, k : k + 1]] * (k < last)
        logs = safe_log(core)  # [rows or 1, factors or 1, left, size, right]
        logs = logs if k > 0 else logs.squeeze(2)
        groups.append(Group(torch.cat(columns, 1), logs if k < last else logs.squeeze(-1)))
    return groups


def written(trains: Trains) -> Group:
    """Wide factors as tables, whose entries the caller has counted.

    Example:
        >>> cores = torch.eye(2).reshape(1, 1, 1, 2, 2), torch.eye(2).reshape(1, 1, 2, 2, 1)
        >>> written(Trains(torch.tensor([[0, 1]]), cores)).logs
        tensor([[[[0., -inf],
                  [-inf, 0.]]]])
    """
    lead = [max(core.shape[axis] for core in trains.cores) for axis in (0, 1)]
    table = trains.cores[0].new_ones(*lead, 1, 1)  # [rows, factors, states so far, left]
    total = trains.cores[0].new_zeros(*lead, 1)
    for core in trains.cores:
        table = torch.einsum("rfai,rfisj->rfasj", table, core.expand(*lead, -1, -1, -1)).flatten(2, 3)
        peak = table.detach().amax((2, 3), keepdim=True).clamp_min(torch.finfo(table.dtype).tiny)
        table, total = table / peak, total + peak.log().squeeze(-1)  # so that nothing overflows
    return Group(trains.scopes, (safe_log(table.squeeze(-1)) + total).reshape(*lead, *trains.sizes))
