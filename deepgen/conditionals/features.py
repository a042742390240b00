"""Features: what a guide computes on the way, once for all that look at it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pgm.columns import vector
from pgm.conditionals import Deterministic
from pgm.neural import Joined
from pgm.variable import Variable

from ..networks.network import Network


def features(child: Variable, given: Sequence[Variable], network: Network) -> Deterministic:
    """child = network(given): nothing is drawn, and objectives compute it once for all its children.

    Args:
        child: a variable of real numbers.
        given: its parents; the network sees them as those of `neural` do.
        network: makes the module, such as `mlp(200)`.

    Example:
        >>> from pgm import Real
        >>> from deepgen.networks import mlp
        >>> x, d = Variable("x", Real(3)), Variable("d", Real(5))
        >>> features(d, [x], mlp(8)).draw(torch.zeros(7, 3)).shape
        torch.Size([7, 5])
    """
    return Deterministic(child, given, Seeing(given, network(given, child.shape)))


class Seeing(nn.Module):
    """A net that sees states as one-hot rows and, when it takes all parents side by side, arrays as columns.

    Args:
        given: its parents.
        net: takes one tensor a parent.
    """

    def __init__(self, given: Sequence[Variable], net: nn.Module) -> None:
        super().__init__()
        self.given, self.net = tuple(given), net

    def forward(self, *values: Tensor) -> Tensor:
        """What the net makes of values of the parents."""
        found: Tensor = self.net(*self.seen(*values))
        return found

    def seen(self, *values: Tensor) -> list[Tensor]:
        """Values of the parents as the net takes them."""
        return [self._seen(parent, value) for parent, value in zip(self.given, values, strict=True)]

    def _seen(self, parent: Variable, value: Tensor) -> Tensor:
        if parent.finite:
            return one_hot(value.long(), parent.size).to(torch.get_default_dtype())
        return vector(value, len(parent.shape)) if isinstance(self.net, Joined) else value
