"""Families that are certain, or all but: one value, and a Gaussian that is equally wide in every direction."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from pgm.errors import ShapeError
from pgm.point import Point


def point(values: Tensor) -> Distribution:
    """All probability on these values: a family for `Neural`, of a guide that gives one code a row.

    The log density of a draw is 0, so that bounds have no term of it.

    Example:
        >>> point(torch.tensor([1.0, 2.0])).rsample()
        tensor([1., 2.])
    """
    return Point(values)


class Isotropic(nn.Module):
    """A family of Gaussians of one width, N(x; mean, deviation^2 I): up to constants, squared error.

    Args:
        deviation: in the units of x, above 0; where it starts when it is learned.
        learned: whether it is a parameter.

    Raises:
        ShapeError: when it is not above 0.

    Example:
        >>> round(-Isotropic(0.5)(torch.zeros(1)).log_prob(torch.ones(1)).item(), 4)  # 2 + log(2 pi 0.25) / 2
        2.2258
    """

    log_deviation: Tensor

    def __init__(self, deviation: float = 1.0, learned: bool = True) -> None:
        super().__init__()
        if not deviation > 0:
            raise ShapeError(f"Isotropic: deviation is {deviation!r}, expected a number above 0.")
        self.log_deviation = nn.Parameter(torch.tensor(log(deviation)), requires_grad=learned)

    def forward(self, mean: Tensor) -> Distribution:
        """The Gaussian around means of any shape."""
        return Normal(mean, self.log_deviation.exp(), validate_args=False)  # as exact as it is, when means are short
