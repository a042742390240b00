"""What the units of a layer do, given the field that all others make: draws, means and sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor
from torch.nn.functional import one_hot, softplus

from pgm.domains import Binary, Finite, Real
from pgm.errors import PlanError
from pgm.variable import Variable

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


@dataclass(frozen=True)
class Bits(Units):
    """Zeros and ones, with the field as log odds."""

    def draw(self, field: Tensor) -> Tensor:
        return (torch.rand_like(field) < field.sigmoid()).to(field.dtype)

    def mean(self, field: Tensor) -> Tensor:
        return field.sigmoid()

    def field_of(self, mean: Tensor) -> Tensor:
        return mean.logit(LEAST)

    def log_sum(self, field: Tensor) -> Tensor:
        return softplus(field).sum(-1)


@dataclass(frozen=True)
class States(Units):
    """One of several states, a one among zeros, with the field as logits."""

    def draw(self, field: Tensor) -> Tensor:
        chosen = torch.multinomial(field.softmax(-1).flatten(0, -2), 1).reshape(field.shape[:-1])
        return one_hot(chosen, field.shape[-1]).to(field.dtype)

    def mean(self, field: Tensor) -> Tensor:
        return field.softmax(-1)

    def field_of(self, mean: Tensor) -> Tensor:
        return mean.clamp_min(LEAST).log()

    def log_sum(self, field: Tensor) -> Tensor:
        return field.logsumexp(-1)


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


def units_of(variable: Variable, precision: Tensor | None = None) -> Units:
    """The units of a variable.

    Args:
        variable: `Binary`, finite, or `Real`.
        precision: of real numbers, `[numbers]`.

    Raises:
        PlanError: when there are none of its kind, or real numbers are kept near nothing.
    """
    if isinstance(variable.domain, Binary):
        return Bits()
    if isinstance(variable.domain, Finite):
        return States()
    if isinstance(variable.domain, Real) and precision is not None:
        return Numbers(precision)
    if isinstance(variable.domain, Real):
        raise PlanError(f"{variable.name!r} is {variable.domain!r} without a Width, so that nothing sums to one.")
    raise PlanError(f"{variable.name!r} is {variable.domain!r}, expected Binary, Real, or a variable with states.")
