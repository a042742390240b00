"""Potentials: non-negative functions of their scope that need not sum to one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .factor import Factor
from .terms import Local, TableLike, read_table
from .variable import Variable


class Potential(Local):
    """A non-negative function of its scope; abstract."""

    def __init__(self, scope: Sequence[Variable]) -> None:
        super().__init__(scope, f"{type(self).__name__}({', '.join(v.name for v in scope)})")

    @property
    def subject(self) -> str:
        """How messages about this potential begin."""
        return repr(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(v.name for v in self.scope)})"


class Table(Potential):
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
