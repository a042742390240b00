"""What the units of a layer do, given the field that all others make: draws, means and sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from pgm.domains import Binary, Count, Finite, OneHot, Real
from pgm.errors import PlanError
from pgm.variable import Variable

from ...potentials import Total

LEAST = 1e-2  # probability of a unit that is never on, or never off, in what annealing begins with


@dataclass(frozen=True)
class Units(ABC):
    """Units of one layer, independent given their field f, p(x) proportional to base(x) exp(f . x); abstract."""

    @abstractmethod
    def draw(self, field: Tensor) -> Tensor:
        """Numbers drawn at fields `[*batch, numbers]`."""

    @abstractmethod
    def mean(self, field: Tensor) -> Tensor:
        """Their mean."""

    @abstractmethod
    def field_of(self, mean: Tensor) -> Tensor:
        """The field at which they have a mean; the nearest finite one."""

    @abstractmethod
    def log_sum(self, field: Tensor) -> Tensor:
        """log of the sum of base(x) exp(f . x) over all x, `[*batch]`, in nats."""

    def keeping(self, x: Tensor) -> Units:
        """What they do given also what no draw changes of numbers they had, `[*batch, numbers]`: how many things."""
        return self

    def absent(self, x: Tensor) -> Tensor | None:
        """True at units that are not there, `[*batch, numbers]`; None where all always are."""
        return None


@dataclass(frozen=True)
class Bits(Units):
    """Zeros and ones, with the field as log odds."""

    def draw(self, field: Tensor) -> Tensor:
        return torch.rand_like(field).lt_(field.sigmoid())  # one tensor less than a comparison makes

    def mean(self, field: Tensor) -> Tensor:
        return field.sigmoid()

    def field_of(self, mean: Tensor) -> Tensor:
        return mean.logit(LEAST)

    def log_sum(self, field: Tensor) -> Tensor:
        return softplus(field).sum(-1)


@dataclass(frozen=True)
class States(Units):
    """Choices side by side, a one among zeros each, with the field as logits.

    Args:
        states: of each choice.
    """

    states: int

    def draw(self, field: Tensor) -> Tensor:
        logits = self._apart(field)
        chosen = torch.multinomial(logits.softmax(-1).flatten(0, -2), 1).reshape(logits.shape[:-1])
        return one_hot(chosen, self.states).to(field.dtype).flatten(-2)

    def mean(self, field: Tensor) -> Tensor:
        return self._apart(field).softmax(-1).flatten(-2)

    def field_of(self, mean: Tensor) -> Tensor:
        return mean.clamp_min(LEAST).log()

    def log_sum(self, field: Tensor) -> Tensor:
        return self._apart(field).logsumexp(-1).sum(-1)

    def absent(self, x: Tensor) -> Tensor | None:
        none = self._apart(x).sum(-1, keepdim=True) == 0
        return none.expand(*none.shape[:-1], self.states).flatten(-2)

    def _apart(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.states))


@dataclass(frozen=True, eq=False)
class Counts(Units):
    """How often each of several kinds was chosen, so many times in all, with the field as logits.

    Args:
        total: choices, a number or those of each row, `[*batch, 1]`; None before it is known.
    """

    total: int | Tensor | None

    def keeping(self, x: Tensor) -> Units:
        return Counts(x.sum(-1, keepdim=True)) if self.total is None else self

    def draw(self, field: Tensor) -> Tensor:
        p = field.softmax(-1).flatten(0, -2)
        totals = torch.as_tensor(self._known, device=field.device).expand(*field.shape[:-1], 1).reshape(-1, 1)
        most = self._known if isinstance(self._known, int) else int(totals.max())  # multinomial takes no tensor
        chosen = torch.multinomial(p, max(most, 1), replacement=True)
        counted = torch.arange(max(most, 1), device=field.device) < totals  # [rows, most]
        return torch.zeros_like(p).scatter_add_(-1, chosen, counted.to(p)).reshape(field.shape)

    def mean(self, field: Tensor) -> Tensor:
        return self._known * field.softmax(-1)

    def field_of(self, mean: Tensor) -> Tensor:
        return mean.clamp_min(LEAST).log()

    def log_sum(self, field: Tensor) -> Tensor:
        return torch.as_tensor(self._known * field.logsumexp(-1, keepdim=True))[..., 0]

    @property
    def _known(self) -> int | Tensor:
        if self.total is None:
            raise PlanError("counts: each row has its own total, which is not known here; give the machine a total.")
        return self.total


@dataclass(frozen=True, eq=False)
class Numbers(Units):
    """Gaussian real numbers, with mean field / precision.

    Args:
        precision: `[numbers]`.
    """

    precision: Tensor

    def draw(self, field: Tensor) -> Tensor:
        return self.mean(field) + torch.randn_like(field) / self.precision.sqrt()

    def mean(self, field: Tensor) -> Tensor:
        return field / self.precision

    def field_of(self, mean: Tensor) -> Tensor:
        return mean * self.precision

    def log_sum(self, field: Tensor) -> Tensor:
        return 0.5 * (field.square() / self.precision + log(2 * pi) - self.precision.log()).sum(-1)


def units_of(variable: Variable, precision: Tensor | None = None, counted: Total | None = None) -> Units:
    """The units of a variable.

    Args:
        variable: `Binary`, finite, `OneHot`, `Real`, or `Count`.
        precision: of real numbers, `[numbers]`.
        counted: what counts sum to.

    Raises:
        PlanError: when real numbers are kept near nothing, or counts may be of anything.
    """
    if isinstance(variable.domain, Binary):
        return Bits()
    if isinstance(variable.domain, Finite):
        return States(variable.size)
    if isinstance(variable.domain, OneHot):
        return States(variable.shape[-1])
    if isinstance(variable.domain, Real) and precision is not None:
        return Numbers(precision)
    if isinstance(variable.domain, Count) and counted is not None:
        return Counts(counted.total)
    missing = "Total" if isinstance(variable.domain, Count) else "Width"
    raise PlanError(f"{variable.name!r} is {variable.domain!r} without a {missing}, so that nothing sums to one.")
