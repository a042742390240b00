"""Potentials that only depend on how many variables are on: linear or quadratic in their number, not exponential."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .errors import ShapeError
from .factor import Factor
from .potentials import TablePotential
from .terms import Numbers, read_floats, read_numbers
from .trains import expanded, log_at
from .variable import Variable


class Symmetric(TablePotential):
    """A potential of variables with two states, off then on, that carries a count from each to the next; abstract."""

    def __init__(self, scope: Sequence[Variable]) -> None:
        super().__init__(scope)
        if not self.scope:
            raise ShapeError(f"{self.subject}: the scope is empty, expected one variable or more.")
        for variable in self.scope:
            if variable.size != 2:
                raise ShapeError(
                    f"{self.subject}: {variable.name!r} has {variable.size} states, expected 2, off then on."
                )

    @abstractmethod
    def cores(self) -> tuple[Tensor, ...]:
        """One matrix a state of each variable, `[left, size, right]`."""

    def factor(self) -> Factor:
        return Factor(self.scope, expanded(self.cores(), self.subject))

    def log_prob(self, *values: Tensor) -> Tensor:
        return log_at(self.cores(), values)


class Parity(Symmetric):
    """1 where the number of variables that are on is even (or odd), else 0: a parity check.

    Args:
        scope: variables with two states each, off then on.
        odd: whether the number must be odd.

    Raises:
        ShapeError: when a variable has not two states.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> Parity([a, b]).factor().values
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)

    Reference: Gallager (1962), Low-density parity-check codes.
    """

    step: Tensor

    def __init__(self, scope: Sequence[Variable], odd: bool = False) -> None:
        super().__init__(scope)
        self.odd = odd
        stay, change = torch.eye(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64).flip(0)
        self.register_buffer("step", torch.stack([stay, change], 1))  # [so far, variable, then]

    def cores(self) -> tuple[Tensor, ...]:
        return _closed([self.step] * len(self.scope), self.step.new_tensor([1.0 - self.odd, float(self.odd)]))


class Cardinality(Symmetric):
    """A weight for each number of variables that are on, f(x) = weights[sum x].

    Weights 0, 1, 0 let exactly one be on, weights 1, 1, 0 at most one. What is carried is the count, as far as there
    are weights; so those two cost no more than a few numbers a variable.

    Args:
        scope: variables with two states each, off then on.
        weights: for 0, 1, 2 ... of them on, `[up to variables + 1]`; the last one stands for all larger numbers.

    Raises:
        ShapeError: when a variable has not two states, there are no weights or too many, or one is negative.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> Cardinality([a, b], [0.0, 1.0, 0.0]).factor().values.detach()
        tensor([[0., 1.],
                [1., 0.]], dtype=torch.float64)

    Reference: Tarlow, Givoni and Zemel (2010), HOP-MAP: efficient message passing with high order potentials.
    """

    def __init__(self, scope: Sequence[Variable], weights: Numbers) -> None:
        super().__init__(scope)
        most = len(self.scope) + 1
        found = read_floats(weights, f"{self.subject}: weights", f"1 to {most} numbers")
        if found.dim() != 1 or not 1 <= len(found) <= most:
            raise ShapeError(
                f"{self.subject}: weights have shape {tuple(found.shape)}, expected 1 to {most} numbers, for 0, 1, 2 "
                "... variables on."
            )
        on = [f"{number} on" for number in range(len(found))]
        self.weights = nn.Parameter(read_numbers(found, [on], f"{self.subject}: weights", 0))

    def cores(self) -> tuple[Tensor, ...]:
        count = len(self.weights)
        stay, more = torch.eye(count).to(self.weights), torch.zeros(count, count).to(self.weights)
        number = torch.arange(count)
        more[number, (number + 1).clamp_max(count - 1)] = 1.0  # the last stands for all larger numbers
        return _closed([torch.stack([stay, more], 1)] * len(self.scope), self.weights)


def _closed(steps: Sequence[Tensor], end: Tensor) -> tuple[Tensor, ...]:
    """Cores that begin at a count of 0 and end with a weight for each count."""
    cores = [steps[0][:1], *steps[1:]]
    cores[-1] = torch.tensordot(cores[-1], end, 1).unsqueeze(-1)
    return tuple(cores)
