"""Sums and maxima of logs, with exact zeros."""

from __future__ import annotations

import torch
from torch import Tensor

from ...fields.build import safe_log


def soft_along(logs: Tensor, axis: int, temperature: float) -> Tensor:
    """T log sum exp(logs / T) along an axis, which is kept, with gradients that are 0 where all is -inf."""
    top = logs.amax(axis, keepdim=True)
    if temperature == 0.0:
        return top
    peak = torch.where(torch.isneginf(top), 0.0, top).detach()
    return peak + temperature * safe_log(((logs - peak) / temperature).exp().sum(axis, keepdim=True))


def span(logs: Tensor) -> Tensor:
    """The difference between the greatest and the least finite number along the last axis; 0 where there is none."""
    least = torch.where(torch.isneginf(logs), torch.inf, logs).amin(-1)
    return (logs.amax(-1) - least).clamp_min(0.0)
