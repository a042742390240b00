"""Conditionals of many independent causes: noisy or, noisy and, noisy max. One parameter a parent, not one a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .conditionals import CHILD_LAST, TableConditional, categorical, check_rows
from .errors import ShapeError
from .factor import Factor
from .terms import Numbers, TableLike, parameters, read_numbers, read_table
from .trains import expanded, log_at, row_at
from .variable import Variable


class Causes(TableConditional):
    """A conditional that is a train of matrices: what the causes so far have done is carried from each to the next.

    State 0 is carried as long as none has done anything, and no other state leads back to it; `rest` is the state that
    the child then has.
    """

    rest = 0

    @abstractmethod
    def cores_in(self, order: Sequence[int]) -> tuple[Tensor, ...]:
        """Its cores with the parents, by place, in another order; any will do."""

    def cores(self) -> tuple[Tensor, ...]:
        """One matrix a state of each variable, `[left, size, right]`, the child's last."""
        return self.cores_in(range(len(self.given)))

    def factor(self) -> Factor:
        return Factor(self.scope, expanded(self.cores(), self.subject))

    def distribution(self, *given: Tensor) -> Distribution:
        *causes, last = self.cores()
        row = row_at(causes, given)  # [*batch, left]
        return categorical(row @ last.squeeze(-1))

    def log_prob(self, *values: Tensor) -> Tensor:
        return log_at(self.cores(), values)


class NoisyOr(Causes):
    """Each parent that is on turns the child on by itself: p(on | x) = 1 - (1 - leak) prod_i (1 - strength_i)^x_i.

    Args:
        child: a variable with two states, off then on.
        given: its causes, each with two states, off then on.
        strengths: shape `[given]`: the probability that parent i, when on, turns the child on.
        leak: the probability that the child is on when all parents are off.

    Raises:
        ShapeError: when a variable has not two states, or a number is not a probability.

    Example:
        >>> cold, flu, fever = (Variable(name, ["no", "yes"]) for name in ["cold", "flu", "fever"])
        >>> NoisyOr(fever, [cold, flu], [0.4, 0.8], leak=0.1).factor().values[..., 1].detach()
        tensor([[0.1000, 0.8200],
                [0.4600, 0.8920]], dtype=torch.float64)

    Reference: Pearl (1988), Probabilistic Reasoning in Intelligent Systems, section 4.3.2.
    """

    def __init__(self, child: Variable, given: Sequence[Variable], strengths: Numbers, leak: Numbers = 0.0) -> None:
        super().__init__(child, given)
        self.strengths, self.leak = _binary_parameters(self, strengths, leak)

    def cores_in(self, order: Sequence[int]) -> tuple[Tensor, ...]:
        return noisy_or(self.strengths[list(order)], self.leak)


class NoisyAnd(Causes):
    """Each parent that is off turns the child off by itself: p(on | x) = (1 - leak) prod_i (1 - strength_i)^(1 - x_i).

    A `NoisyOr` with all states exchanged; strengths 1 and leak 0 make the logical and.

    Args:
        child: a variable with two states, off then on.
        given: its conditions, each with two states, off then on.
        strengths: shape `[given]`: the probability that parent i, when off, turns the child off.
        leak: the probability that the child is off when all parents are on.

    Raises:
        ShapeError: when a variable has not two states, or a number is not a probability.

    Example:
        >>> fuel, spark, starts = (Variable(name, ["no", "yes"]) for name in ["fuel", "spark", "starts"])
        >>> NoisyAnd(starts, [fuel, spark], [1.0, 0.9], leak=0.2).factor().values[..., 1].detach()
        tensor([[0.0000, 0.0000],
                [0.0800, 0.8000]], dtype=torch.float64)

    Reference: Diez and Druzdzel (2006), Canonical probabilistic models for knowledge engineering.
    """

    rest = 1

    def __init__(self, child: Variable, given: Sequence[Variable], strengths: Numbers, leak: Numbers = 0.0) -> None:
        super().__init__(child, given)
        self.strengths, self.leak = _binary_parameters(self, strengths, leak)

    def cores_in(self, order: Sequence[int]) -> tuple[Tensor, ...]:
        return tuple(core.flip(1) for core in noisy_or(self.strengths[list(order)], self.leak))


class NoisyMax(Causes):
    """The child is the greatest of independent effects: P(Y <= y | x) = P(leak <= y) prod_i P(effect_i <= y | x_i).

    The order of the child's states, from none to most, is their order in the variable.

    Args:
        child: the variable whose states are ordered.
        given: its causes.
        tables: for each parent the distribution of its effect, shape `[parent, child]`, rows sum to 1.
        leak: distribution of the effect of all other causes, shape `[child]`; by default always the first state.

    Raises:
        ShapeError: when there is not one table a parent, a shape does not fit, or a row does not sum to 1.

    Example:
        >>> flu, fever = Variable("flu", ["no", "yes"]), Variable("fever", ["none", "mild", "high"])
        >>> NoisyMax(fever, [flu], [[[1, 0, 0], [0.2, 0.3, 0.5]]], leak=[0.9, 0.1, 0]).factor().values.detach()
        tensor([[0.9000, 0.1000, 0.0000],
                [0.1800, 0.3200, 0.5000]], dtype=torch.float64)

    Reference: Diez (1993), Parameter adjustment in Bayes networks: the generalized noisy OR-gate.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], tables: Sequence[TableLike], leak: TableLike | None = None
    ) -> None:
        super().__init__(child, given)
        if len(tables) != len(self.given):
            names = ", ".join(parent.name for parent in self.given)
            raise ShapeError(
                f"{self.subject}: {len(tables)} tables, expected {len(self.given)}, one a parent: [{names}]."
            )
        first = [1.0] + [0.0] * (child.size - 1)
        alone = _rows(first if leak is None else leak, (child,), f"{self.subject} leak")
        effects = [
            _rows(table, (parent, child), f"{self.subject} effect of {parent.name}")
            for parent, table in zip(self.given, tables, strict=True)
        ]
        self.leak, *others = parameters(alone, *effects)
        self.tables = nn.ParameterList(others)

    def cores_in(self, order: Sequence[int]) -> tuple[Tensor, ...]:
        return _train(self.leak, [greater(self.tables[place]) for place in order])


def noisy_or(strengths: Tensor, leak: Tensor) -> tuple[Tensor, ...]:
    """The cores of a noisy or from strengths of shape `[n]`: what is carried is whether anything has turned it on.

    All numbers are products and sums of non-negative ones, so that tiny probabilities keep all digits.
    """
    zero, one = torch.zeros_like(strengths), torch.ones_like(strengths)
    cause_off = torch.stack([one, zero, zero, one], -1)  # [n, 4]: nothing changes
    cause_on = torch.stack([1 - strengths, strengths, zero, one], -1)
    steps = torch.stack([cause_off, cause_on], 1).reshape(-1, 2, 2, 2).transpose(1, 2)  # [n, so far, cause, then]
    return _train(torch.stack([1 - leak, leak]), steps.unbind())


def greater(table: Tensor) -> Tensor:
    """The core `[so far, parent, then]` that carries the greatest effect on, from effects `[parent, child]`.

    Example:
        >>> greater(torch.tensor([[0.5, 0.5]]))[:, 0]
        tensor([[0.5000, 0.5000],
                [0.0000, 1.0000]])
    """
    below = table.cumsum(-1)  # P(effect <= y)
    return torch.diag_embed(below).transpose(0, 1) + table.expand(below.shape[-1], -1, -1) * _above(below)


def _above(below: Tensor) -> Tensor:
    """1 where the state after is above the one so far, `[so far, 1, then]`."""
    return torch.ones(below.shape[-1], below.shape[-1]).to(below).triu(1).unsqueeze(1)


def _train(leak: Tensor, steps: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Cores from the distribution before any cause `[states]`, one core a cause, and the child, which is the state."""
    child = torch.eye(len(leak)).to(leak).unsqueeze(-1)  # [states, child, 1]
    first, *others = (*steps, child)
    return (torch.tensordot(leak, first, 1).unsqueeze(0), *others)


def _binary_parameters(term: TableConditional, strengths: Numbers, leak: Numbers) -> tuple[nn.Parameter, nn.Parameter]:
    for variable in term.scope:
        if variable.size != 2:
            raise ShapeError(
                f"{term.subject}: {variable.name!r} has {variable.size} states, expected 2, off then on. "
                "Use NoisyMax for more."
            )
    parents = [parent.name for parent in term.given]
    one, other = parameters(
        read_numbers(strengths, [parents], f"{term.subject}: strengths", 0, 1),
        read_numbers(leak, [], f"{term.subject}: leak", 0, 1),
    )
    return one, other


def _rows(table: TableLike, scope: tuple[Variable, ...], subject: str) -> Tensor:
    values = read_table(table, scope, subject, CHILD_LAST)
    check_rows(values, scope[:-1], subject)
    return values
