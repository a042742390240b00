"""What two layers say to one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgm.variable import Variable

from .linear import Linear, count


class Coupling(Linear):
    """exp((a - c) W (b - d) / temperature): every unit of one layer with every unit of the other.

    The centres c and d are 0 unless learning moves them. They change no distribution that biases cannot undo, but the
    way there: gradients of weights are then those of covariances.

    Args:
        a, b: two layers.
        deviation: of the weights at first, drawn from a Gaussian.
        temperature: above 0.

    Example:
        >>> from pgm import Binary
        >>> Coupling(Variable("v", Binary(28, 28)), Variable("h", Binary(500))).weight.shape
        torch.Size([784, 500])

    Reference: Smolensky (1986), Information processing in dynamical systems: foundations of harmony theory; Montavon
    and Muller (2012), Deep Boltzmann machines and the centering trick.
    """

    centre: Tensor
    other_centre: Tensor

    def __init__(self, a: Variable, b: Variable, deviation: float = 0.01, temperature: float = 1.0) -> None:
        super().__init__([a, b], temperature)
        self.weight = nn.Parameter(deviation * torch.randn(count(a), count(b)))
        self.register_buffer("centre", torch.zeros(count(a)))
        self.register_buffer("other_centre", torch.zeros(count(b)))

    def field(self, place: int, *others: Tensor) -> Tensor:
        centre, weight = (self.centre, self.weight) if place else (self.other_centre, self.weight.T)
        said = (others[0] - centre) @ weight
        return said / self.temperature if self.temperature != 1 else said

    def origin(self, place: int) -> Tensor | None:
        return self.other_centre if place else self.centre

    def score(self, *numbers: Tensor) -> Tensor:
        first, second = numbers
        if second.dim() == 1:  # one vector for all rows
            return (first - self.centre) @ self.field(0, second)
        return (self.field(1, first) * (second - self.other_centre)).sum(-1)
