"""From noise to data: in any number of steps, guided, around what is known, or from a start that is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.engines.progress import Watched
from pgm.errors import PlanError, ShapeError

from .denoiser import Denoiser
from .noise import Noise
from .prediction import to_data
from .process import at, noised, posterior_mean


@dataclass(frozen=True)
class Sampler:
    """How to go from noise to data.

    Args:
        steps: how many, at most T; None for all. Fewer are a process of their own through every so-manieth step.
        eta: None draws from p(x_{t-1} | x_t) as it was learned; a number is the share of the noise of
            q(x_{t-1} | x_t, x_0) that is drawn anew, of which 0 makes the way deterministic (DDIM) and 1 is ancestral.
        guidance: how much further than a conditioned prediction to go, away from the unconditioned one; 0 for not.
        clip: the least and the most that x_0 may be at every step; None for any number.
        repeats: how often each step is taken with a known part, with noise in between, so that the rest fits it.
        progress: whether to show a bar on a terminal once it takes long.

    Raises:
        PlanError: when a number is not one of these.

    Reference: Ho, Jain and Abbeel (2020); Song, Meng and Ermon (2021), Denoising diffusion implicit models; Ho and
    Salimans (2022), Classifier-free diffusion guidance; Lugmayr et al. (2022), RePaint, for repeats.
    """

    steps: int | None = None
    eta: float | None = None
    guidance: float = 0.0
    clip: tuple[float, float] | None = None
    repeats: int = 1
    progress: bool = True

    def __post_init__(self) -> None:
        if self.eta is not None and not 0 <= self.eta <= 1:
            raise PlanError(f"sample: eta is {self.eta}, expected 0 (deterministic) to 1 (ancestral), or None.")
        if self.repeats < 1:
            raise PlanError(f"sample: repeats is {self.repeats}, expected 1 or more.")


@dataclass(frozen=True, eq=False)
class Known:
    """A part of every row that is known.

    Args:
        values: `[*batch, *event]`; what is not known does not count.
        mask: 1 or True where they are known, `[*event]` or `[*batch, *event]`.

    Raises:
        ShapeError: when the mask does not fit the values.
    """

    values: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        try:
            fits = torch.broadcast_shapes(self.mask.shape, self.values.shape) == self.values.shape
        except RuntimeError:
            fits = False
        if not fits:
            raise ShapeError(
                f"sample: mask has shape {tuple(self.mask.shape)}, expected that of the values, "
                f"{tuple(self.values.shape)}, or of one row."
            )


@torch.no_grad()
def walk(
    denoiser: Denoiser,
    now: Tensor,
    given: Sequence[Tensor] = (),
    *,
    sampler: Sampler,
    event: int,
    first: int | None = None,
    known: Known | None = None,
) -> Tensor:
    """x_0 from x_t, `[*batch, *event]`; Ctrl-C returns what the network has in mind by then.

    Args:
        denoiser: the way back.
        now: x_t at the first step, `[*batch, *event]`.
        given: what else the denoiser is told; zeros stand for nothing, as while training with guidance.
        sampler: how to go.
        event: how many axes are the event's.
        first: the step of the sampler's to begin at; None for the last one, that of pure noise.
        known: the part that is known.
    """
    noise, chosen = denoiser.noise.respaced(sampler.steps or denoiser.noise.steps)
    batch, start = now.shape[: now.dim() - event], now
    total = noise.steps if first is None else first
    with Watched(total, "steps", sampler.progress) as numbers:
        for number in numbers:
            steps = torch.full(batch, total - number, device=now.device)
            for repeat in range(sampler.repeats if known is not None and number < total - 1 else 1):
                if repeat:  # back up by one step of noise
                    alpha = noise.alpha[steps.flatten()[0]].to(now)
                    now = alpha.sqrt() * now + (1 - alpha).sqrt() * torch.randn_like(now)
                now, start = _step(denoiser, noise, chosen, now, steps, given, sampler, event)
                if known is not None:
                    now = _mended(noise, known, now, steps - 1)
    return start if numbers.interrupted else now


def _step(
    denoiser: Denoiser,
    noise: Noise,
    chosen: Tensor,
    now: Tensor,
    steps: Tensor,
    given: Sequence[Tensor],
    sampler: Sampler,
    event: int,
) -> tuple[Tensor, Tensor]:
    """x_{t-1} drawn, and the x_0 that the network has in mind."""
    whole = chosen.to(steps.device)[steps]
    said, between = _said(denoiser, now, whole, given, sampler.guidance)
    start = to_data(denoiser.noise, denoiser.predicts, said, now, whole)
    if sampler.clip is not None:
        start = start.clamp(*sampler.clip)
    if sampler.eta is None:
        mean = posterior_mean(noise, start, now, steps)
        deviation = (denoiser.log_variance_of(noise, between, steps, now) / 2).exp()
    else:
        before, kept = at(noise.kept, steps - 1, now), at(noise.kept, steps, now)
        deviation = sampler.eta * at(noise.posterior_variance.sqrt(), steps, now)
        direction = (now - kept.sqrt() * start) / (1 - kept).sqrt()
        mean = before.sqrt() * start + (1 - before - deviation.square()).clamp_min(0).sqrt() * direction
    drawn = torch.where(at(noise.kept, steps - 1, now) == 1, 0.0, deviation * torch.randn_like(now))  # not at the last
    return mean + drawn, start


def _said(
    denoiser: Denoiser, now: Tensor, steps: Tensor, given: Sequence[Tensor], guidance: float
) -> tuple[Tensor, Tensor | None]:
    """The prediction, moved away from what it would be if nothing were given."""
    said, between = denoiser.said(now, steps, *given)
    if guidance:
        blind, _ = denoiser.said(now, steps, *(torch.zeros_like(value) for value in given))
        said = said + guidance * (said - blind)
    return said, between


def _mended(noise: Noise, known: Known, now: Tensor, steps: Tensor) -> Tensor:
    """x_t with the known part as it is by then."""
    there = noised(noise, known.values, steps, torch.randn_like(now))
    return torch.where(known.mask.bool(), there, now)
