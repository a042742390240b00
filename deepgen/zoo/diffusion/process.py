"""The process that adds noise, in closed form, for rows that are each at a step of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from .noise import Noise


def at(values: Tensor, steps: Tensor, like: Tensor) -> Tensor:
    """Numbers by step `[T + 1]` at some steps `[*batch]`, as `like` `[*batch, *event]` can be multiplied by them."""
    found = values.to(like.device, torch.float64)[steps].to(like.dtype)
    return found.reshape(*steps.shape, *[1] * (like.dim() - steps.dim()))


def noised(noise: Noise, start: Tensor, steps: Tensor, draw: Tensor) -> Tensor:
    """x_t = sqrt(kept[t]) x_0 + sqrt(1 - kept[t]) draw: with a standard Gaussian draw, one of q(x_t | x_0).

    Args:
        noise: the process.
        start: x_0, `[*batch, *event]`.
        steps: t, `[*batch]`.
        draw: standard Gaussian numbers, `[*batch, *event]`.

    Example:
        >>> from deepgen.zoo.diffusion import cosine_noise
        >>> noised(cosine_noise(10), torch.ones(2, 3), torch.tensor([0, 10]), torch.zeros(2, 3)).round(decimals=2)
        tensor([[1., 1., 1.],
                [0., 0., 0.]])
    """
    return at(noise.signal, steps, start) * start + at(noise.spread, steps, start) * draw


def posterior_mean(noise: Noise, start: Tensor, now: Tensor, steps: Tensor) -> Tensor:
    """The mean of q(x_{t-1} | x_t, x_0); its variance is `noise.posterior_variance[t]`.

    Args:
        noise: the process.
        start, now: x_0 and x_t, `[*batch, *event]`.
        steps: t from 1 on, `[*batch]`.

    Reference: Ho, Jain and Abbeel (2020), equation 7.
    """
    of_start, of_now = noise.posterior_weights
    return at(of_start, steps, now) * start + at(of_now, steps, now) * now


def spread(rows: int, most: int, device: torch.device) -> Tensor:
    """Steps from 1 to the most, each as likely as any other, spread evenly over the rows, `[rows]`."""
    places = (torch.randperm(rows, device=device) + torch.rand(1, device=device)) * (most / rows)
    return places.long().clamp_max(most - 1) + 1
