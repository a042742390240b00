"""Wide factors as small tables: what takes maxima works on tables alone."""

from __future__ import annotations

from dataclasses import replace
from math import log2, prod

from ...errors import PlanError
from ...fields.carried import carried, written
from ...fields.field import Field, Trains

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
    chains = tuple(trains for trains in field.trains if one_path(trains))
    others = [trains for trains in field.trains if not one_path(trains)]
    for trains in others:
        _check(trains, field.names, engine)
    found, _ = carried(replace(field, groups=(*field.groups, *map(written, others)), trains=chains))
    return found


def too_wide(field: Field, most: int = LARGEST) -> bool:
    """Whether a train neither is a chain nor fits in a table of that many entries."""
    return any(prod(trains.sizes) > most and not one_path(trains) for trains in field.trains)


def one_path(trains: Trains) -> bool:
    """Whether each joint state has one product of numbers above 0 at most: whatever is carried is certain.

    Example:
        >>> import torch
        >>> stay = torch.eye(2).reshape(1, 1, 2, 1, 2)
        >>> one_path(Trains(torch.tensor([[0, 1]]), (stay[:, :, :1], stay.reshape(1, 1, 2, 2, 1))))
        True
    """
    return any(all(bool(((core > 0).sum(side) <= 1).all()) for core in trains.cores) for side in (2, 4))


def _check(trains: Trains, names: tuple[str, ...], engine: str) -> None:
    entries, scope = prod(trains.sizes), trains.scopes[0].tolist()
    if entries > LARGEST:
        who = ", ".join(names[v] if names else f"number {v}" for v in scope[:4])
        raise PlanError(
            f"{engine}: a noisy or, noisy max or the like of {who}, ... would be a table of 2^{log2(entries):.0f} "
            f"entries (limit 2^{log2(LARGEST):.0f}). Use SimulatedAnnealing(), ICM() or Exact()."
        )
