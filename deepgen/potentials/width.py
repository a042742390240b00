"""What keeps real numbers near zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgm.variable import Variable

from .linear import Layered, count


class Width(Layered):
    """exp(-sum_i x_i^2 / (2 s_i^2)): without it layers of real numbers have no finite sum.

    Args:
        x: a layer of `Real` numbers.
        deviation: s, of all units alike at first.
        learned: whether s is learned, unit by unit.

    Example:
        >>> from pgm import Real
        >>> Width(Variable("v", Real(2))).log_prob(torch.tensor([3.0, 4.0]))
        tensor(-12.5000)

    Reference: Freund and Haussler (1994), Unsupervised learning of distributions on binary vectors using two layer
    networks; Krizhevsky (2009), Learning multiple layers of features from tiny images.
    """

    def __init__(self, x: Variable, deviation: float = 1.0, learned: bool = False) -> None:
        super().__init__([x])
        log = torch.full((count(x),), deviation).log()
        self.log_deviation = nn.Parameter(log, requires_grad=learned)

    @property
    def precision(self) -> Tensor:
        """1 / s^2, `[numbers]`."""
        return (-2 * self.log_deviation).exp()

    def score(self, *numbers: Tensor) -> Tensor:
        return -0.5 * (self.precision * numbers[0].square()).sum(-1)
