"""Conditionals: p(child given parents), one module each. The child is the last axis of every table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .errors import ShapeError
from .factor import Factor
from .terms import Local, TableLike, read_table
from .variable import Variable

ROW_TOLERANCE = 1e-6  # how far a row of probabilities may sum from 1


class Conditional(Local):
    """p(child given the rest of the scope); abstract."""

    def __init__(self, child: Variable, given: Sequence[Variable]) -> None:
        super().__init__((*given, child), f"{type(self).__name__}({child.name})")

    @property
    def child(self) -> Variable:
        """The variable this is a distribution of."""
        return self.scope[-1]

    @property
    def given(self) -> tuple[Variable, ...]:
        """The parents, in the order of the table's axes."""
        return self.scope[:-1]

    @property
    def subject(self) -> str:
        """How messages about this conditional begin."""
        return f"{type(self).__name__}({self.child.name})"

    def __repr__(self) -> str:
        bar = f" | {', '.join(v.name for v in self.given)}" if self.given else ""
        return f"{type(self).__name__}({self.child.name}{bar})"


class Tabular(Conditional):
    """A table of probabilities, p(child | given) = table[*given, child].

    Args:
        child: the variable the table is about.
        given: its parents, in the order of the table's axes; empty for a root.
        table: shape `[*given, child]`, rows sum to 1; nested lists, an array, a tensor, or a mapping keyed by labels.

    Raises:
        ShapeError: when the shape does not fit, a number is negative, or a row does not sum to 1 within 1e-6.

    Example:
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> Tabular(wet, [rain], {"no": {"no": 0.9, "yes": 0.1}, "yes": [0.2, 0.8]})
        Tabular(wet | rain)
    """

    def __init__(self, child: Variable, given: Sequence[Variable], table: TableLike) -> None:
        super().__init__(child, given)
        values = read_table(table, self.scope, self.subject)
        check_rows(values, self.given, self.subject)
        self.table = nn.Parameter(values)

    def factor(self) -> Factor:
        return Factor(self.scope, self.table)


def check_rows(table: Tensor, given: Sequence[Variable], subject: str) -> None:
    """Raise a `ShapeError` that names the first row of `[*given, child]` that does not sum to 1."""
    off = (table.sum(-1) - 1).abs() > ROW_TOLERANCE
    if bool(off.any()):
        where = tuple(int(i) for i in off.nonzero()[0])
        row = "(" + ", ".join(f"{v.name}={v.states[i]}" for v, i in zip(given, where, strict=True)) + ")"
        total = torch.sum(table[where]).item()
        raise ShapeError(
            f"{subject}: rows must sum to 1; row {row} sums to {total:.6g}. Use a Table potential for unnormalised numbers."
        )
