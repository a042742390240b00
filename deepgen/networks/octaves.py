"""Networks that see fine detail: sines and cosines of numbers beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pgm.columns import vector
from pgm.domains import Real
from pgm.errors import PlanError
from pgm.variable import Variable

from .network import Network, columns


def octaves(network: Network, count: int = 4) -> Network:
    """Makes networks of x, sin(2^k x) and cos(2^k x), k = 0 ... count - 1, in place of the numbers x of each parent.

    For points whose distribution has detail much finer than its deviation, such as narrow clusters far apart.

    Args:
        network: sees all of these side by side, and states as before.
        count: of octaves; the finest wave is 2 pi / 2^(count - 1) long.

    Raises:
        PlanError: when there is none.

    Example:
        >>> from deepgen.networks import mlp
        >>> octaves(mlp(64), count=4)([Variable("x", Real(2))], [])(torch.zeros(5, 2)).shape
        torch.Size([5])

    Reference: Tancik et al. (2020), Fourier features let networks learn high frequency functions in low dimensional
    domains.
    """

    if count < 1:
        raise PlanError(f"octaves: count is {count!r}, expected 1 or more; for none take the network itself.")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        seen = [v if v.finite else Variable(v.name, Real(columns([v]) * (1 + 2 * count))) for v in given]
        return Octaves(given, count, network(seen, shape))

    return make


class Octaves(nn.Module):
    """What `octaves` makes.

    Args:
        given: parents.
        count: of octaves.
        net: sees the waves.
    """

    def __init__(self, given: Sequence[Variable], count: int, net: nn.Module) -> None:
        super().__init__()
        self.axes = [None if v.finite else len(v.shape) for v in given]
        self.count, self.net = count, net

    def forward(self, *values: Tensor) -> Tensor:
        """Numbers `[*batch, *event]` and states as one-hot rows, to what the net makes of them."""
        seen = [x if axes is None else self._waves(vector(x, axes)) for x, axes in zip(values, self.axes, strict=True)]
        found: Tensor = self.net(*seen)
        return found

    def _waves(self, x: Tensor) -> Tensor:
        """`[*batch, n]` to `[*batch, n (1 + 2 count)]`."""
        angles = torch.cat([2**k * x for k in range(self.count)], -1)
        return torch.cat([x, angles.sin(), angles.cos()], -1)
