"""Potentials: non-negative functions of their scope that need not sum to one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import product as cartesian
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .errors import ShapeError
from .factor import Factor
from .terms import Local, Numbers, TableLike, read_numbers, read_table, require_finite
from .variable import Variable, sequence, title

Feature = Callable[..., float] | Sequence[Any] | np.ndarray | Tensor  # of labels, or a table over the scope


class Potential(Local):
    """A non-negative function of its scope; abstract."""

    def __init__(self, scope: Sequence[Variable]) -> None:
        listed = sequence(scope, type(self).__name__, "scope")
        super().__init__(listed, title(type(self).__name__, listed))

    @property
    def subject(self) -> str:
        """How messages about this potential begin."""
        return repr(self)

    def __repr__(self) -> str:
        return title(type(self).__name__, self.scope)


class TablePotential(Potential):
    """A potential of finite variables whose subclasses make its whole table; abstract."""

    def __init__(self, scope: Sequence[Variable]) -> None:
        super().__init__(scope)
        require_finite(self.scope, self.subject)

    @abstractmethod
    def factor(self) -> Factor:
        """The table over the scope, differentiable in the parameters."""

    def log_prob(self, *values: Tensor) -> Tensor:
        return self.factor().ordered(self.scope)[values].log()


class Table(TablePotential):
    """A table of non-negative numbers, one axis a variable.

    Args:
        scope: the variables, in the order of the axes; none for a constant.
        table: shape `[v.size for v in scope]`; nested lists, an array, a tensor, or a mapping keyed by labels.

    Raises:
        ShapeError: when the shape does not fit or a number is negative or not finite.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> Table([a, b], [[30, 5], [1, 10]])
        Table(a, b)
    """

    def __init__(self, scope: Sequence[Variable], table: TableLike) -> None:
        super().__init__(scope)
        self.table = nn.Parameter(read_table(table, self.scope, self.subject))

    def factor(self) -> Factor:
        return Factor(self.scope, self.table)


class LogLinear(TablePotential):
    """A log-linear potential, f(x) = exp(sum_k weight_k feature_k(x)).

    Args:
        scope: the variables the features look at.
        features: one entry a feature: a function of one label (text) a variable that returns a number or a truth
            value, or an array of the scope's shape; a tensor of shape `[features, *scope]` is such a sequence.
        weights: shape `[features]`, in nats.

    Raises:
        ShapeError: when a shape does not fit, or a feature or weight is not a finite number.

    Example:
        >>> a, b = Variable("a", ["cat", "dog"]), Variable("b", ["cat", "dog"])
        >>> same = LogLinear([a, b], [lambda a, b: a == b, lambda a, b: a == "dog"], [1.0, -2.0])
        >>> same.factor().values.log().detach()
        tensor([[ 1.,  0.],
                [-2., -1.]], dtype=torch.float64)

    Reference: Della Pietra, Della Pietra and Lafferty (1997), Inducing features of random fields.
    """

    features: Tensor

    def __init__(self, scope: Sequence[Variable], features: Sequence[Feature] | Tensor, weights: Numbers) -> None:
        super().__init__(scope)
        if not len(features):
            raise ShapeError(f"{self.subject}: there are no features, expected one or more.")
        numbers = [f"feature {k}" for k in range(len(features))]
        read = [_feature(each, self.scope, f"{self.subject}: {k}") for each, k in zip(features, numbers, strict=True)]
        self.register_buffer("features", torch.stack(read))
        self.weights = nn.Parameter(read_numbers(weights, [numbers], f"{self.subject}: weights"))

    def factor(self) -> Factor:
        return Factor(self.scope, torch.tensordot(self.weights, self.features.to(self.weights), 1).exp())


class Pairwise(TablePotential):
    """A coupling of two variables, f(a, b) = exp(coupling * interaction(a, b)).

    The interaction takes two state numbers: `agree` (1 when they are equal: the Potts model), `spin` (two states count
    as -1 and +1: the Ising model), `product` (states count as 0, 1, ...: the w v h of a Boltzmann machine), or any
    other function. A coupling of shape `[a, b]` is a whole table of logs and needs no interaction.

    Args:
        a: one variable.
        b: the other variable.
        coupling: one number, or shape `[a, b]`, in nats; positive numbers favour large interactions.
        interaction: a function of the two state numbers; by default `agree` for one number, 1 for a table.

    Raises:
        ShapeError: when the shape of the coupling does not fit, or a number is not finite.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> Pairwise(a, b, 0.5, spin).factor().values.log().detach()
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]], dtype=torch.float64)

    Reference: Ising (1925); Potts (1952); Ackley, Hinton and Sejnowski (1985).
    """

    interaction: Tensor

    def __init__(
        self, a: Variable, b: Variable, coupling: Numbers, interaction: Callable[[int, int], float] | None = None
    ) -> None:
        super().__init__((a, b))
        single = np.ndim(coupling) == 0
        axes = [] if single else [a.states, b.states]
        self.coupling = nn.Parameter(read_numbers(coupling, axes, f"{self.subject}: coupling"))
        chosen = interaction or (agree if single else _always)
        table = [[float(chosen(i, j)) for j in range(b.size)] for i in range(a.size)]
        self.register_buffer("interaction", read_numbers(table, [a.states, b.states], f"{self.subject}: interaction"))

    def factor(self) -> Factor:
        return Factor(self.scope, (self.coupling * self.interaction).exp())


def agree(i: int, j: int) -> float:
    """1 when two state numbers are equal, else 0: the interaction of the Potts model."""
    return float(i == j)


def spin(i: int, j: int) -> float:
    """The product of two spins, states 0 and 1 counting as -1 and +1: the interaction of the Ising model."""
    return float((2 * i - 1) * (2 * j - 1))


def product(i: int, j: int) -> float:
    """The product of two state numbers: the interaction of the Boltzmann machine."""
    return float(i * j)


def _always(i: int, j: int) -> float:
    return 1.0


def _feature(feature: Feature, scope: tuple[Variable, ...], what: str) -> Tensor:
    axes = [variable.states for variable in scope]
    if not callable(feature):
        return read_numbers(feature, axes, what)
    rows = list(cartesian(*axes))
    numbers = read_numbers([feature(*row) for row in rows], [[", ".join(row) for row in rows]], what)
    return numbers.reshape([len(axis) for axis in axes])
