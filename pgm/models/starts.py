"""Where EM may start: centres among the rows."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..inner import squared_distance

SWEEPS = 100  # of Lloyd's algorithm at most; it is only a start


def clusters(rows: Tensor, count: int, generator: Generator) -> Tensor:
    """A cluster number for each row, `[rows]`: k-means from centres that lie apart.

    Args:
        rows: shape `[rows, *event]`, without missing numbers.
        count: how many clusters; some may stay empty.
        generator: of the first centres.

    Example:
        >>> two = torch.tensor([[0.0], [9.0], [0.1], [9.2]])
        >>> found = clusters(two, 2, torch.Generator().manual_seed(0))
        >>> bool(found[0] == found[2] != found[1] == found[3])
        True

    Reference: Arthur and Vassilvitskii (2007), k-means++: the advantages of careful seeding.
    """
    rows = rows.reshape(len(rows), -1)
    centres = _apart(rows, count, generator)
    nearest = _distances(rows, centres).argmin(1)
    for _ in range(SWEEPS):
        members = torch.nn.functional.one_hot(nearest, count).to(rows)
        total = members.sum(0).unsqueeze(-1)
        centres = torch.where(total > 0, members.mT @ rows / total.clamp(min=1), centres)
        before, nearest = nearest, _distances(rows, centres).argmin(1)
        if torch.equal(before, nearest):
            break
    return nearest


def _apart(rows: Tensor, count: int, generator: Generator) -> Tensor:
    """Rows as centres, each drawn in proportion to its squared distance from those before it."""
    chosen = [int(torch.randint(len(rows), (), generator=generator))]
    nearest = _distances(rows, rows[chosen])[:, 0]
    while len(chosen) < count:
        weight = nearest if bool(nearest.sum() > 0) else torch.ones_like(nearest)
        chosen.append(int(torch.multinomial(weight, 1, generator=generator)))
        nearest = torch.minimum(nearest, _distances(rows, rows[chosen[-1:]])[:, 0])
    return rows[chosen]


def _distances(rows: Tensor, centres: Tensor) -> Tensor:
    """Squared distances, `[rows, centres]`."""
    return squared_distance(rows.unsqueeze(1), centres, torch.ones(rows.shape[-1]).to(rows))
