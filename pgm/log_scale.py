"""Gaussians made of the log of their scale, as networks give it: a density of fewer operations than torch's own."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Normal


class LogScaleNormal(Normal):
    """torch's Normal(loc, exp(log_scale)), log p(x) = -((x - loc) / scale)^2 / 2 - log_scale - log(2 pi) / 2.

    torch squares the scale and takes the log of what was just exponentiated; in training that, and the gradients of it,
    are a good part of a small step.

    Args:
        loc: means.
        log_scale: logs of the standard deviations, of the same shape.

    Example:
        >>> made = LogScaleNormal(torch.zeros(2), torch.tensor([0.0, -60.0]))
        >>> made.log_prob(torch.zeros(2))  # torch's own squares exp(-60), which is 0 in short floats
        tensor([-0.9189, 59.0811])
    """

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        self.loc, self.log_scale, self.scale = loc, log_scale, log_scale.exp()
        Distribution.__init__(self, loc.shape, validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> LogScaleNormal:
        shape = Size(batch_shape)
        return LogScaleNormal(self.loc.expand(shape), self.log_scale.expand(shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * ((value - self.loc) / self.scale).square() - (self.log_scale + 0.5 * log(2 * pi))
