"""Diffusion as a Markovian hierarchical VAE: its two graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import one_hot

from pgm.conditionals import Conditional
from pgm.terms import Capabilities
from pgm.variable import Variable

from ...conditionals.discretised import GAUSSIAN, Discretised
from ...pair import Pair
from ..hierarchical import markovian_hierarchy, stacked
from .denoiser import Denoiser
from .schedule import FixedNoise, LearnedNoise


class Noising(Conditional):
    """q(x_t | x_{t-1}) = N(sqrt(alpha[t]) x_{t-1}, 1 - alpha[t]), without parameters unless the schedule is learned.

    Args:
        child: x_t.
        given: x_{t-1}; and whatever else the model is conditioned on, which changes nothing here.
        schedule: makes the process.
        step: t.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], schedule: FixedNoise | LearnedNoise, step: int
    ) -> None:
        super().__init__(child, given)
        self.schedule, self.step = schedule, step

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=True, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        before, alpha = given[0], self.schedule().alpha[self.step]
        signal, spread = alpha.sqrt().to(before), (1 - alpha).sqrt().to(before)
        return gaussian(signal * before, spread, len(self.child.shape))


class Denoising(Conditional):
    """p(x_{t-1} | x_t) of a denoiser at one step.

    Args:
        child: x_{t-1}.
        given: x_t, and what else the denoiser is told.
        denoiser: computes all steps.
        step: t.
        levels: how many shades from -1 to 1 the child has; None when it is any number.
    """

    def __init__(
        self, child: Variable, given: Sequence[Variable], denoiser: Denoiser, step: int, levels: int | None = None
    ) -> None:
        super().__init__(child, given)
        self.denoiser, self.step, self.levels = denoiser, step, levels

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=self.levels is None, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        now, event = given[0], len(self.child.shape)
        steps = torch.full(now.shape[: now.dim() - event], self.step, device=now.device)
        said = self.denoiser(now, steps, *told(self.given[1:], given[1:]))
        return decoded(said.mean, said.log_variance, event, self.levels)


def told(variables: Sequence[Variable], values: Sequence[Tensor]) -> list[Tensor]:
    """What a network sees of what is given: states as one-hot rows, numbers as they are."""
    dtype = torch.get_default_dtype()
    return [one_hot(x, v.size).to(dtype) if v.finite else x for v, x in zip(variables, values, strict=True)]


def decoded(mean: Tensor, log_variance: Tensor, event: int, levels: int | None) -> Distribution:
    """A Gaussian of numbers; or of shades from -1 to 1, each with the probability of the bin around it.

    Args:
        mean: `[*batch, *event]`.
        log_variance: `[*batch, *event]`, or with axes of length 1.
        event: how many axes are the event's.
        levels: how many shades there are; None for numbers.

    Reference: Ho, Jain and Abbeel (2020), section 3.3, for shades.
    """
    deviation = (log_variance / 2).exp()
    if levels is None:
        return gaussian(mean, deviation, event)
    return Independent(Discretised(mean, deviation, levels, GAUSSIAN, low=-1.0), event, validate_args=False)


def gaussian(mean: Tensor, deviation: Tensor, event: int) -> Distribution:
    """Independent Gaussians, of which the last axes are one event."""
    made = Normal(mean, deviation.expand(mean.shape), validate_args=False)
    return Independent(made, event, validate_args=False) if event else made


def chain(
    x: Variable,
    denoiser: Denoiser,
    given: Sequence[Variable] = (),
    levels: int | None = None,
    name: str = "x",
) -> Pair:
    """The two graphs of a diffusion model: the guide x -> x1 -> ... -> xT adds noise, the model takes it away.

    It is a Markovian hierarchical VAE with three restrictions: latent variables have the shape of the data, the guide
    is linear, Gaussian and without parameters, and it ends where nothing is left but noise, the prior of xT.

    Args:
        x: what is observed, x_0.
        denoiser: computes p(x_{t-1} | x_t), and knows how much noise each step adds.
        given: what the denoiser is told besides, such as a label.
        levels: how many shades from -1 to 1 x has; None when it is any number.
        name: what the names of noisy variables begin with.

    Reference: Sohl-Dickstein et al. (2015); Ho, Jain and Abbeel (2020); Luo (2022), Understanding diffusion models, for
    the three restrictions.
    """
    states = [x, *stacked(name, [x.shape] * denoiser.noise.steps)]
    steps = {variable.name: step for step, variable in enumerate(states)}

    def up(child: Variable, parents: Sequence[Variable]) -> Conditional:
        return Noising(child, parents[:1], denoiser.schedule, steps[child.name])

    def down(child: Variable, parents: Sequence[Variable]) -> Conditional:
        parents = [parents[0], *given]
        return Denoising(child, parents, denoiser, steps[child.name] + 1, levels if child is x else None)

    return markovian_hierarchy(states, up, down)
