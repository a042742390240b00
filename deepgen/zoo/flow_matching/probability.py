"""A diffusion model as a flow: the equation whose densities are those of its process at all times."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgm.errors import PlanError

from ..diffusion.denoiser import Denoiser
from ..diffusion.model import Diffusion
from ..diffusion.prediction import line
from .model import FlowMatching
from .velocity import PACE, Velocity


def probability_flow(model: Diffusion) -> FlowMatching:
    """The same distribution by a differential equation, with densities of its own and all solvers of flows.

    Noise and data that are scaled to sum to 1 move on the straight paths of flow matching: x_t of diffusion, divided by
    sqrt(kept) + sqrt(1 - kept), is x at time sqrt(kept) / (sqrt(kept) + sqrt(1 - kept)). Euler's method is then DDIM.

    Args:
        model: learned already; it is not copied.

    Raises:
        PlanError: when it has a single step, between which and another there is no way.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.diffusion import diffusion
        >>> flow = probability_flow(diffusion(Variable("x", Real(2)), predicts="v"))
        >>> flow.sample(3, steps=5, seed=0).shape
        torch.Size([3, 2])

    Reference: Song et al. (2021), Score-based generative modeling through stochastic differential equations; Song, Meng
    and Ermon (2021), Denoising diffusion implicit models.
    """
    if model.noise.steps < 2:
        raise PlanError("probability_flow: the model has 1 step, expected 2 or more.")
    return FlowMatching(model.x, Velocity(Undone(model.denoiser)), model.given, model.levels, model.dropped)


class Undone(nn.Module):
    """The velocity of a denoiser's probability flow, between its first and its last step.

    Args:
        denoiser: says what x_0 is at every step; between steps it is asked for times between.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, now: Tensor, time: Tensor, *given: Tensor) -> Tensor:
        """x `[*batch, *event]` and times `[*batch, 1]`, at Velocity's pace, to a velocity `[*batch, *event]`."""
        noise = self.denoiser.noise
        signal, spread = noise.signal, noise.spread
        times = (signal / (signal + spread))[1:]  # downwards: those of steps 1 to T
        time = (time[..., 0].double() / PACE).clamp(times[-1].item(), times[0].item())
        below = torch.searchsorted(-times, -time).clamp(1, len(times) - 1)  # the first step that is noisier
        share = (times[below - 1] - time) / (times[below - 1] - times[below])
        of_start, of_now = (slope[1:] for slope in line(noise, self.denoiser.predicts))
        wide = [*time.shape, *[1] * (now.dim() - time.dim())]

        def between(values: Tensor) -> Tensor:
            return torch.lerp(values[below - 1], values[below], share).to(now.dtype).reshape(wide)

        there = now * between((signal + spread)[1:])
        said, _ = self.denoiser.said(there, below + share, *given)
        start = between(1 / of_start) * said - between(of_now / of_start) * there
        return (start - now) / (1 - time.to(now.dtype).reshape(wide))
