"""Multilayer perceptrons: every unit sees all of the layer below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn

from pgm.errors import PlanError
from pgm.neural import Joined
from pgm.variable import Variable

from .network import Network, columns


def mlp(*hidden: int, activation: Callable[[], nn.Module] = nn.ReLU) -> Network:
    """Makes multilayer perceptrons; without hidden layers linear maps, without parents free parameters.

    Args:
        hidden: units of each hidden layer, from the parents on.
        activation: makes what comes after each of these.

    Raises:
        PlanError: when a layer has no units.

    Example:
        >>> from pgm import Real
        >>> net = mlp(200, 200, activation=nn.Tanh)([Variable("z", Real(2))], [28, 28])
        >>> net(torch.zeros(5, 2)).shape
        torch.Size([5, 28, 28])
        >>> mlp(200)([Variable("z", Real(2))], [])(torch.zeros(5, 2)).shape  # one number a row
        torch.Size([5])
    """

    if min(hidden, default=1) < 1:
        raise PlanError(f"mlp: hidden layers have {', '.join(map(str, hidden))} units, expected 1 or more each.")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        if not given:
            return Free(shape)
        widths = [columns(given), *hidden]
        layers: list[nn.Module] = []
        for before, after in zip(widths, widths[1:], strict=False):
            layers += [nn.Linear(before, after), activation()]
        layers.append(nn.Linear(widths[-1], prod(shape)))
        if len(shape) != 1:
            layers.append(Shaped(shape))
        return Joined(nn.Sequential(*layers))

    return make


class Shaped(nn.Module):
    """Numbers side by side as an array: `[*batch, columns]` to `[*batch, *shape]`, of any shape, the empty one too.

    Args:
        shape: of as many numbers as there are columns.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, values: Tensor) -> Tensor:
        """`[*batch, *shape]`."""
        return values.reshape(*values.shape[:-1], *self.shape)


class Free(nn.Module):
    """Numbers that depend on nothing and are learned, 0 at first.

    Args:
        shape: theirs.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(*shape))

    def forward(self) -> Tensor:
        """The numbers, `[*shape]`."""
        return self.values
