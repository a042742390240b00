"""One network as the way back of a shorter process."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .denoiser import Denoiser
from .prediction import to_data


class Elsewhere(nn.Module):
    """What a denoiser has in mind at some of its steps, as a network of the process that has no others.

    Args:
        denoiser: of the whole process.
        chosen: its steps, `[steps + 1]`, 0 first.
    """

    chosen: Tensor

    def __init__(self, denoiser: Denoiser, chosen: Tensor) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.register_buffer("chosen", chosen, persistent=False)

    def forward(self, now: Tensor, time: Tensor, *given: Tensor) -> Tensor:
        """x_0, `[*batch, *event]`; and what is said of the variance behind it, where that is learned."""
        whole = self.denoiser
        steps = self.chosen[(time[..., 0] * (len(self.chosen) - 1)).round().long()]
        said, between = whole.said(now, steps, *given)
        start = to_data(whole.noise, whole.predicts, said, now, steps)
        return start if between is None else torch.cat([start, between], -1)


def respaced(denoiser: Denoiser, steps: int | Sequence[int]) -> Denoiser:
    """The way back through some of the steps only, with the same network; it predicts the data.

    Args:
        denoiser: of the whole process.
        steps: how many, spread evenly; or which, upwards.

    Raises:
        PlanError: when there are steps that the process does not have.

    Reference: Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models.
    """
    noise, chosen = denoiser.noise.respaced(steps)
    chosen = chosen.to(denoiser.place.device)
    return Denoiser(Elsewhere(denoiser, chosen), noise, "data", denoiser.variance, denoiser.error[chosen])
