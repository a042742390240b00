"""Square roots of covariances."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import ShapeError

NEGATIVE = 1e-9  # share of the largest eigenvalue by which the smallest may be below 0


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
    if bool(((covariance - covariance.mT).abs() > 1e-6 * largest).any()):
        raise ShapeError(f"{what}: a matrix is not symmetric; expected covariance[i, j] = covariance[j, i].")
    root, failed = torch.linalg.cholesky_ex(covariance)
    if not bool(failed.any()):
        return root
    values, vectors = torch.linalg.eigh((covariance + covariance.mT) / 2)
    if bool((values < -NEGATIVE * values.abs().amax(-1, keepdim=True)).any()):
        raise ShapeError(f"{what}: a matrix has the negative eigenvalue {float(values.min()):g}, expected none.")
    wide = vectors * values.clamp(min=0).sqrt().unsqueeze(-2)  # wide @ wide.mT is the covariance
    lower = torch.linalg.qr(wide.mT).R.mT
    signs = torch.where(lower.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(lower)
    return lower * signs.unsqueeze(-2)
