"""Gaussian densities that may be certain in some directions.

A coordinate without spread counts as a `Point` does: 0 where the value agrees up to rounding, minus infinity elsewhere.
"""

from __future__ import annotations

from math import log, pi

import torch
from torch import Tensor

from .inner import squared_distance

ROUNDING = 2**10  # steps of floating-point numbers by which a certain coordinate may be off


def diagonal_log_density(value: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """log N(value; mean, std^2) summed over the last axis, `[*batch]`; standard deviations may be 0.

    Args:
        value: shape `[*batch, d]`.
        mean: shape `[*batch, d]`.
        std: shape `[*batch, d]`; the sign is ignored.

    Example:
        >>> diagonal_log_density(torch.tensor([[1.0, 5.0], [1.0, 4.0]]), torch.tensor([1.0, 5.0]), torch.tensor([2, 0]))
        tensor([-1.6121,    -inf])
    """
    std = std.abs()
    certain = std == 0
    if not bool(certain.any()):  # the usual case, without a table of all differences
        distance = squared_distance(value, mean, std)
        return -0.5 * (distance + value.shape[-1] * log(2 * pi)) - std.log().sum(-1)
    size = torch.where(certain, 1, std)
    return _summed((value - mean) / size, size, certain, value.abs() + mean.abs())


def triangular_log_density(value: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """log N(value; mean, root root') with a lower triangular root, `[*batch]`.

    A zero on its diagonal says that this coordinate is a function of those before it.

    Args:
        value: shape `[*batch, d]`.
        mean: shape `[*batch, d]`.
        root: shape `[*batch, d, d]`; below a zero on the diagonal the column is zero.

    Example:
        >>> root = torch.tensor([[1.0, 0.0], [2.0, 0.0]])  # the second is twice the first
        >>> triangular_log_density(torch.tensor([[1.0, 2.0], [1.0, 3.0]]), torch.zeros(2), root)
        tensor([-1.4189,    -inf])
    """
    diagonal = root.diagonal(dim1=-2, dim2=-1)
    certain = diagonal == 0
    if not bool(certain.any()):
        z = _solved(root, value - mean)
        return -0.5 * (z.square().sum(-1) + value.shape[-1] * log(2 * pi)) - diagonal.abs().log().sum(-1)
    filled = root + torch.diag_embed(certain.to(root))  # that coordinate is then what the others leave unexplained
    z = _solved(filled, value - mean)
    explained = (root.detach().abs() @ z.detach().abs().unsqueeze(-1)).squeeze(-1)
    return _summed(z, filled.diagonal(dim1=-2, dim2=-1), certain, value.abs() + mean.abs() + explained)


def _solved(root: Tensor, gap: Tensor) -> Tensor:
    """root^-1 gap, `[*batch, d]`; rows that meet one and the same root are solved together."""
    rank, length = gap.dim() - 1, gap.shape[-1]
    sizes = [1] * (rank - root.dim() + 2) + list(root.shape[:-2])
    lead = next((axis for axis, n in enumerate(sizes) if n > 1), rank)
    if root.dim() - 2 > rank or lead == 0:
        return torch.linalg.solve_triangular(root, gap.unsqueeze(-1), upper=False).squeeze(-1)
    rows = gap.reshape(-1, *gap.shape[lead:]).movedim(0, -1)  # [*states, d, rows]
    found = torch.linalg.solve_triangular(root.reshape(*sizes[lead:], length, length), rows, upper=False)
    return found.movedim(-1, 0).reshape(*gap.shape[:lead], *found.shape[:-1])


def _summed(z: Tensor, size: Tensor, certain: Tensor, magnitude: Tensor) -> Tensor:
    """The sum of log N(z; 0, 1) / size over coordinates with spread, and of points over those without."""
    spread = -0.5 * (z.square() + log(2 * pi)) - size.abs().log()
    agrees = z.abs() <= ROUNDING * torch.finfo(z.dtype).eps * magnitude
    point = torch.zeros_like(z).masked_fill(~agrees, -torch.inf)
    return torch.where(certain, point, spread).sum(-1)
