"""Likelihoods of shades that are whole numbers: what a density has in the bin around each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid
from torch.special import erfc, erfcx, ndtr

from pgm.errors import ShapeError
from pgm.neural import Family

from ..networks.network import Network

LEAST, MOST = -7.0, 7.0  # of log scales: within these all logs and slopes are finite in single precision


def discretised_logistic(levels: int = 256) -> Family:
    """A family of shades k / (levels - 1) with the probability that a logistic density has in the bin around each.

        p(k) = s((x + h - mean) / scale) - s((x - h - mean) / scale), s the logistic function, h = 1 / (2 levels - 2)

    The first and the last bin are open-ended. Parameters are means and log scales, cut off at -7 and 7, side by side
    along the last axis: `twice(network)` makes a network of that many. Its log probability in nats gives bits per
    dimension that may be compared with those published for 8-bit images, with 256 levels.

    Args:
        levels: how many shades there are from 0 to 1; 256 for 8 bits, 17 for `digits`.

    Raises:
        ShapeError: when there is only one level.

    Example:
        >>> shades = torch.arange(17.0)[:, None] / 16
        >>> round(discretised_logistic(17)(torch.zeros(17, 2)).log_prob(shades).exp().sum().item(), 4)
        1.0

    Reference: Salimans, Karpathy, Chen and Kingma (2017), PixelCNN++.
    """
    return _family(levels, LOGISTIC)


def discretised_gaussian(levels: int = 256) -> Family:
    """A family of shades k / (levels - 1) with the probability that a Gaussian has in the bin around each.

        p(k) = F((x + h - mean) / scale) - F((x - h - mean) / scale), F that of N(0, 1), h = 1 / (2 levels - 2)

    Otherwise as `discretised_logistic`.

    Args, Raises: as for `discretised_logistic`.

    Example:
        >>> black = discretised_gaussian(2)(torch.tensor([[0.5, 0.0]]))  # of black and white, mean 1/2
        >>> black.log_prob(torch.zeros(1, 1)).exp()
        tensor([[0.5000]])

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, section 3.3.
    """
    return _family(levels, GAUSSIAN)


def twice(network: Network) -> Network:
    """The same networks with two numbers for each one of the child: means and log scales, along the last axis.

    Args:
        network: makes networks.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.conditionals import neural
        >>> from deepgen.networks import mlp
        >>> z, image = Variable("z", Real(2)), Variable("image", Real(8, 8))
        >>> neural(image, [z], twice(mlp(20)), discretised_logistic(17))
        Neural(image | z)
    """
    return lambda given, shape: network(given, [*shape[:-1], 2 * shape[-1]])


@dataclass(frozen=True)
class Base:
    """A standard density, the same on both sides of 0.

    Args:
        log_below: the log probability of all below x.
        log_within: that of an interval, by its middle, at most 0, and its width.
        draw: a quantile: what a uniform number stands for.
    """

    log_below: Callable[[Tensor], Tensor]
    log_within: Callable[[Tensor, Tensor], Tensor]
    draw: Callable[[Tensor], Tensor]


class Discretised(Distribution):
    """Shades 0, 1 / (levels - 1), ..., 1 with what a density has in the bin around each, open-ended at both ends.

    Args:
        centre, scale: of the density, `[*batch]`.
        levels: how many shades.
        base: the density with centre 0 and scale 1.
        low: what black is, when shades go from there to 1.
    """

    arg_constraints = {"centre": constraints.real, "scale": constraints.positive}

    def __init__(self, centre: Tensor, scale: Tensor, levels: int, base: Base, low: float = 0.0) -> None:
        self.span, self.low = 1 - low, low
        self.centre, self.scale = torch.broadcast_tensors((centre - low) / self.span, scale / self.span)
        self.levels, self.base = levels, base
        super().__init__(self.centre.shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """From black to white."""
        return constraints.interval(self.low, 1.0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Of the shade nearest to each value, `[*sample, *batch]`."""
        last = self.levels - 1
        shade, width = ((value - self.low) / self.span * last).round(), 1 / (last * self.scale)
        z = (shade / last - self.centre) / self.scale
        within = self.base.log_within(-z.abs(), width)
        lowest, highest = self.base.log_below(z + width / 2), self.base.log_below(width / 2 - z)
        return torch.where(shade <= 0, lowest, torch.where(shade >= last, highest, within))

    @torch.no_grad()
    def sample(self, sample_shape: Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Shades, `[*sample, *batch]`."""
        uniform = torch.rand(Size([*sample_shape, *self.batch_shape]), dtype=self.scale.dtype, device=self.scale.device)
        drawn = self.centre + self.scale * self.base.draw(uniform)
        shade = (drawn * (self.levels - 1)).round().clamp(0, self.levels - 1)
        return self.low + self.span * shade / (self.levels - 1)

    @property
    def mean(self) -> Tensor:
        """The mean of the shades, from the probabilities of being at or above each."""
        last, total = self.levels - 1, torch.zeros_like(self.centre)
        for shade in range(1, self.levels):  # all at once they would not fit into memory
            total = total + self.base.log_below((self.centre - (shade - 0.5) / last) / self.scale).exp()
        return self.low + self.span * total / last

    def expand(self, batch_shape: Size | list[int] | tuple[int, ...], _instance: Any = None) -> Discretised:
        """The same with more axes in front."""
        centre, scale = self.low + self.span * self.centre, self.span * self.scale
        return Discretised(centre.expand(batch_shape), scale.expand(batch_shape), self.levels, self.base, self.low)


def _family(levels: int, base: Base) -> Family:
    if levels < 2:
        raise ShapeError(f"discretised: levels is {levels}, expected 2 or more, such as 256 for 8 bits.")

    def family(centre_and_log_scale: Tensor) -> Distribution:
        centre, log_scale = centre_and_log_scale.chunk(2, -1)
        return Discretised(centre, log_scale.clamp(LEAST, MOST).exp(), levels, base)

    return family


def _log_within_logistic(middle: Tensor, width: Tensor) -> Tensor:
    """s(b) - s(a) = s(b) s(-a) (1 - exp(a - b)): nothing cancels."""
    return logsigmoid(middle + width / 2) + logsigmoid(width / 2 - middle) + (-torch.expm1(-width)).log()


def _log_below_gaussian(x: Tensor) -> Tensor:
    """log F(x); torch's own has wrong slopes below -1000 in single precision."""
    low = x < -1
    tail, rest = torch.where(low, x, -1.0), torch.where(low, 0.0, x)
    return torch.where(low, (erfcx(-tail / ROOT) / 2).log() - tail.square() / 2, torch.log1p(-erfc(rest / ROOT) / 2))


def _log_within_gaussian(middle: Tensor, width: Tensor) -> Tensor:
    """log F(b) + log(1 - F(a) / F(b)), with F(x) = exp(-x^2 / 2) erfcx(-x / sqrt 2) / 2, where b is not far above 0."""
    near = middle + width / 2 < 1
    m, w = torch.where(near, middle, 0.0), torch.where(near, width, 1.0)
    low, high = m - w / 2, m + w / 2
    gain = (erfcx(-high / ROOT) / erfcx(-low / ROOT)).log() - w * m  # log of F(b) / F(a): both parts are above 0
    tails = ndtr(-middle - width / 2) + ndtr(middle - width / 2)
    far = torch.log1p(-torch.where(near, 0.0, tails))
    return torch.where(near, _log_below_gaussian(high) + (-torch.expm1(-gain)).log(), far)


ROOT = sqrt(2)
LOGISTIC = Base(logsigmoid, _log_within_logistic, torch.logit)
GAUSSIAN = Base(_log_below_gaussian, _log_within_gaussian, torch.special.ndtri)
