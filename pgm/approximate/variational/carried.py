"""Wide factors as chains of small ones: what a train carries from each variable to the next becomes a variable."""

from __future__ import annotations

import torch
from torch import Tensor

from ...fields.build import safe_log
from ...fields.field import Field, Group, Trains


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
    return Field(every, unary, tuple(groups), (), field.constant, field.names), tuple(members)


def _chain(trains: Trains, added: Tensor) -> list[Group]:
    """One group a core, over what was carried so far, the variable, and what is carried on."""
    groups, last = [], len(trains.cores) - 1
    for k, core in enumerate(trains.cores):
        columns = [added[:, k - 1 : k]] * (k > 0) + [trains.scopes[:, k : k + 1]] + [added[:, k : k + 1]] * (k < last)
        logs = safe_log(core)  # [rows or 1, factors or 1, left, size, right]
        logs = logs if k > 0 else logs.squeeze(2)
        groups.append(Group(torch.cat(columns, 1), logs if k < last else logs.squeeze(-1)))
    return groups
