"""Square roots of covariances."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import ShapeError

SYMMETRIC = 1e-6  # share of the largest entry by which two entries that should be equal may differ
SINGULAR = 64  # steps of floating-point numbers a dimension by which something may be off that should be 0


def square_root(covariance: Tensor, full: bool, what: str) -> Tensor:
    """A tensor whose square is the covariance: lower triangular for matrices, elementwise otherwise.

    Args:
        covariance: variances of any shape, or matrices `[*batch, d, d]`, singular ones included.
        full: whether these are matrices.
        what: how error messages begin.

    Raises:
        ShapeError: when a matrix is not symmetric, or a variance is negative in some direction.

    Example:
        >>> square_root(torch.tensor([[4.0, 2.0], [2.0, 1.0]]), True, "covariance")
        tensor([[2., 0.],
                [1., 0.]])
    """
    if not full:
        if bool((covariance < 0).any()):
            raise ShapeError(f"{what}: a variance is {float(covariance.min()):g}, expected 0 or more.")
        return covariance.sqrt()
    largest = covariance.abs().amax((-2, -1), keepdim=True)
    if bool(((covariance - covariance.mT).abs() > SYMMETRIC * largest).any()):
        raise ShapeError(f"{what}: a matrix is not symmetric; expected covariance[i, j] = covariance[j, i].")
    covariance = (covariance + covariance.mT) / 2
    root, failed = torch.linalg.cholesky_ex(covariance)
    tolerance = SINGULAR * covariance.shape[-1] * torch.finfo(covariance.dtype).eps
    thin = root.diagonal(dim1=-2, dim2=-1).square() <= tolerance * covariance.diagonal(dim1=-2, dim2=-1)
    if not bool(failed.any() | thin.any()):
        return root
    values = torch.linalg.eigvalsh(covariance)
    if bool((values < -tolerance * values.abs().amax(-1, keepdim=True)).any()):
        raise ShapeError(f"{what}: a matrix has the negative eigenvalue {float(values.min()):g}, expected none.")
    return _singular_root(covariance, tolerance)


def _singular_root(covariance: Tensor, tolerance: float) -> Tensor:
    """Cholesky's root column by column, `[*batch, d, d]`; where nothing is left to explain the column is zero."""
    root, left = torch.zeros_like(covariance), covariance.clone()
    least = tolerance * covariance.diagonal(dim1=-2, dim2=-1)
    for j in range(covariance.shape[-1]):
        pivot = left[..., j, j, None]
        spread = pivot > least[..., j, None]
        column = torch.where(spread, left[..., :, j] / torch.where(spread, pivot, 1).sqrt(), 0)
        column[..., :j] = 0
        root[..., j] = column
        left = left - column.unsqueeze(-1) * column.unsqueeze(-2)
    return root
