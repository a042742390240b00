"""A field of tables end to end, for compiled loops, and its variables in pieces of a fraction of a second."""

from __future__ import annotations

import numpy as np

from ...compiled.dual import Tables
from ...fields.field import Field

AT_ONCE = 2**25  # table entries that a compiled call looks at: less than a third of a second


def tables_of(field: Field) -> Tables:
    """The groups of a field end to end."""
    logs, at, step, arity, size, variable = [], [], [], [], [], []
    begin = 0
    for group in field.groups:
        (rows, factors), entries = group.logs.shape[:2], group.logs[0, 0].numel()
        logs.append(group.logs.detach().reshape(-1).numpy())
        at.append(begin + np.arange(len(group)) * (entries if factors > 1 else 0))
        step.append(np.full(len(group), factors * entries if rows > 1 else 0))
        arity.append(np.full(len(group), len(group.sizes)))
        size.append(np.tile(np.array(group.sizes), len(group)))
        variable.append(group.scopes.reshape(-1).numpy())
        begin += group.logs.numel()
    arities, sizes, variables = _joined(arity), _joined(size), _joined(variable)
    return Tables(
        logs=np.concatenate([np.zeros(0), *logs]),
        at=_joined(at),
        step=_joined(step),
        first=_places(arities),
        owner=np.repeat(np.arange(len(arities)), arities),
        size=sizes,
        variable=variables,
        slot=_places(sizes)[:-1],
        around=_places(np.bincount(variables, minlength=field.variables)),
        touching=np.argsort(variables, kind="stable"),
        starts=field.starts.numpy(),
    )


def pieces(tables: Tables, order: np.ndarray, times: int) -> list[np.ndarray]:
    """Variables in order, in pieces for one compiled call each, which works on every one that many times."""
    entries = np.multiply.reduceat(tables.size, tables.first[:-1]) if len(tables.at) else np.zeros(0, np.int64)
    work = np.bincount(tables.variable, entries[tables.owner], minlength=len(tables.around) - 1)
    return np.split(order, np.flatnonzero(np.diff(work[order].cumsum() * times // AT_ONCE)) + 1)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *arrays])


def _places(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
