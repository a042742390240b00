"""The evidence lower bound of diffusion in three closed-form terms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...networks.rest import resting
from .chain import decoded
from .denoiser import Backward, Denoiser
from .noise import Noise
from .process import noised, posterior_mean, spread


@dataclass(frozen=True, eq=False)
class Costs:
    """What minus the evidence lower bound is made of, in nats: L_T + sum over t of L_{t-1} + L_0.

    Args:
        prior: KL(q(x_T | x_0) || N(0, I)), `[*batch]`.
        steps: KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) of t = 2, ..., T, `[T - 1, *batch]`.
        data: -log p(x_0 | x_1), `[*batch]`.
    """

    prior: Tensor
    steps: Tensor
    data: Tensor

    @property
    def total(self) -> Tensor:
        """An upper bound of -log p(x_0) on average, `[*batch]`."""
        return self.prior + self.steps.sum(0) + self.data

    def __str__(self) -> str:
        names = ("prior L_T", "steps L_1 to L_{T-1}", "data L_0", "total")
        values = (self.prior, self.steps.sum(0), self.data, self.total)
        return "\n".join(
            f"{name:<22}{value.mean().item():10.4f} nats" for name, value in zip(names, values, strict=True)
        )


def prior_cost(noise: Noise, start: Tensor, event: int) -> Tensor:
    """L_T = KL(q(x_T | x_0) || N(0, I)), `[*batch]`, in nats.

    Args:
        noise: the process.
        start: x_0, `[*batch, *event]`.
        event: how many axes are the event's.
    """
    kept = noise.kept[-1].to(start)
    return _sum(0.5 * (kept * start.square() - kept - torch.log1p(-kept)), event)


def step_cost(
    noise: Noise, start: Tensor, now: Tensor, steps: Tensor, said: Backward, event: int, levels: int | None
) -> Tensor:
    """L_{t-1} of rows that are each at a step of their own, L_0 where t is 1, `[*batch]`, in nats.

    Args:
        noise: the process.
        start, now: x_0 and x_t, `[*batch, *event]`.
        steps: t, `[*batch]`.
        said: p(x_{t-1} | x_t).
        event: how many axes are the event's.
        levels: how many shades x_0 has; None when it is any number.
    """
    first = -decoded(said.mean, said.log_variance, event, levels).log_prob(start)
    if noise.steps == 1:
        return first
    variance = noise.posterior_variance.to(start.device)[steps.clamp_min(2)].to(start.dtype)
    variance = variance.reshape(*steps.shape, *[1] * event)
    mean = posterior_mean(noise, start, now, steps)
    ratio = variance.log() - said.log_variance
    apart = (mean - said.mean).square() * (-said.log_variance).exp()
    later = _sum(0.5 * (ratio.exp() - 1 - ratio + apart), event)
    return torch.where(steps == 1, first, later)


@torch.no_grad()
def costs(
    denoiser: Denoiser, start: Tensor, *given: Tensor, event: int, levels: int | None = None, draws: int = 1
) -> Costs:
    """All terms of minus the evidence lower bound, with draws of x_t of every step.

    The network is at rest meanwhile, so that dropout is for training alone.

    Args:
        denoiser: whose bound it is.
        start: x_0, `[*batch, *event]`.
        given: what else the denoiser is told, `[*batch, ...]`.
        event: how many axes are the event's.
        levels: how many shades x_0 has; None when it is any number.
        draws: of x_t for each row and step, averaged.
    """
    noise, batch = denoiser.noise, start.shape[: start.dim() - event]
    found: list[Tensor] = []
    with resting(denoiser):
        for t in range(1, noise.steps + 1):
            steps = torch.full(batch, t, device=start.device)
            total = torch.zeros(batch, dtype=start.dtype, device=start.device)
            for _ in range(draws):
                now = noised(noise, start, steps, torch.randn_like(start))
                total = total + step_cost(noise, start, now, steps, denoiser(now, steps, *given), event, levels)
            found.append(total / draws)
    later = torch.stack(found[1:]) if len(found) > 1 else start.new_zeros(0, *batch)
    return Costs(prior_cost(noise, start, event), later, found[0])


@torch.no_grad()
def sampled_costs(
    denoiser: Denoiser, start: Tensor, *given: Tensor, event: int, levels: int | None = None, draws: int = 10
) -> Costs:
    """Minus the evidence lower bound with only some of the steps, on average the same as all of them.

    L_T and L_0 are there; of the others as many as `draws` are, `[draws, rows]`, spread evenly over the steps and
    weighted so that they stand for all.

    Args:
        denoiser: whose bound it is.
        start: x_0, `[rows, *event]`.
        given: what else the denoiser is told, `[rows, ...]`.
        event, levels: as for `costs`.
        draws: of steps for each row.
    """
    noise, rows, later = denoiser.noise, len(start), denoiser.noise.steps - 1

    def cost(steps: Tensor) -> Tensor:
        now = noised(noise, start, steps, torch.randn_like(start))
        return step_cost(noise, start, now, steps, denoiser(now, steps, *given), event, levels)

    with resting(denoiser):
        first = cost(torch.ones(rows, dtype=torch.long, device=start.device))
        some = [later / draws * cost(spread(rows, later, start.device) + 1) for _ in range(draws if later else 0)]
    return Costs(prior_cost(noise, start, event), torch.stack(some) if some else start.new_zeros(0, rows), first)


def _sum(values: Tensor, event: int) -> Tensor:
    return values.sum(tuple(range(-event, 0))) if event else values
