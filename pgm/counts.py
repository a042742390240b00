"""Vectors of zeros and ones, or of counts, given finite parents: the pixels or the words of one class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent
from torch.distributions import Multinomial as Draws

from .columns import at_states, vector
from .conditionals import Conditional, check_rows
from .domains import Binary, Count, Numeric, Real
from .errors import GraphError, PlanError, ShapeError
from .inner import inner
from .terms import Numbers, read_array
from .values import placed
from .variable import Variable


class Tallied(Conditional):
    """Independent draws whose outcomes are counted, from tables that finite parents choose; abstract."""

    probabilities: nn.Parameter

    @property
    @abstractmethod
    def table(self) -> Tensor:
        """The tables that are drawn from, `[*given, ..., outcomes]`; the rows sum to 1."""

    @abstractmethod
    def from_table(self, table: Tensor) -> Tensor:
        """The probabilities in the shape in which they are kept."""

    @abstractmethod
    def tally(self, values: Tensor, weights: Tensor) -> Tensor:
        """How often each outcome was drawn, `[parts, ..., outcomes]`, in parts that each count every row by a weight.

        Args:
            values: of the child, `[rows, *event]`.
            weights: shape `[rows, parts]`.
        """


class IndependentBernoulli(Tallied):
    """Zeros and ones, independent given the finite parents: p(child | k) = prod_i p[k, i]^x_i (1 - p[k, i])^(1 - x_i).

    Args:
        child: a `Binary` variable.
        given: finite parents; none for independent coins.
        probabilities: of a 1, shape `[*given, *child]`, from 0 to 1; an axis of length 1 in place of a parent's shares
            the numbers among its states.

    Raises:
        GraphError: when the child is not `Binary` or a parent has no states.
        ShapeError: when the shape does not fit or a number is not a probability.

    Example:
        >>> from pgm import Binary
        >>> digit, pixels = Variable("digit", ["one", "seven"]), Variable("pixels", Binary(3))
        >>> ink = IndependentBernoulli(pixels, [digit], [[0.1, 0.9, 0.1], [0.8, 0.8, 0.2]])
        >>> ink.log_prob(torch.tensor([0, 1]), torch.tensor([0.0, 1.0, 0.0])).exp().detach()
        tensor([0.7290, 0.1280], dtype=torch.float64)

    Reference: Lewis (1998), Naive (Bayes) at forty.
    """

    def __init__(self, child: Variable, given: Sequence[Variable], probabilities: Numbers) -> None:
        super().__init__(child, given)
        self.probabilities = nn.Parameter(_probabilities(self, probabilities, Binary))

    @property
    def table(self) -> Tensor:
        return torch.stack([1 - self.probabilities, self.probabilities], -1)

    def from_table(self, table: Tensor) -> Tensor:
        return table[..., 1]

    def tally(self, values: Tensor, weights: Tensor) -> Tensor:
        ones = torch.tensordot(weights, values, ([0], [0]))
        rows = weights.sum(0).reshape([-1] + [1] * len(self.child.shape))
        return torch.stack([(rows - ones).clamp(min=0), ones], -1)  # rounding may leave it a little below 0

    def distribution(self, *given: Tensor) -> Distribution:
        made = Bernoulli(at_states(self.probabilities, given), validate_args=False)
        return Independent(made, len(self.child.shape), validate_args=False)

    def log_prob(self, *values: Tensor) -> Tensor:
        *given, child = placed(self, values)
        x, one = _flat(self, child), _flat(self, self.probabilities)
        zero = 1 - one
        found = _score(x, given, _logs(one) - _logs(zero), _logs(zero).sum(-1))
        no_one, no_zero = (one == 0).to(one), (zero == 0).to(one)
        return _possible(found, _score(x, given, no_one - no_zero, no_zero.sum(-1)))


class Multinomial(Tallied):
    """How often each of several things was drawn: p(child | k, total) = total! prod_i p[k, i]^x_i / x_i!.

    The total number of draws, the sum of the child, is taken as known: it is not part of the model.

    Args:
        child: a `Count` variable, one number a thing; or a `Real` one for counts with fractions, such as weights of
            words, with gamma functions in place of factorials.
        given: finite parents; may be none.
        probabilities: shape `[*given, *child]`, rows (over the whole child) sum to 1; an axis of length 1 in place of a
            parent's shares the numbers among its states.
        total: how many draws a sample makes; without it there are no samples, only probabilities.

    Raises:
        GraphError: when the child is neither or a parent has no states.
        ShapeError: when the shape does not fit, a number is not a probability, or a row does not sum to 1.

    Example:
        >>> from pgm import Count
        >>> topic, words = Variable("topic", ["sport", "law"]), Variable("words", Count(2))
        >>> bag = Multinomial(words, [topic], [[0.5, 0.5], [0.1, 0.9]])
        >>> bag.log_prob(torch.tensor([0, 1]), torch.tensor([1.0, 2.0])).exp().detach()
        tensor([0.3750, 0.2430], dtype=torch.float64)

    Reference: McCallum and Nigam (1998), A comparison of event models for naive Bayes text classification.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], probabilities: Numbers, total: int | None = None
    ) -> None:
        super().__init__(child, given)
        self.total = total
        self.probabilities = nn.Parameter(_probabilities(self, probabilities, Count, Real))
        flat = _flat(self, self.probabilities.detach())
        check_rows(flat.expand(*(parent.size for parent in self.given), -1), self.given, self.subject)

    @property
    def table(self) -> Tensor:
        return _flat(self, self.probabilities)

    def from_table(self, table: Tensor) -> Tensor:
        return table.reshape(self.probabilities.shape)

    def tally(self, values: Tensor, weights: Tensor) -> Tensor:
        return weights.mT @ _flat(self, values)

    def distribution(self, *given: Tensor) -> Distribution:
        if self.total is None:
            raise PlanError(f"{self.subject}: how many draws a sample makes is not known; give total=.")
        if len(self.child.shape) != 1:
            raise PlanError(f"{self.subject}: samples have one axis, {self.child.name!r} is {self.child.domain!r}.")
        return Draws(self.total, at_states(self.probabilities, given), validate_args=False)

    def log_prob(self, *values: Tensor) -> Tensor:
        *given, child = placed(self, values)
        x, table = _flat(self, child), self.table
        orders = torch.lgamma(x.sum(-1) + 1) - torch.lgamma(x + 1).sum(-1)
        found = orders + _score(x, given, _logs(table))
        return _possible(found, _score(x, given, (table == 0).to(table)) + (x < 0).any(-1))


def _probabilities(term: Conditional, values: Numbers, *domains: type[Numeric]) -> Tensor:
    """Checked, `[*given, *child]`."""
    child = term.child
    if not isinstance(child.domain, domains):
        expected = " or ".join(domain.__name__ for domain in domains)
        raise GraphError(f"{term.subject}: {child.name!r} is {child.domain!r}, expected {expected}.")
    for parent in term.given:
        if not parent.finite:
            raise GraphError(f"{term.subject}: parent {parent.name!r} is {parent.domain!r}; use Neural.")
    sizes = [*((parent.size, parent.name) for parent in term.given), *((n, child.name) for n in child.shape)]
    found = read_array(values, sizes, len(term.given), f"{term.subject}: probabilities")
    if bool(((found < 0) | (found > 1)).any()):
        raise ShapeError(
            f"{term.subject}: probabilities are {found.min():g} to {found.max():g}, expected numbers from 0 to 1."
        )
    return found


def _flat(term: Conditional, numbers: Tensor) -> Tensor:
    """The numbers of the child side by side, `[*batch, length]`."""
    return vector(numbers, len(term.child.shape))


def _logs(table: Tensor) -> Tensor:
    """Logarithms, with 0 in place of that of 0: what is impossible is found apart."""
    return torch.where(table == 0, 1.0, table).log()


def _score(x: Tensor, given: Sequence[Tensor], weights: Tensor, constant: Tensor | None = None) -> Tensor:
    """Sums over the last axis of x times weights, plus a constant, in the tables of the parents' states."""
    table = weights.reshape(-1, weights.shape[-1])
    if len(given) == 1 and len(table) <= x.shape[-1]:  # then all tables at once are cheaper than one for each row
        products = x @ table.mT
        state = given[0].clamp(max=len(table) - 1).unsqueeze(-1)
        batch = torch.broadcast_shapes(products.shape[:-1], state.shape[:-1])
        found = products.expand(*batch, -1).gather(-1, state.expand(*batch, 1)).squeeze(-1)
    else:
        found = inner(x, at_states(weights, given))
    return found if constant is None else found + at_states(constant, given)


def _possible(log_prob: Tensor, impossible: Tensor) -> Tensor:
    """Minus infinity where something impossible has happened."""
    return log_prob.masked_fill(impossible > 0, -torch.inf)
