"""Where a process of noise comes from: it stays as it is, or it is learned."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from pgm.errors import PlanError

from .noise import Noise

BENDS = 32  # sigmoids that a learned schedule is made of
UNIT = 10.0  # nats of gamma for one of an end's parameter, so that ends move as fast as the weights of a network


class FixedNoise(nn.Module):
    """A process that stays as it is, on the device of the module.

    Args:
        noise: the process.
    """

    place: Tensor

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.register_buffer("place", torch.zeros(()), persistent=False)
        self._noise = Noise(noise.kept.detach())

    @property
    def steps(self) -> int:
        """T."""
        return self._noise.steps

    def forward(self) -> Noise:
        """The process."""
        if self._noise.kept.device != self.place.device:
            self._noise = self._noise.to(self.place.device)
        return self._noise


class LearnedNoise(nn.Module):
    """A process whose schedule is learned: kept[t] = sigmoid(-gamma[t]), where gamma rises from step 1 to step T.

    gamma = first + span * (rise(u) - rise(0)) / (rise(1) - rise(0)) at u = (t - 1) / (T - 1), where
    rise(u) = u + sum over k of exp(height[k]) sigmoid(exp(slope[k]) (u - centre[k])) rises whatever its parameters are.
    At first it is nearly a straight line. `learned_noise` makes one.

    Args:
        steps: T.
        first, last: log signal-to-noise ratio at step 1 and at step T to begin with; both are learned.

    Raises:
        PlanError: when there is no step, or the ratio does not fall.

    Reference: Kingma, Salimans, Poole and Ho (2021), Variational diffusion models.
    """

    numbers: Tensor

    def __init__(self, steps: int, first: float, last: float) -> None:
        super().__init__()
        if steps < 1 or first <= last:
            given = f"steps is {steps} and the log signal-to-noise ratio goes from {first:g} to {last:g}"
            raise PlanError(f"learned_noise: {given}, expected 1 step or more and a ratio that falls.")
        self.steps = steps
        self.register_buffer("numbers", torch.arange(steps), persistent=False)
        self.first = nn.Parameter(torch.tensor(-first / UNIT))
        self.span = nn.Parameter(torch.tensor(log((first - last) / UNIT)))
        self.centre = nn.Parameter((torch.arange(BENDS) + 0.5) / BENDS)
        self.slope = nn.Parameter(torch.full((BENDS,), log(float(BENDS))))
        self.height = nn.Parameter(torch.full((BENDS,), -log(float(BENDS))))

    def forward(self) -> Noise:
        """The process as it is by now, with gradients."""
        gamma = self.gamma()
        return Noise(torch.cat([torch.ones_like(gamma[:1]), torch.sigmoid(-gamma)]))

    def gamma(self) -> Tensor:
        """Minus the log signal-to-noise ratio of steps 1 to T, `[T]`, upwards."""
        share = self.numbers.double() / max(self.steps - 1, 1)  # float64: 1 - kept is tiny at the first steps
        low, high = (self._rise(share.new_tensor([end])) for end in (0.0, 1.0))
        shape = (self._rise(share) - low) / (high - low)
        return UNIT * (self.first.double() + self.span.double().exp() * shape)

    def _rise(self, share: Tensor) -> Tensor:
        """A function that rises, at places `[n]`, with slope 1 at least."""
        bends = torch.sigmoid(self.slope.double().exp() * (share[:, None] - self.centre.double()))
        return share + bends @ self.height.double().exp()

    def extra_repr(self) -> str:
        return f"{self.steps} steps"


def learned_noise(steps: int = 1000, first: float = 10.0, last: float = -10.0) -> LearnedNoise:
    """A schedule that `denoised(model, "bound")` learns together with the network.

    Args:
        steps: T.
        first, last: log signal-to-noise ratio after the first and the last step, to begin with.

    Raises:
        PlanError: when there is no step, or the ratio does not fall.

    Example:
        >>> learned_noise(100)()
        Noise(100 steps, log signal-to-noise ratio 10.0 to -10.0)

    Reference: Kingma, Salimans, Poole and Ho (2021), Variational diffusion models.
    """
    return LearnedNoise(steps, first, last)
