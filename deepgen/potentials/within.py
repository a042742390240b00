"""What the units of one layer say to one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgm.domains import Binary
from pgm.errors import ShapeError
from pgm.variable import Variable

from .linear import Linear, count


class Within(Linear):
    """exp(x W x / (2 temperature)), W symmetric without a diagonal: every unit with every other one of its layer.

    Units of such a layer are not independent given all other layers: they are drawn one after the other.

    Args:
        x: a layer of bits.
        deviation: of the weights at first, drawn from a Gaussian.
        temperature: above 0.

    Raises:
        ShapeError: when x is not `Binary`.

    Example:
        >>> from pgm import Binary
        >>> found = Within(Variable("v", Binary(3))).weights
        >>> bool((found == found.T).all()), found.diagonal().detach()
        (True, tensor([0., 0., 0.]))

    Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
    """

    def __init__(self, x: Variable, deviation: float = 0.01, temperature: float = 1.0) -> None:
        super().__init__([x], temperature)
        if not isinstance(x.domain, Binary):
            raise ShapeError(f"{self.subject}: {x.name!r} is {x.domain!r}, expected Binary, bits drawn one by one.")
        size = count(x)
        self.upper = nn.Parameter(deviation * torch.randn(size * (size - 1) // 2))

    @property
    def weights(self) -> Tensor:
        """W, `[units, units]`."""
        size = count(self.scope[0])
        rows, columns = torch.triu_indices(size, size, 1, device=self.upper.device)
        half = self.upper.new_zeros(size, size).index_put((rows, columns), self.upper)
        return half + half.T

    def field(self, place: int, *others: Tensor) -> Tensor:
        return others[0] @ self.weights / self.temperature

    def score(self, *numbers: Tensor) -> Tensor:
        return (numbers[0] @ self.weights * numbers[0]).sum(-1) / (2 * self.temperature)
