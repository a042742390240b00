"""What pulls each unit of a layer on its own."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from pgm.variable import Variable

from .linear import Linear, count


class Bias(Linear):
    """exp(b . x / temperature): log odds of each bit, logits of states, or a pull on numbers.

    Args:
        x: a layer.
        temperature: above 0.
        alike: how many of the last axes of x share one bias, such as 2 for maps of features, `(maps, height, width)`.

    Example:
        >>> from pgm import Binary
        >>> Bias(Variable("x", Binary(3))).log_prob(torch.ones(5, 3))
        tensor([0., 0., 0., 0., 0.], grad_fn=...)
    """

    def __init__(self, x: Variable, temperature: float = 1.0, alike: int = 0) -> None:
        super().__init__([x], temperature)
        self.times = prod(x.shape[len(x.shape) - alike :])
        self.bias = nn.Parameter(torch.zeros(count(x) // self.times))

    def field(self, place: int, *others: Tensor) -> Tensor:
        whole = self.bias if self.times == 1 else self.bias.repeat_interleave(self.times)
        return whole / self.temperature if self.temperature != 1 else whole

    def score(self, *numbers: Tensor) -> Tensor:
        return numbers[0] @ self.field(0)
