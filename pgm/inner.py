"""Inner products and distances of many rows with many others."""

from __future__ import annotations

from math import prod

import numpy as np
from torch import Tensor

PAIRS = 2**24  # numbers in a table of differences beyond which it is not made


def inner(x: Tensor, y: Tensor) -> Tensor:
    """Sums over the last axis of x * y, the axes before it broadcast.

    Where each of those axes has length 1 in one of the two, as when all rows meet all states, it is one matrix product
    and nothing of the size `[rows, states, length]` is made.

    Args:
        x: shape `[*batch, length]`.
        y: shape `[*batch, length]`.

    Example:
        >>> import torch
        >>> inner(torch.ones(5, 1, 784), torch.ones(10, 784)).shape
        torch.Size([5, 10])
    """
    rank = max(x.dim(), y.dim())
    a, b = ((1,) * (rank - each.dim()) + tuple(each.shape[:-1]) for each in (x, y))
    pairs = list(zip(a, b, strict=True))
    if any(m > 1 and n > 1 for m, n in pairs):
        return (x * y).sum(-1)
    products = x.reshape(-1, x.shape[-1]) @ y.reshape(-1, y.shape[-1]).mT
    places = [axis for i in range(rank - 1) for axis in (i, i + rank - 1)]  # those of x and y in turn
    return products.reshape([*a, *b]).permute(places).reshape([m * n for m, n in pairs])


def squared_distance(x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Sums over the last axis of ((x - mean) / scale)^2, the axes before it broadcast.

    Where the differences would take more than 2^24 numbers, the square is multiplied out around the average mean, so
    that matrix products do; that costs digits only where means lie millions of scales apart.

    Args:
        x: shape `[*batch, length]`.
        mean: shape `[*batch, length]`.
        scale: shape `[*batch, length]`, above 0.

    Example:
        >>> import torch
        >>> squared_distance(torch.tensor([3.0, 4.0]), torch.zeros(2), torch.ones(2))
        tensor(25.)
    """
    if prod(np.broadcast_shapes(x.shape, mean.shape, scale.shape)) <= PAIRS:
        return ((x - mean) / scale).square().sum(-1)
    centre = mean.reshape(-1, mean.shape[-1]).mean(0)
    x, mean = x - centre, mean - centre
    precision = scale.square().reciprocal().to(x.dtype)
    squares = inner(x.square(), precision) + (mean.square() * precision).sum(-1)
    return (squares - 2 * inner(x, mean * precision)).clamp(min=0)
