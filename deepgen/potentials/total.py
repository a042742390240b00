"""In how many ways counts come about."""

from __future__ import annotations

import torch
from torch import Tensor

from pgm.domains import Count
from pgm.errors import ShapeError
from pgm.variable import Variable

from .linear import Layered


class Total(Layered):
    """n! / (x_1! x_2! ...) for counts that sum to n, 0 for others: so many things, each of one kind.

    Args:
        x: a layer of `Count` numbers, one a kind.
        total: n, 1 or more; None where each row has its own and keeps it.

    Raises:
        ShapeError: when x is no `Count`, or there is nothing to count.

    Example:
        >>> from pgm import Count
        >>> Total(Variable("words", Count(2)), 3).log_prob(torch.tensor([[1.0, 2.0], [1.0, 1.0]])).exp()
        tensor([3., 0.])

    Reference: Salakhutdinov and Hinton (2009), Replicated softmax: an undirected topic model.
    """

    def __init__(self, x: Variable, total: int | None = None) -> None:
        super().__init__([x])
        if not isinstance(x.domain, Count):
            raise ShapeError(f"{self.subject}: {x.name!r} is {x.domain!r}, expected Count, numbers of things.")
        if total is not None and total < 1:
            raise ShapeError(f"{self.subject}: total is {total}, expected 1 or more.")
        self.total = total

    def score(self, *numbers: Tensor) -> Tensor:
        things = numbers[0].sum(-1)
        ways = (things + 1).lgamma() - (numbers[0] + 1).lgamma().sum(-1)
        return ways if self.total is None else torch.where(things == self.total, ways, -torch.inf)
