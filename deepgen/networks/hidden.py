"""Networks whose last hidden layer can be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pgm.columns import vector
from pgm.domains import Real
from pgm.errors import ShapeError
from pgm.neural import Joined
from pgm.variable import Variable

from .dcgan import LEAK
from .mlp import mlp
from .network import Network


def hidden(network: Network, units: int = 64) -> Network:
    """Makes networks that are linear in hidden features, which another network makes and leaky units cut.

        net(x) = W leaky(below(x)) + b, features(x) = leaky(below(x))

    Args:
        network: makes what is below, of vectors, such as `mlp(128)` or `convolutional(32, 64)`.
        units: how many features there are.

    Raises:
        ShapeError: when that is none.

    Example:
        >>> import torch
        >>> net = hidden(mlp(8), units=5)([Variable("x", Real(2))], [])
        >>> net(torch.zeros(7, 2)).shape, net.features(torch.zeros(7, 2)).shape
        (torch.Size([7]), torch.Size([7, 5]))

    Reference: Larsen, Sonderby, Larochelle and Winther (2016), Autoencoding beyond pixels using a learned similarity
    metric.
    """
    if units < 1:
        raise ShapeError(f"hidden: units is {units!r}, expected 1 feature or more.")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        above = mlp()([Variable("features", Real(units))], shape)
        return Hidden(given, network(given, [units]), above)

    return make


class Hidden(nn.Module):
    """What `hidden` makes.

    Args:
        given: parents.
        below, above: what makes features of these, and the result of features.
    """

    def __init__(self, given: Sequence[Variable], below: nn.Module, above: nn.Module) -> None:
        super().__init__()
        self.axes = [1 if v.finite else len(v.shape) for v in given]
        self.below, self.leaky, self.above = below, nn.LeakyReLU(LEAK), above

    def features(self, *values: Tensor) -> Tensor:
        """`[rows, *event]` each, states one-hot, to `[rows, units]`."""
        if isinstance(self.below, Joined):
            values = tuple(vector(value, axes) for value, axes in zip(values, self.axes, strict=True))
        found: Tensor = self.leaky(self.below(*values))
        return found

    def forward(self, *values: Tensor) -> Tensor:
        """`[rows, *event]` each, states one-hot, to `[rows, *shape]`."""
        found: Tensor = self.above(self.features(*values))
        return found
