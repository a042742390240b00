"""The way back from noise to data: one network for all steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pgm.errors import PlanError

from .noise import Noise
from .prediction import Prediction, line, to_data
from .process import at, posterior_mean
from .schedule import FixedNoise, LearnedNoise

Variance = Literal["posterior", "added", "learned", "fitted"]
VARIANCES: tuple[Variance, ...] = ("posterior", "added", "learned", "fitted")


@dataclass(frozen=True, eq=False)
class Backward:
    """p(x_{t-1} | x_t), a Gaussian, for rows that are each at a step of their own.

    Args:
        start: the x_0 that the network has in mind, `[*batch, *event]`.
        mean: `[*batch, *event]`.
        log_variance: `[*batch, *event]`, or with axes of length 1.
    """

    start: Tensor
    mean: Tensor
    log_variance: Tensor


class Denoiser(nn.Module):
    """p(x_{t-1} | x_t) = N(mean, variance) at every step t, computed by one network.

    Args:
        net: takes x_t `[*batch, *event]`, the time t / T `[*batch, 1]` and what else is given, and returns what it
            predicts, `[*batch, *event]`; with a learned variance twice as many numbers along the last axis, of which
            the second half is where the log variance lies between its bounds, from -1 to 1.
        noise: the process to be undone, or a schedule that is learned.
        predicts: what the network says: 'noise', 'data' (x_0), 'mean' (of x_{t-1}) or 'v'.
        variance: 'posterior' (that of q(x_{t-1} | x_t, x_0), at step 1 that of 'added'), 'added' (by the step),
            'learned' between these two, or 'fitted' to the error.
        error: E (x_0 - its prediction)^2 of a number of x at every step, for 'fitted', `[T + 1]`; `optimal_variance`
            measures it. By default that of numbers of unit variance, for which 'added' is the best.

    Raises:
        PlanError: when there is no such prediction or variance, or noise is predicted where no signal is left.

    Reference: Ho, Jain and Abbeel (2020); Nichol and Dhariwal (2021) for the learned variance.
    """

    place: Tensor
    error: Tensor

    def __init__(
        self,
        net: Callable[..., Any],
        noise: Noise | FixedNoise | LearnedNoise,
        predicts: Prediction = "noise",
        variance: Variance = "posterior",
        error: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.schedule = FixedNoise(noise) if isinstance(noise, Noise) else noise
        kept = self.noise.kept.detach()
        line(self.noise, predicts)
        if variance not in VARIANCES:
            raise PlanError(f"diffusion: variance is {variance!r}, expected one of {', '.join(map(repr, VARIANCES))}.")
        if predicts == "noise" and kept[-1] == 0:
            raise PlanError("diffusion: no signal is left at the last step, where noise says nothing; predict 'v'.")
        self.net, self.predicts, self.variance = net, predicts, variance
        self.register_buffer("place", torch.zeros(()), persistent=False)
        self.register_buffer("error", 1 - kept if error is None else error, persistent=variance == "fitted")

    @property
    def noise(self) -> Noise:
        """The process, where the module is."""
        found: Noise = self.schedule()
        return found

    def start(self, now: Tensor, steps: Tensor, *given: Tensor) -> Tensor:
        """The mean of x_0 as the network sees it, `[*batch, *event]`.

        Args:
            now: x_t, `[*batch, *event]`.
            steps: t from 1 on, `[*batch]`.
            given: what else the network is told.
        """
        said, _ = self.said(now, steps, *given)
        return to_data(self.noise, self.predicts, said, now, steps)

    def said(self, now: Tensor, steps: Tensor, *given: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the network predicts, and where the log variance lies between its bounds, if it is learned."""
        time = (steps / self.schedule.steps).to(now.dtype).unsqueeze(-1)
        said = self.net(now, time, *given).to(now.dtype)  # sums that follow are of long floats
        if self.variance != "learned":
            return said, None
        first, second = said.chunk(2, -1)
        return first, second

    def forward(self, now: Tensor, steps: Tensor, *given: Tensor) -> Backward:
        """p(x_{t-1} | x_t); arguments as for `start`."""
        said, between = self.said(now, steps, *given)
        return self.backward_of(self.noise, said, between, now, steps)

    def backward_of(self, noise: Noise, said: Tensor, between: Tensor | None, now: Tensor, steps: Tensor) -> Backward:
        """p(x_{t-1} | x_t) of what the network said; the process is handed over, as a learned one is slow to make."""
        start = to_data(noise, self.predicts, said, now, steps)
        mean = said if self.predicts == "mean" else posterior_mean(noise, start, now, steps)
        least, most = (at(values, steps, now) for values in self.log_variances(noise, self.error))
        return Backward(start, mean, least if between is None else least + (between + 1) / 2 * (most - least))

    def log_variances(self, noise: Noise, error: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the most log variance of p(x_{t-1} | x_t) at every step, `[T + 1]`; one where none is learned.

        The variance that gives a mean the least cost is fitted[t] = posterior variance + weight of x_0^2 error[t]:
        'posterior' is right where x_0 is known, 'added' where it is of unit variance and nothing else is known of it.

        Args:
            noise: the process, or a shorter one through some of its steps.
            error: of x_0 at the same steps.

        Reference: Bao, Li, Zhu and Zhang (2022), Analytic-DPM, for the best variance.
        """
        if self.variance == "fitted":
            fitted = (noise.posterior_variance + noise.posterior_weights[0].square() * error).log()
            return fitted, fitted
        added, least = noise.beta.log(), noise.posterior_variance.clone()
        if self.variance == "added":
            return added, added
        learned = self.variance == "learned"
        least[1] = least[2] if learned and noise.steps > 1 else noise.beta[1]
        return least.log(), added if learned else least.log()
