"""The prior of most latent variables: standard Gaussian, with nothing to learn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from pgm.conditionals import Conditional
from pgm.domains import Real
from pgm.errors import GraphError
from pgm.quick import LogScaleNormal, Together
from pgm.terms import Capabilities
from pgm.variable import Variable


class Standard(Conditional):
    """p(child) = N(child; 0, I), without parameters.

    Args:
        child: a variable of real numbers.

    Raises:
        GraphError: when it is of another kind.

    Example:
        >>> Standard(Variable("z", Real(2))).log_prob(torch.zeros(2)).item()  # -log(2 pi)
        -1.83...
    """

    mean: Tensor
    log_scale: Tensor

    def __init__(self, child: Variable) -> None:
        super().__init__(child, [])
        if not isinstance(child.domain, Real):
            raise GraphError(f"{self.subject}: {child.name!r} is {child.domain!r}, expected Real.")
        self.register_buffer("mean", torch.zeros(child.shape), persistent=False)
        self.register_buffer("log_scale", torch.zeros(child.shape), persistent=False)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=True, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        made = LogScaleNormal(self.mean, self.log_scale)
        return Together(made, len(self.child.shape)) if self.child.shape else made

    def draw(self, *given: Tensor, shape: Sequence[int] = ()) -> Tensor:
        """What its distribution draws, without making one at every step of training."""
        return torch.randn([*shape, *self.child.shape], device=self.mean.device, dtype=self.mean.dtype)
