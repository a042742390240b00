"""Networks that see how much alike the rows of a batch are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pgm.columns import vector
from pgm.domains import Real
from pgm.errors import ShapeError
from pgm.neural import Joined
from pgm.variable import Variable

from .network import Network


def minibatch(below: Network, above: Network, features: int = 64, kernels: int = 16, width: int = 4) -> Network:
    """Makes networks with minibatch discrimination: they see how near the other rows of a batch are to each.

    With f(x_i) from below and a learned T, o_b(x_i) = sum_{j != i} exp(-|T_b f(x_i) - T_b f(x_j)|_1); what is above
    sees f and o. Rows of one mode betray themselves by their likeness, so that a generator has to spread them.

    Args:
        below: makes the features of single rows.
        above: makes the result of features and likenesses.
        features, kernels: how many of each there are.
        width: numbers that each kernel compares.

    Raises:
        ShapeError: when one of these is not above 0.

    Example:
        >>> from deepgen.networks import mlp
        >>> network = minibatch(mlp(32), mlp(32))
        >>> network([Variable("x", Real(2))], [])(torch.zeros(5, 2)).shape
        torch.Size([5])

    Reference: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen (2016), Improved techniques for training GANs.
    """
    if min(features, kernels, width) < 1:
        raise ShapeError(
            f"minibatch: features, kernels and width are {features}, {kernels} and {width}, expected 1 or more each."
        )

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        seen = Variable("features", Real(features + kernels))
        alike = Alike(features, kernels, width)
        return Minibatch(given, below(given, [features]), alike, above([seen], shape))

    return make


class Minibatch(nn.Module):
    """What `minibatch` makes.

    Args:
        given: parents.
        below, alike, above: what sees rows, what sees their features, and what sees both.
    """

    def __init__(self, given: Sequence[Variable], below: nn.Module, alike: Alike, above: nn.Module) -> None:
        super().__init__()
        self.axes = [1 if v.finite else len(v.shape) for v in given]
        self.below, self.alike, self.above = below, alike, above

    def forward(self, *values: Tensor) -> Tensor:
        """`[rows, *event]` each to `[rows, *shape]`."""
        if isinstance(self.below, Joined):
            values = tuple(vector(value, axes) for value, axes in zip(values, self.axes, strict=True))
        features = self.below(*values)
        found: Tensor = self.above(torch.cat([features, self.alike(features)], -1))
        return found


class Alike(nn.Module):
    """How near the other rows of a batch are, under learned kernels.

    Args:
        features, kernels, width: as for `minibatch`.

    Example:
        >>> Alike(3, kernels=2, width=4)(torch.zeros(5, 3))[0]  # four others, all the same
        tensor([4., 4.], grad_fn=<SelectBackward0>)
    """

    def __init__(self, features: int, kernels: int, width: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(features, kernels * width) / features**0.5)
        self.kernels = kernels

    def forward(self, features: Tensor) -> Tensor:
        """`[*batch, rows, features]` to `[*batch, rows, kernels]`."""
        seen = (features @ self.maps).unflatten(-1, (self.kernels, -1))  # [*batch, rows, kernels, width]
        apart = (seen.unsqueeze(-3) - seen.unsqueeze(-4)).abs().sum(-1)  # [*batch, rows, rows, kernels]
        return (-apart).exp().sum(-2) - 1  # a row is like itself
