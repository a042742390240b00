"""Conditionals: p(child given parents), one module each. The child is the last axis of every table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from .errors import EvidenceError, ShapeError
from .factor import Factor
from .point import Point
from .terms import Capabilities, Local, TableLike, read_table, require_finite
from .values import placed
from .variable import Variable, quoted, sequence, shortened, title

ROW_TOLERANCE = 1e-6  # how far a row of probabilities may sum from 1
CHILD_LAST = "; the child is the last axis"


def categorical(table: Tensor) -> Categorical:
    """The distribution with these probabilities along the last axis; exact zeros stay impossible."""
    logits = torch.where(table > 0, table, 1.0).log().masked_fill(table == 0, -torch.inf)
    return Categorical(logits=logits, validate_args=False)


class Conditional(Local):
    """p(child given the rest of the scope); abstract."""

    def __init__(self, child: Variable, given: Sequence[Variable]) -> None:
        subject = title(type(self).__name__, [child])
        super().__init__((*sequence(given, subject, "given"), child), subject)

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

    @abstractmethod
    def distribution(self, *given: Tensor) -> Distribution:
        """p(child | given): batch shape that of the parents' values, event shape that of the child."""

    def log_prob(self, *values: Tensor) -> Tensor:
        *given, child = placed(self, values)
        found: Tensor = self.distribution(*given).log_prob(child)
        return found

    def draw(self, *given: Tensor, shape: Sequence[int] = ()) -> Tensor:
        """A sample of the child for each row of the parents' values, `[*shape, *batch, *event]`.

        It is differentiable where the conditional is reparameterised; torch's own randomness is used.
        """
        made, count = self.distribution(*given), torch.Size(max(n, 1) for n in shape)  # of none torch draws nothing
        found: Tensor = made.rsample(count) if made.has_rsample else made.sample(count)
        return found[tuple(slice(n) for n in shape)]

    def __repr__(self) -> str:
        bar = f" | {shortened(v.name for v in self.given)}" if self.given else ""
        return f"{type(self).__name__}({self.child.name}{bar})"


class TableConditional(Conditional):
    """A conditional between finite variables whose subclasses make its whole table; abstract."""

    def __init__(self, child: Variable, given: Sequence[Variable]) -> None:
        super().__init__(child, given)
        require_finite(self.scope, self.subject)

    @abstractmethod
    def factor(self) -> Factor:
        """The table `[*given, child]`, differentiable in the parameters."""

    def distribution(self, *given: Tensor) -> Distribution:
        table = self.factor().ordered(self.scope)
        return categorical(table[given] if given else table)

    def log_prob(self, *values: Tensor) -> Tensor:
        return self.factor().ordered(self.scope)[values].log()


class Tabular(TableConditional):
    """A table of probabilities, p(child | given) = table[*given, child].

    Args:
        child: the variable the table is about.
        given: its parents, in the order of the table's axes; empty for a root.
        table: shape `[*given, child]`, rows sum to 1 (those within 1e-6 of it are rescaled); nested lists, an array, a
            tensor, or a mapping keyed by labels.

    Raises:
        ShapeError: when the shape does not fit, a number is negative, or a row does not sum to 1 within 1e-6.

    Example:
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> Tabular(wet, [rain], {"no": {"no": 0.9, "yes": 0.1}, "yes": [0.2, 0.8]})
        Tabular(wet | rain)
    """

    def __init__(self, child: Variable, given: Sequence[Variable], table: TableLike) -> None:
        super().__init__(child, given)
        values = read_table(table, self.scope, self.subject, CHILD_LAST)
        check_rows(values, self.given, self.subject)
        self.table = nn.Parameter(_to_one(values))

    def factor(self) -> Factor:
        return Factor(self.scope, self.table)


class Deterministic(Conditional):
    """A function of the parents, p(child | given) = 1 where child = function(given), else 0.

    Between finite variables the function speaks in labels and is called once for each row of parents, then let go. With
    a numeric variable in the scope it is a torch function (or module) of values, called whenever they are known.

    Args:
        child: the variable that is computed.
        given: its parents, in the order of the function's arguments.
        function: takes one label (text) a parent and returns a label of the child; or takes one tensor a parent, state
            numbers `[*batch]` or numbers `[*batch, *event]`, and returns the child's.

    Raises:
        ShapeError: when what the function returns is not a state of the child.

    Example:
        >>> tub, lung, either = (Variable(name, ["no", "yes"]) for name in ["tub", "lung", "either"])
        >>> Deterministic(either, [tub, lung], max).factor().values[0]  # "yes" sorts after "no"
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
        >>> from pgm import Real
        >>> x, y = Variable("x", Real()), Variable("y", Real())
        >>> Deterministic(y, [x], torch.exp).draw(torch.zeros(2))
        tensor([1., 1.])
    """

    table: Tensor

    def __init__(self, child: Variable, given: Sequence[Variable], function: Callable[..., Any]) -> None:
        super().__init__(child, given)
        self.function = None if self.enumerable else function
        if self.enumerable:
            self.register_buffer("table", self._tabulated(function))

    def _tabulated(self, function: Callable[..., object]) -> Tensor:
        rows = list(product(*(parent.states for parent in self.given)))
        numbers = torch.tensor([self._number(row, function(*row)) for row in rows])
        points = torch.eye(self.child.size, dtype=torch.float64)[numbers]
        return points.reshape([v.size for v in self.scope])

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.enumerable, reparameterised=not self.child.finite, has_log_prob=True)

    def factor(self) -> Factor:
        return Factor(self.scope, self.table) if self.enumerable else Local.factor(self)

    def distribution(self, *given: Tensor) -> Distribution:
        if self.function is None:
            return categorical(self.table[given] if given else self.table)
        value, event = self.function(*given), self.child.shape
        if value.shape[value.dim() - len(event) :] != event:
            expected = ", ".join(map(str, ("*batch", *event)))
            raise ShapeError(
                f"{self.subject}: the function returned shape {tuple(value.shape)}, expected [{expected}]."
            )
        return Point(value, len(event))

    def _number(self, row: tuple[str, ...], label: object) -> int:
        try:
            return self.child.number(label)
        except EvidenceError:
            at = ", ".join(f"{v.name}={state}" for v, state in zip(self.given, row, strict=True))
            raise ShapeError(
                f"{self.subject}: the function returned {label!r} for ({at}); "
                f"the states of {self.child.name!r} are {quoted(self.child.states)}."
            ) from None


def _to_one(table: Tensor) -> Tensor:
    """Rows off by printed digits are divided by their sum; those off by rounding alone stay as they are."""
    total = table.double().sum(-1, keepdim=True)
    rounding = torch.finfo(table.dtype).eps * table.shape[-1]
    return torch.where((total - 1).abs() > rounding, (table / total).to(table.dtype), table)


def check_rows(table: Tensor, given: Sequence[Variable], subject: str) -> None:
    """Raise a `ShapeError` that names the first row of `[*given, child]` that does not sum to 1."""
    off = (table.double().sum(-1) - 1).abs() > ROW_TOLERANCE  # double: a float32 sum over many states strays further
    if bool(off.any()):
        where = tuple(int(i) for i in off.nonzero()[0])
        row = "(" + ", ".join(f"{v.name}={v.states[i]}" for v, i in zip(given, where, strict=True)) + ")"
        total = torch.sum(table[where]).item()
        raise ShapeError(
            f"{subject}: rows must sum to 1; row {row} sums to {total:.6g}. "
            "Use a Table potential for unnormalised numbers."
        )
