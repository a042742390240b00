"""What pulls each unit of a layer on its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgm.variable import Variable

from .linear import Linear, count


class Bias(Linear):
    """exp(b . x / temperature): log odds of each bit, logits of states, or a pull on numbers.

    Args:
        x: a layer.
        temperature: above 0.

    Example:
        >>> from pgm import Binary
        >>> Bias(Variable("x", Binary(3))).log_prob(torch.ones(5, 3))
        tensor([0., 0., 0., 0., 0.], grad_fn=...)
    """

    def __init__(self, x: Variable, temperature: float = 1.0) -> None:
        super().__init__([x], temperature)
        self.bias = nn.Parameter(torch.zeros(count(x)))

    def field(self, place: int, *others: Tensor) -> Tensor:
        return self.bias / self.temperature if self.temperature != 1 else self.bias

    def score(self, *numbers: Tensor) -> Tensor:
        return numbers[0] @ self.bias / self.temperature
