"""Conditionals: p(child given parents), one module each. The child is the last axis of every table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from .errors import EvidenceError, ShapeError
from .factor import Factor
from .terms import Local, Numbers, TableLike, read_numbers, read_table
from .variable import Variable, quoted, sequence, title

ROW_TOLERANCE = 1e-6  # how far a row of probabilities may sum from 1
CHILD_LAST = "; the child is the last axis"


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

    def __repr__(self) -> str:
        bar = f" | {', '.join(v.name for v in self.given)}" if self.given else ""
        return f"{type(self).__name__}({self.child.name}{bar})"


class Tabular(Conditional):
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

    Args:
        child: the variable that is computed.
        given: its parents, in the order of the function's arguments.
        function: takes one label (text) a parent and returns a label of the child; called once a row, then let go.

    Raises:
        ShapeError: when what the function returns is not a state of the child.

    Example:
        >>> tub, lung, either = (Variable(name, ["no", "yes"]) for name in ["tub", "lung", "either"])
        >>> Deterministic(either, [tub, lung], max).factor().values[0]  # "yes" sorts after "no"
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """

    table: Tensor

    def __init__(self, child: Variable, given: Sequence[Variable], function: Callable[..., object]) -> None:
        super().__init__(child, given)
        rows = list(product(*(parent.states for parent in self.given)))
        numbers = torch.tensor([self._number(row, function(*row)) for row in rows])
        points = torch.eye(child.size, dtype=torch.float64)[numbers]
        self.register_buffer("table", points.reshape([v.size for v in self.scope]))

    def factor(self) -> Factor:
        return Factor(self.scope, self.table)

    def _number(self, row: tuple[str, ...], label: object) -> int:
        try:
            return self.child.number(label)
        except EvidenceError:
            at = ", ".join(f"{v.name}={state}" for v, state in zip(self.given, row, strict=True))
            raise ShapeError(
                f"{self.subject}: the function returned {label!r} for ({at}); "
                f"the states of {self.child.name!r} are {quoted(self.child.states)}."
            ) from None


class Logistic(Conditional):
    """Logistic regression on finite parents, p(child | given) = softmax(x(given) @ weights + bias).

    A parent with two states is one column of x, its state number 0 or 1; any other parent is one column a state,
    1 where the parent is in that state. A child with two states takes one logit, that of its second state (sigmoid).

    Args:
        child: the variable this is a distribution of.
        given: its parents, in the order of the columns.
        weights: shape `[columns, child]`, or `[columns]` when the child has two states; in nats.
        bias: shape `[child]`, or one number when the child has two states; in nats.

    Raises:
        ShapeError: naming each column when a shape does not fit, or when a number is not finite.

    Example:
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> Logistic(wet, [rain], [3.0], -1.0).factor().values.detach()
        tensor([[0.7311, 0.2689],
                [0.1192, 0.8808]], dtype=torch.float64)

    Reference: Neal (1992), Connectionist learning of belief networks.
    """

    def __init__(self, child: Variable, given: Sequence[Variable], weights: Numbers, bias: Numbers) -> None:
        super().__init__(child, given)
        columns = [name for parent in self.given for name in _columns(parent)]
        outputs = [] if child.size == 2 else [child.states]
        self.weights = nn.Parameter(read_numbers(weights, [columns, *outputs], f"{self.subject}: weights"))
        self.bias = nn.Parameter(read_numbers(bias, outputs, f"{self.subject}: bias"))

    def factor(self) -> Factor:
        logits = self.bias.reshape(-1)  # [child]; [1] when the child has two states
        weights = self.weights.reshape(-1, len(logits))  # [columns, child]
        blocks = weights.split([len(_columns(parent)) for parent in self.given])
        for parent, block in zip(self.given, blocks, strict=True):
            effect = torch.cat([torch.zeros_like(block), block]) if parent.size == 2 else block  # [states, child]
            logits = logits.unsqueeze(-2) + effect  # [*given so far, child]
        if self.child.size == 2:
            return Factor(self.scope, torch.cat([-logits, logits], -1).sigmoid())
        return Factor(self.scope, logits.softmax(-1))


def _columns(parent: Variable) -> list[str]:
    return [parent.name] if parent.size == 2 else [f"{parent.name}={state}" for state in parent.states]


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
