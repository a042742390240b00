"""The Gaussian that a density looks like at its highest point."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 30  # of Newton's method at most
STEP = 1e-4  # of the differences that stand for second derivatives
HALVINGS = 12
FLATTEST = 1e-2  # curvature below which a direction is not trusted
ENOUGH = 1e-9  # nats that a step must gain

LogDensity = Callable[[Tensor], Tensor]  # of points [n, length]


def laplace(log_density: LogDensity, start: Tensor) -> tuple[Tensor, Tensor]:
    """The mode that Newton's method finds from a start, and the precision (minus the second derivatives) there.

    All second derivatives come from the slopes at one batch of points around; directions that curve upwards count as
    if they curved downwards.

    Args:
        log_density: of points `[n, length]`, `[n]`, in nats.
        start: shape `[length]`, float64.

    Returns:
        the mode `[length]` and the precision `[length, length]`, positive definite.

    Example:
        >>> mode, precision = laplace(lambda x: -2 * (x[:, 0] - 1).square(), torch.zeros(1, dtype=torch.float64))
        >>> round(mode.item(), 6), round(precision.item(), 6)
        (1.0, 4.0)

    Reference: Tierney and Kadane (1986), Accurate approximations for posterior moments and marginal densities.
    """
    mode = start
    slope, precision = _curvature(log_density, mode)
    for _ in range(STEPS):
        direction = torch.linalg.solve(precision, slope)
        lengths = 0.5 ** torch.arange(HALVINGS, dtype=mode.dtype, device=mode.device)
        points = torch.cat([mode.unsqueeze(0), mode + lengths[:, None] * direction])
        with torch.no_grad():
            heights = log_density(points).nan_to_num(nan=-torch.inf)
        best = int(heights.argmax())
        if not bool(heights[best] - heights[0] > ENOUGH):
            break
        mode = points[best]
        slope, precision = _curvature(log_density, mode)
    return mode, precision


def _curvature(log_density: LogDensity, at: Tensor) -> tuple[Tensor, Tensor]:
    """The slope `[length]`, and minus the second derivatives, made positive definite."""
    length = len(at)
    steps = STEP * torch.eye(length, dtype=at.dtype, device=at.device)
    points = torch.cat([at.unsqueeze(0), at + steps, at - steps]).requires_grad_()
    (slopes,) = torch.autograd.grad(log_density(points).sum(), points)
    second = (slopes[1 : length + 1] - slopes[length + 1 :]) / (2 * STEP)
    if not bool(torch.isfinite(slopes).all()):
        return torch.zeros_like(at), torch.eye(length, dtype=at.dtype, device=at.device)
    values, vectors = torch.linalg.eigh(-(second + second.mT) / 2)
    return slopes[0], (vectors * values.abs().clamp(min=FLATTEST)) @ vectors.mT
