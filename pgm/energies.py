"""Potentials of numeric variables: quadratic ones, and energies that any module computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .columns import column_names, columns
from .errors import GraphError, ShapeError
from .potentials import Potential
from .square_root import SYMMETRIC
from .terms import Numbers, parameters, read_array
from .values import placed
from .variable import Variable


class Quadratic(Potential):
    """The potential of a Gaussian Markov network, f(x) = exp(shift . x - x' precision x / 2).

    Args:
        scope: numeric variables; their numbers side by side are x.
        precision: shape `[columns, columns]`, symmetric; only the sum over the model has to be positive definite.
        shift: shape `[columns]`; precision times mean, 0 when None.

    Raises:
        GraphError: when a variable has states.
        ShapeError: when a shape does not fit, a number is not finite, or the precision is not symmetric.

    Example:
        >>> from pgm import Real
        >>> a, b = Variable("a", Real()), Variable("b", Real())
        >>> Quadratic([a, b], [[1.0, -0.5], [-0.5, 1.0]]).log_prob(torch.tensor(1.0), torch.tensor(1.0)).item()
        -0.5

    Reference: Rue and Held (2005), Gaussian Markov Random Fields.
    """

    def __init__(self, scope: Sequence[Variable], precision: Numbers, shift: Numbers | None = None) -> None:
        super().__init__(scope)
        labelled = next((variable for variable in self.scope if variable.finite), None)
        if labelled is not None:
            raise GraphError(f"{self.subject}: {labelled.name!r} has states, expected numeric variables.")
        names = [name for variable in self.scope for name in column_names(variable)]
        axis = (len(names), ", ".join(names))
        matrix = read_array(precision, [axis, axis], 0, f"{self.subject}: precision")
        if bool(((matrix - matrix.T).abs() > SYMMETRIC * matrix.abs().amax()).any()):
            raise ShapeError(f"{self.subject}: precision is not symmetric; expected [i, j] = [j, i].")
        vector = torch.zeros(len(names), dtype=matrix.dtype) if shift is None else shift
        self.precision, self.shift = parameters(matrix, read_array(vector, [axis], 0, f"{self.subject}: shift"))

    def log_prob(self, *values: Tensor) -> Tensor:
        x = columns(self.scope, placed(self, values), self.precision.dtype)
        return x @ self.shift - 0.5 * ((x @ self.precision) * x).sum(-1)


class Energy(Potential):
    """A potential that a module computes, f(x) = exp(-net(x)).

    Args:
        scope: variables of any kind.
        net: takes one tensor a variable, state numbers `[*batch]` or numbers `[*batch, *event]`, and returns the energy
            `[*batch]`, in nats.

    Raises:
        ShapeError: when the energy, once computed, has more axes than the batch.

    Example:
        >>> from pgm import Real
        >>> x = Variable("x", Real())
        >>> Energy([x], lambda x: (x**2 - 1) ** 2).log_prob(torch.tensor([0.0, 1.0]))  # two wells
        tensor([-1., -0.])

    Reference: LeCun, Chopra, Hadsell, Ranzato and Huang (2006), A tutorial on energy-based learning.
    """

    def __init__(self, scope: Sequence[Variable], net: Callable[..., Tensor]) -> None:
        super().__init__(scope)
        self.net = net

    def log_prob(self, *values: Tensor) -> Tensor:
        energy = self.net(*placed(self, values))
        axes = max(value.dim() - len(v.shape) for v, value in zip(self.scope, values, strict=True))
        if energy.dim() > axes:  # [rows, 1] would broadcast with [rows] to a table of all pairs
            raise ShapeError(f"{self.subject}: energy has shape {tuple(energy.shape)}, expected [*batch], {axes} axes.")
        return -energy
