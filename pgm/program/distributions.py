"""Torch distributions in the form that Pyro takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from pyro.distributions import TorchDistribution
from torch import Size, Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal, Poisson
from torch.distributions.constraints import Constraint
from torch.distributions.kl import kl_divergence, register_kl

from ..conditionals import Conditional
from ..domains import Binary, Count, Finite
from ..variable import Variable


class Wrapped(TorchDistribution):
    """Any torch distribution, with what Pyro asks for besides: masks, expansion, enumeration.

    Args:
        made: the distribution.
        dtype: of its log density, so that those of one program can be added up.
        counts: whether it has that density; if not, draws come from it and the log density is 0.

    Example:
        >>> Wrapped(Normal(torch.zeros(3), 1.0), torch.float64, counts=False).log_prob(torch.ones(3))
        tensor([0., 0., 0.], dtype=torch.float64)
    """

    arg_constraints = {}

    def __init__(self, made: Distribution, dtype: torch.dtype, counts: bool = True) -> None:
        self.made, self.dtype, self.counts = made, dtype, counts
        super().__init__(made.batch_shape, made.event_shape, validate_args=False)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]  # torch declares a class attribute
        return self.made.has_rsample

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return self.made.has_enumerate_support

    @property
    def support(self) -> Constraint | None:
        return self.made.support

    @property
    def mean(self) -> Tensor:
        return self.made.mean

    @property
    def variance(self) -> Tensor:
        return self.made.variance

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> TorchDistribution:
        try:
            return Wrapped(self.made.expand(Size(batch_shape)), self.dtype, self.counts)
        except NotImplementedError:  # as torch's base class has it
            expanded: TorchDistribution = TorchDistribution.expand(self, Size(batch_shape))
            return expanded

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.made.sample(Size(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.made.rsample(Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self.counts:
            return self.made.log_prob(value).to(self.dtype)
        batch = value.shape[: value.dim() - len(self.event_shape)]
        return torch.zeros(np.broadcast_shapes(batch, self.batch_shape), dtype=self.dtype, device=value.device)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        found: Tensor = self.made.enumerate_support(expand=expand)
        return found


@register_kl(Wrapped, Wrapped)
def _kl(p: Wrapped, q: Wrapped) -> Tensor:
    return kl_divergence(p.made, q.made)


class Sampler(TorchDistribution):
    """Draws of a conditional that has no density; `log_prob` raises a `PlanError` that says so.

    Args:
        conditional: such as `Implicit`.
        given: its parents' values.
        batch_shape: that of the draws.
    """

    arg_constraints = {}

    def __init__(self, conditional: Conditional, given: Sequence[Tensor], batch_shape: Sequence[int]) -> None:
        self.conditional, self.given = conditional, tuple(given)
        super().__init__(Size(batch_shape), Size(conditional.child.shape), validate_args=False)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.conditional.capabilities.reparameterised

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Sampler:
        return Sampler(self.conditional, self.given, batch_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = (*sample_shape, *self.batch_shape)
        if not self.given:
            return self.conditional.draw(shape=shape)
        pairs = zip(self.conditional.given, self.given, strict=True)
        return self.conditional.draw(*(value.expand([*shape, *parent.shape]) for parent, value in pairs))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.conditional.distribution(*self.given).log_prob(value)


def of_conditional(conditional: Conditional, given: Sequence[Tensor], dtype: torch.dtype) -> TorchDistribution:
    """p(child | given) as Pyro takes it."""
    if conditional.capabilities.has_log_prob:
        return Wrapped(conditional.distribution(*given), dtype)
    batches = [value.shape[: value.dim() - len(v.shape)] for v, value in zip(conditional.given, given, strict=True)]
    return Sampler(conditional, given, np.broadcast_shapes(*batches))


def base(variable: Variable, like: Tensor) -> Distribution:
    """What a variable without a conditional is drawn from: uniform, standard normal, a fair coin, or Poisson(1)."""
    if isinstance(variable.domain, Finite):
        return Categorical(logits=like.new_zeros(variable.size), validate_args=False)
    zeros = like.new_zeros(variable.shape)
    if isinstance(variable.domain, Binary):
        made: Distribution = Bernoulli(logits=zeros, validate_args=False)
    elif isinstance(variable.domain, Count):
        made = Poisson(zeros + 1, validate_args=False)
    else:
        made = Normal(zeros, 1.0, validate_args=False)
    return Independent(made, len(variable.shape), validate_args=False) if variable.shape else made
