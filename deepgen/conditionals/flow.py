"""Guides that are no Gaussians: normalising flows, whose draws come with their density in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint, independent, real

from pgm.conditionals import Conditional
from pgm.domains import Real
from pgm.errors import GraphError, PlanError
from pgm.neural import Neural
from pgm.variable import Variable

from ..networks.network import Network

Posterior = Callable[[Variable, Sequence[Variable], Network], Conditional]
"""Makes q(child | given) with a network: `neural`, or `flow(...)`."""


def flow(transforms: int = 2, hidden: Sequence[int] = (64,), features: int = 64) -> Posterior:
    """Makes inverse autoregressive flows, child = T(noise; h(given)): posteriors of many shapes.

    Each transform moves and stretches one number after the other by amounts that depend on those before it and on
    features h of the parents, in turn from the first to the last and back. Drawing takes one pass, and the log density
    of a draw comes with it; that of any other value takes one pass a number.

    Args:
        transforms: how many, one after the other.
        hidden: units of each hidden layer of each transform.
        features: how many numbers the network makes of the parents.

    Raises:
        PlanError: when zuko is not installed.

    Example:
        >>> from pgm import Binary
        >>> from deepgen.zoo.vae import vae
        >>> vae(Variable("image", Binary(8, 8)), latents=4, posterior=flow(transforms=3)).guide.conditionals["z"]
        Neural(z | image)

    Reference: Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016), Improving variational inference with
    inverse autoregressive flow.
    """
    lazy, flows = _zuko()

    def make(child: Variable, given: Sequence[Variable], network: Network) -> Neural:
        if not isinstance(child.domain, Real) or len(child.shape) != 1:
            raise GraphError(f"flow({child.name}): it is {child.domain!r}, expected Real(n); use neural.")
        forward = flows.MAF(child.shape[0], features, transforms=transforms, hidden_features=tuple(hidden))
        inverse = lazy.Flow(forward.transform.inv, forward.base)  # zuko's own direction is from values to noise
        return Neural(child, given, Flow(inverse), network(given, [features]))

    return make


class Flow(nn.Module):
    """A zuko flow as a family for `Neural`: the net's numbers are its context.

    Args:
        flow: takes a context `[*batch, features]` and returns a distribution.
    """

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, context: Tensor) -> Distribution:
        """The distribution of a value for each row of the context."""
        return Remembered(self.flow(context))


class Remembered(Distribution):
    """A flow's distribution that remembers the density of its latest draw, which came with it.

    Args:
        made: a distribution with `rsample_and_log_prob`, as zuko's flows have it.
        latest: the draw and its log density, shared with what this is expanded to.
    """

    arg_constraints = {}
    has_rsample = True

    def __init__(self, made: Any, latest: list[Tensor] | None = None) -> None:
        self.made, self.latest = made, [] if latest is None else latest
        super().__init__(made.batch_shape, made.event_shape, validate_args=False)

    @property
    def support(self) -> Constraint:
        return independent(real, len(self.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Remembered:
        return Remembered(self.made.expand(Size(batch_shape)), self.latest)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        value, density = self.made.rsample_and_log_prob(Size(sample_shape))
        self.latest[:] = value, density
        found: Tensor = value
        return found

    def log_prob(self, value: Tensor) -> Tensor:
        known = bool(self.latest) and self.latest[0] is value
        if known and (self.latest[1].requires_grad or not torch.is_grad_enabled()):  # `sample` cuts the gradient off
            return self.latest[1]
        found: Tensor = self.made.log_prob(value)
        return found


def _zuko() -> tuple[Any, Any]:
    """zuko's lazy distributions and its flows."""
    try:
        from zuko import flows, lazy
    except ImportError:
        raise PlanError("flow: it is made by zuko; pip install 'pgm-deepgen[deepgen]'.") from None
    return lazy, flows
