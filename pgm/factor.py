"""A factor: a tensor whose axes are variables. What exact inference multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .errors import ShapeError
from .variable import Variable


@dataclass(frozen=True, eq=False)
class Factor:
    """A non-negative tensor with one named axis a variable.

    Args:
        scope: the variables, one an axis, in order; none for a constant.
        values: tensor of shape `[v.size for v in scope]`.

    Raises:
        ShapeError: when the shape does not fit the scope.

    Example:
        >>> import torch
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> Factor((coin,), torch.tensor([0.5, 0.5]))
        Factor[coin: 2]
    """

    scope: tuple[Variable, ...]
    values: Tensor

    def __post_init__(self) -> None:
        expected = tuple(variable.size for variable in self.scope)
        if tuple(self.values.shape) != expected:
            raise ShapeError(f"Factor: values have shape {tuple(self.values.shape)}, expected {axes(self.scope)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the axes, in order."""
        return tuple(variable.name for variable in self.scope)

    def ordered(self, scope: Sequence[Variable]) -> Tensor:
        """The values with their axes in the order of a scope of the same variables."""
        names = tuple(variable.name for variable in scope)
        if names == self.names:
            return self.values
        return self.values.permute([self.names.index(name) for name in names])

    def __repr__(self) -> str:
        return "Factor[" + ", ".join(f"{v.name}: {v.size}" for v in self.scope) + "]"


def axes(scope: tuple[Variable, ...]) -> str:
    """The shape that a scope asks for, with the name of each axis.

    Example:
        >>> axes((Variable("rain"), Variable("wet", 3)))
        '(2, 3) = [rain, wet]'
    """
    sizes = tuple(variable.size for variable in scope)
    return f"{sizes} = [{', '.join(variable.name for variable in scope)}]"
