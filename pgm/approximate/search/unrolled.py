"""Wide factors as small tables: what takes maxima works on tables alone."""

from __future__ import annotations

from math import log2, prod

import torch
from torch import Tensor

from ...errors import PlanError
from ...fields.build import safe_log
from ...fields.field import Field, Group, Trains

LARGEST = 2**16  # entries of a table that a wide factor may become


def unrolled(field: Field, engine: str) -> Field:
    """The same field without trains: the maximum over the added variables, which come last, is the field.

    A train whose joint states have one path each (parity, cardinality) becomes a chain of small tables over what is
    carried from each variable to the next. Others (noisy or, noisy max) sum over paths, and become one table.

    Args:
        field: any field.
        engine: for messages.

    Raises:
        PlanError: when a table would be too large.
    """
    sizes, unary, groups = [field.sizes], [field.unary], list(field.groups)
    count = field.variables
    for trains in field.trains:
        if not one_path(trains):
            groups.append(_table(trains, field.names, engine))
            continue
        carried = torch.tensor([core.shape[4] for core in trains.cores[:-1]], device=field.device)
        added = count + torch.arange(len(trains) * len(carried), device=field.device).reshape(len(trains), -1)
        groups += _chain(trains, added)
        sizes.append(carried.repeat(len(trains)))
        unary.append(field.unary.new_zeros(field.rows, len(trains) * int(carried.sum())))
        count += added.numel()
    return Field(torch.cat(sizes), torch.cat(unary, 1), tuple(groups), (), field.constant)


def too_wide(field: Field) -> bool:
    """Whether a train neither is a chain nor fits in a table."""
    return any(prod(trains.sizes) > LARGEST and not one_path(trains) for trains in field.trains)


def one_path(trains: Trains) -> bool:
    """Whether each joint state has one product of numbers above 0 at most: whatever is carried is certain.

    Example:
        >>> stay = torch.eye(2).reshape(1, 1, 2, 1, 2)
        >>> one_path(Trains(torch.tensor([[0, 1]]), (stay[:, :, :1], stay.reshape(1, 1, 2, 2, 1))))
        True
    """
    return any(all(bool(((core > 0).sum(side) <= 1).all()) for core in trains.cores) for side in (2, 4))


def _chain(trains: Trains, added: Tensor) -> list[Group]:
    """One group a core, over what was carried so far, the variable, and what is carried on."""
    groups = []
    for k, core in enumerate(trains.cores):
        columns = [added[:, k - 1 : k], trains.scopes[:, k : k + 1], added[:, k : k + 1]]
        logs = safe_log(core)  # [rows or 1, factors or 1, left, size, right]
        if k == 0:
            columns, logs = columns[1:], logs.squeeze(2)
        elif k == len(trains.cores) - 1:
            columns, logs = columns[:2], logs.squeeze(4)
        groups.append(Group(torch.cat(columns, 1), logs))
    return groups


def _table(trains: Trains, names: tuple[str, ...], engine: str) -> Group:
    entries, scope = prod(trains.sizes), trains.scopes[0].tolist()
    if entries > LARGEST:
        who = ", ".join(names[v] if names else f"number {v}" for v in scope[:4])
        raise PlanError(
            f"{engine}: a noisy or, noisy max or the like of {who}, ... would be a table of 2^{log2(entries):.0f} "
            f"entries (limit 2^{log2(LARGEST):.0f}). Use SimulatedAnnealing(), ICM() or Exact()."
        )
    table = trains.cores[0].flatten(2, 3)  # [rows or 1, factors or 1, states so far, right]
    for core in trains.cores[1:]:
        table = (table @ core.flatten(3)).reshape(*_lead(table, core), -1, core.shape[4])
    return Group(trains.scopes, safe_log(table).reshape(*table.shape[:2], *trains.sizes))


def _lead(table: Tensor, core: Tensor) -> torch.Size:
    return torch.broadcast_shapes(table.shape[:2], core.shape[:2])
