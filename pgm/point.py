"""The distribution of something that is certain."""

from __future__ import annotations

import torch
from torch import Size, Tensor
from torch.distributions import Distribution


class Point(Distribution):
    """All mass on one value: log p(x) = 0 where x equals it, else minus infinity.

    Args:
        value: shape `[*batch, *event]`.
        event_dim: how many of its last axes are the event.

    Example:
        >>> Point(torch.tensor([1.0, 2.0]), 1).log_prob(torch.tensor([[1.0, 2.0], [1.0, 3.0]]))
        tensor([0., -inf])
    """

    has_rsample = True
    arg_constraints = {}

    def __init__(self, value: Tensor, event_dim: int = 0) -> None:
        self.value = value
        split = value.dim() - event_dim
        super().__init__(value.shape[:split], value.shape[split:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.value)

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        return self.value.expand([*sample_shape, *self.value.shape])

    def expand(self, batch_shape: Size | list[int] | tuple[int, ...], _instance: object = None) -> Point:
        return Point(self.value.expand([*batch_shape, *self.event_shape]), len(self.event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        same = value == self.value
        if self.event_shape:
            same = same.flatten(-len(self.event_shape)).all(-1)
        floats = self.value.dtype if self.value.is_floating_point() else torch.get_default_dtype()
        return torch.zeros_like(same, dtype=floats).masked_fill(~same, -torch.inf)
