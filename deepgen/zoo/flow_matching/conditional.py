"""A flow as a conditional of a graph, with draws and an exact density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Size, Tensor
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint, independent, real

from pgm.conditionals import Conditional
from pgm.terms import Capabilities
from pgm.variable import Variable

if TYPE_CHECKING:
    from .model import FlowMatching


class Flowed(Conditional):
    """p(x | given) as noise that a flow carries.

    Args:
        child: x.
        given: what the flow is told.
        flow: carries it.
    """

    def __init__(self, child: Variable, given: Sequence[Variable], flow: FlowMatching) -> None:
        super().__init__(child, given)
        self.flow, self.velocity = flow, flow.velocity

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=False, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        events = (value.dim() - len(v.shape) for v, value in zip(self.given, given, strict=True))
        batch = torch.broadcast_shapes(*(value.shape[:n] for n, value in zip(events, given, strict=True)))
        return Carried(self.flow, {v.name: value for v, value in zip(self.given, given, strict=True)}, batch)


class Carried(Distribution):
    """What a flow makes of noise, one for each row of what is given.

    Args:
        flow: carries it.
        given: by name, `[*batch, *event]`.
        batch: the shape of the batch.
    """

    arg_constraints = {}

    def __init__(self, flow: FlowMatching, given: Mapping[str, Tensor], batch: Size) -> None:
        self.flow, self.given = flow, given
        super().__init__(batch, Size(flow.x.shape), validate_args=False)

    @property
    def support(self) -> Constraint:
        return independent(real, len(self.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Carried:
        return Carried(self.flow, self.given, Size(batch_shape))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        batch = (*sample_shape, *self.batch_shape)
        return self.flow.sample(prod(batch), self._rows(batch), progress=False).reshape(*batch, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        batch = torch.broadcast_shapes(value.shape[: value.dim() - len(self.event_shape)], self.batch_shape)
        x = value.to(self.flow.velocity.place).expand(*batch, *self.event_shape).reshape(-1, *self.event_shape)
        return self.flow.log_prob({self.flow.x.name: x, **self._rows(batch)}).reshape(batch)

    def _rows(self, batch: Sequence[int]) -> dict[str, Tensor]:
        """What is given, one row for each of the batch."""
        found = {}
        for v in self.flow.given:
            found[v.name] = self.given[v.name].expand(*batch, *v.shape).reshape(prod(batch), *v.shape)
        return found
