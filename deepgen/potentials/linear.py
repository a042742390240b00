"""Potentials whose logarithm is linear in every variable: what Boltzmann machines are made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pgm.columns import vector
from pgm.domains import Finite
from pgm.errors import ShapeError
from pgm.potentials import Potential
from pgm.variable import Variable


class Layered(Potential):
    """A potential of layers: its logarithm is a function of vectors of numbers; abstract.

    A layer of bits or of real numbers counts as all its numbers end to end, a finite variable as a one for its state
    among zeros.
    """

    @abstractmethod
    def score(self, *numbers: Tensor) -> Tensor:
        """The logarithm at numbers `[*batch, numbers]` in the order of the scope, `[*batch]`."""

    def log_prob(self, *values: Tensor) -> Tensor:
        return self.score(*(numbers(variable, value) for variable, value in zip(self.scope, values, strict=True)))


class Linear(Layered):
    """exp(s / temperature), with s linear in each variable of its scope while the others stay; abstract.

    What it says to one variable is its field, the gradient of s / temperature: summed over all potentials it is the log
    odds of bits, the logits of states, the pull on real numbers.

    Args:
        scope: one variable or two.
        temperature: above 0; the higher, the flatter.

    Raises:
        ShapeError: when the temperature is not above 0.
    """

    def __init__(self, scope: Sequence[Variable], temperature: float = 1.0) -> None:
        super().__init__(scope)
        if not temperature > 0:
            raise ShapeError(f"{self.subject}: temperature is {temperature}, expected a number above 0.")
        self.temperature = temperature

    @abstractmethod
    def field(self, place: int, *others: Tensor) -> Tensor:
        """What it says to the variable at a place of its scope, `[*batch, numbers]`.

        Args:
            place: in the scope.
            others: the other variable's numbers, `[*batch, numbers]`; of a potential of one variable that one's own,
                which tells each of its units what all others say.
        """

    def origin(self, place: int) -> Tensor | None:
        """The numbers of the variable at a place at which s is 0 whatever the other's, `[numbers]`; None for zeros."""
        return None


def count(variable: Variable) -> int:
    """How many numbers a variable has: as many as states, or as its shape says.

    Example:
        >>> from pgm import Binary
        >>> count(Variable("label", range(10))), count(Variable("image", Binary(28, 28)))
        (10, 784)
    """
    return variable.size if isinstance(variable.domain, Finite) else variable.domain.length


def numbers(variable: Variable, value: Tensor) -> Tensor:
    """A value, state numbers `[*batch]` or numbers `[*batch, *event]`, as vectors `[*batch, numbers]`.

    Example:
        >>> numbers(Variable("label", range(3)), torch.tensor([2, 0]))
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """
    if variable.finite:
        return one_hot(value.long(), variable.size).to(torch.get_default_dtype())
    return vector(value, len(variable.shape))


def value(variable: Variable, numbers: Tensor) -> Tensor:
    """The value whose numbers these are; the opposite of `numbers`."""
    return numbers.argmax(-1) if variable.finite else numbers.reshape(*numbers.shape[:-1], *variable.shape)
