"""The best variance of every step for means that are there already."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...data.data import Data
from ...networks.rest import resting
from .denoiser import Denoiser
from .model import Diffusion
from .process import noised


@torch.no_grad()
def optimal_variance(model: Diffusion, data: Data, draws: int = 1000, seed: int = 0) -> Diffusion:
    """The same model with the variances that its means deserve: no others of their kind have a lower bound.

    sigma^2[t] = variance of q(x_{t-1} | x_t, x_0) + (weight of x_0 in its mean)^2 E|x_0 - its prediction|^2 / d. The
    error of x_0 by step is what is measured and kept, in `state_dict` too, so that shorter ways have the best variances
    of their own. The network is shared.

    Args:
        model: its network has learned.
        data: x and what is given; rows that were not learned from tell the truth.
        draws: rows and noise drawn for each step.
        seed: of the draws.

    Returns:
        A model with variance 'fitted'.

    Raises:
        PlanError: when the model learns its variances itself, or nothing is drawn.

    Example:
        >>> from deepgen import cosine_noise, diffusion, ring
        >>> data = ring(1000)
        >>> model = diffusion(data.variable("x"), noise=cosine_noise(10))
        >>> optimal_variance(model, data).denoiser.variance
        'fitted'

    Reference: Bao, Li, Zhu and Zhang (2022), Analytic-DPM: an analytic estimate of the optimal reverse variance.
    """
    denoiser = model.denoiser
    if denoiser.variance == "learned" or draws < 1:
        given = f"the model's variance is {denoiser.variance!r} and draws is {draws}"
        raise PlanError(f"optimal_variance: {given}, expected any but 'learned', and 1 draw or more.")
    generator = torch.Generator(data[model.x.name].device).manual_seed(seed)
    with resting(denoiser):
        errors = [_error(model, data, step, draws, generator) for step in range(1, denoiser.schedule.steps + 1)]
    error = torch.stack([torch.zeros_like(errors[0]), *errors])
    fitted = Denoiser(denoiser.net, denoiser.schedule, denoiser.predicts, "fitted", error)
    return replace(model, denoiser=fitted.to(denoiser.place.device))


def _error(model: Diffusion, data: Data, step: int, draws: int, generator: torch.Generator) -> Tensor:
    """The mean squared error of a number of x_0 at one step."""
    device = model.denoiser.place.device
    rows = torch.randint(len(data), (draws,), generator=generator, device=generator.device)
    batch = {name: column.to(device) for name, column in data.batch(rows, generator).items()}
    start = batch[model.x.name]
    draw = torch.randn(start.shape, generator=generator, device=generator.device).to(start)
    steps = torch.full((draws,), step, device=device)
    now = noised(model.noise, start, steps, draw)
    return (model.denoiser.start(now, steps, *model.told(batch)) - start).double().square().mean()
