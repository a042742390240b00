"""The way from noise to data, worked out before the network is asked anything: a straight line at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.errors import PlanError

from .denoiser import Denoiser
from .noise import Noise
from .prediction import line


@dataclass(frozen=True)
class Leg:
    """One step back: x_0 = of_said * said + of_seen * x_t, and x_{t-1} = start * x_0 + now * x_t + deviation * noise.

    Args:
        step: t, as the network is told.
        kept, before: share of the variance that is signal at x_t and at x_{t-1}.
        of_said, of_seen: of what the network says and of x_t in the x_0 that it has in mind.
        start, now: of x_0 and of x_t in the mean of x_{t-1}.
        deviation: of what is drawn; 0 at the last leg.
        growth: with learned variances the deviation is multiplied by exp(growth * share), where the share is what the
            network says of it, from 0 to 1; 0 otherwise.
    """

    step: int
    kept: float
    before: float
    of_said: float
    of_seen: float
    start: float
    now: float
    deviation: float
    growth: float

    @property
    def alpha(self) -> float:
        """Share of the variance that a step of noise from x_{t-1} to x_t keeps."""
        return self.kept / self.before


@dataclass(frozen=True)
class Route:
    """All legs from x_T to x_0.

    Args:
        legs: from the noisiest to the last.

    Example:
        >>> from torch import nn
        >>> from .noise import cosine_noise
        >>> print(route(Denoiser(nn.Identity(), cosine_noise(1000), "v"), steps=4, eta=0.0))
        step   signal  of x_0  of x_t   noise
        1000   0.0000  0.3798  0.9251  0.0000
         750   0.1443  0.4106  0.7691  0.0000
         500   0.4938  0.5340  0.5498  0.0000
         250   0.8470  1.0000  0.0000  0.0000
    """

    legs: tuple[Leg, ...]

    def __str__(self) -> str:
        rows = [f"{leg.step:>4}{leg.kept:9.4f}{leg.start:8.4f}{leg.now:8.4f}{leg.deviation:8.4f}" for leg in self.legs]
        return "\n".join(["step   signal  of x_0  of x_t   noise", *rows])

    def __len__(self) -> int:
        return len(self.legs)


@torch.no_grad()
def route(denoiser: Denoiser, steps: int | Sequence[int] | None = None, eta: float | None = None) -> Route:
    """The legs of a denoiser's way back.

    Args:
        denoiser: knows the process, what the network says, and the variances of its own steps.
        steps: how many, spread evenly over the process; or the steps themselves, upwards; None for all of them.
        eta: None for the denoiser's own variances; a number is the share of the deviation of q(x_{t-1} | x_t, x_0)
            that is drawn anew: 0 makes the way deterministic (DDIM), 1 is ancestral.

    Raises:
        PlanError: when there are steps that the process does not have, or eta is no share.

    Reference: Ho, Jain and Abbeel (2020); Song, Meng and Ermon (2021), Denoising diffusion implicit models.
    """
    if eta is not None and not 0 <= eta <= 1:
        raise PlanError(f"sample: eta is {eta}, expected 0 (deterministic) to 1 (ancestral), or None.")
    whole = denoiser.noise.to("cpu")
    noise, chosen = whole.respaced(whole.steps if steps is None else steps)
    of_start, of_now = (slope[chosen][1:] for slope in line(whole, denoiser.predicts))
    mean, deviation, growth = _own(denoiser, noise, chosen) if eta is None else _shared(noise, eta)
    deviation[0] = 0.0  # nothing is drawn at the last leg
    columns = (
        chosen[1:],
        noise.kept[1:],
        noise.kept[:-1],
        1 / of_start,
        -of_now / of_start,
        *mean,
        deviation,
        growth,
    )
    return Route(tuple(Leg(*row) for row in zip(*(column.flip(0).tolist() for column in columns), strict=True)))


def _own(denoiser: Denoiser, noise: Noise, chosen: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Means and deviations of p(x_{t-1} | x_t), `[T]` each."""
    start, now = noise.posterior_weights
    least, most = denoiser.log_variances(noise, denoiser.error.to("cpu")[chosen])
    return (start[1:], now[1:]), (least[1:] / 2).exp(), (most[1:] - least[1:]) / 2


def _shared(noise: Noise, eta: float) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Means that go on in the direction of the noise that there was, `[T]` each, for the right share of it."""
    kept, before = noise.kept[1:], noise.kept[:-1]
    deviation = eta * noise.posterior_variance[1:].sqrt()
    now = ((1 - before - deviation.square()).clamp_min(0) / (1 - kept)).sqrt()
    return (before.sqrt() - now * kept.sqrt(), now), deviation, torch.zeros_like(deviation)
