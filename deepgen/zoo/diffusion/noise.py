"""How much noise there is after each step, and everything that follows from it in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import cos, pi

import torch
from torch import Tensor

from pgm.errors import PlanError, ShapeError

MOST = 0.999  # of a step's variance that is replaced by noise in the cosine schedule


@dataclass(frozen=True, eq=False)
class Noise:
    """The signal that is left after each of T steps: x_t = sqrt(kept[t]) x_0 + sqrt(1 - kept[t]) noise.

    The literature writes alpha-bar for kept. Step 0 is the data; step t keeps alpha[t] = kept[t] / kept[t - 1] of the
    variance that there was and adds beta[t] = 1 - alpha[t] of noise.

    Args:
        kept: share of the variance that is signal, `[T + 1]`, from 1 down, less at every step, and never below 0.

    Raises:
        PlanError: when there is no step.
        ShapeError: when the shares do not go down from 1.

    Example:
        >>> linear_noise(1000)
        Noise(1000 steps, log signal-to-noise ratio 9.2 to -10.1)

    Reference: Sohl-Dickstein, Weiss, Maheswaranathan and Ganguli (2015), Deep unsupervised learning using
    nonequilibrium thermodynamics; Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models.
    """

    kept: Tensor

    def __post_init__(self) -> None:
        if self.kept.dim() != 1 or len(self.kept) < 2:
            raise PlanError(f"Noise: kept has shape {tuple(self.kept.shape)}, expected [T + 1] with one step or more.")
        if self.kept.requires_grad:  # learned schedules fall as they are made, and looking would wait for the device
            return
        falls = self.kept.diff() < 0
        if not bool(falls.all()):
            t = int((~falls).int().argmax()) + 1
            before, after = self.kept[t - 1 : t + 1].tolist()
            raise ShapeError(f"Noise: kept goes from {before:g} to {after:g} at step {t}, expected less at every step.")
        if self.kept[0] != 1 or self.kept[-1] < 0:
            first, last = self.kept[[0, -1]].tolist()
            raise ShapeError(f"Noise: kept goes from {first:g} to {last:g}, expected from 1 to 0 or a little more.")

    @property
    def steps(self) -> int:
        """T."""
        return len(self.kept) - 1

    @cached_property
    def signal(self) -> Tensor:
        """sqrt(kept), of x_0 in x_t, `[T + 1]`."""
        return self.kept.sqrt()

    @cached_property
    def spread(self) -> Tensor:
        """sqrt(1 - kept), of noise in x_t, `[T + 1]`."""
        return (1 - self.kept).sqrt()

    @cached_property
    def alpha(self) -> Tensor:
        """Share of the variance that each step keeps, `[T + 1]`; 1 at step 0."""
        return torch.cat([self.kept[:1], self.kept[1:] / self.kept[:-1]])

    @cached_property
    def beta(self) -> Tensor:
        """Variance of the noise that each step adds, `[T + 1]`; 0 at step 0."""
        return 1 - self.alpha

    @cached_property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio kept / (1 - kept), `[T + 1]`; infinite at step 0."""
        return self.kept / (1 - self.kept)

    @cached_property
    def posterior_variance(self) -> Tensor:
        """Of x_{t-1} given x_t and x_0, `[T + 1]`: beta[t] (1 - kept[t - 1]) / (1 - kept[t]); 0 at steps 0 and 1."""
        later = self.beta[1:] * (1 - self.kept[:-1]) / (1 - self.kept[1:])
        return torch.cat([torch.zeros_like(later[:1]), later])

    @cached_property
    def posterior_weights(self) -> tuple[Tensor, Tensor]:
        """Of x_0 and of x_t in the mean of x_{t-1} given both, `[T + 1]` each; 0 at step 0."""
        noise = 1 - self.kept[1:]
        start = self.kept[:-1].sqrt() * self.beta[1:] / noise
        now = self.alpha[1:].sqrt() * (1 - self.kept[:-1]) / noise
        nothing = torch.zeros_like(start[:1])
        return torch.cat([nothing, start]), torch.cat([nothing, now])

    def respaced(self, steps: int | Sequence[int]) -> tuple[Noise, Tensor]:
        """A shorter process through some of the steps, with the same share of signal at each, and which they are.

        Args:
            steps: how many, spread evenly with the last among them; or the steps themselves, upwards.

        Returns:
            The process, and its steps as steps of this one, `[steps + 1]`, 0 first.

        Raises:
            PlanError: when they are not from 1 to T, upwards.

        Example:
            >>> linear_noise(1000).respaced(4)[1]
            tensor([   0,  250,  500,  750, 1000])

        Reference: Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models.
        """
        if isinstance(steps, int):
            if not 1 <= steps <= self.steps:
                raise PlanError(f"respaced: steps is {steps}, expected 1 to {self.steps}.")
            chosen = torch.linspace(0, self.steps, steps + 1, dtype=torch.float64).round().long()
        else:
            chosen = torch.tensor([0, *steps])
            if bool((chosen.diff() < 1).any()) or len(chosen) < 2 or int(chosen[-1]) > self.steps:
                raise PlanError(f"respaced: steps are {list(steps)}, expected some from 1 to {self.steps}, upwards.")
        return Noise(self.kept[chosen.to(self.kept.device)]), chosen

    def to(self, device: torch.device | str) -> Noise:
        """The same elsewhere."""
        return Noise(self.kept.to(device))

    def __repr__(self) -> str:
        first, last = (f"{self.snr[t].log().item():.1f}" for t in (1, -1))
        return f"Noise({self.steps} steps, log signal-to-noise ratio {first} to {last})"


def linear_noise(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Noise:
    """Variances added that rise in a straight line; those of 1,000 steps, divided among as many as there are.

    Args:
        steps: T. With another number than 1,000 both ends are multiplied by 1000 / T, so that as much noise is added
            in all; none beyond 0.999.
        first, last: variances that the first and the last of 1,000 steps add.

    Raises:
        PlanError: when there is no step.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models.
    """
    _require_step(steps, "linear_noise")
    scale = 1000 / steps
    beta = torch.linspace(first * scale, last * scale, steps, dtype=torch.float64).clamp(max=MOST)
    return Noise(torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)]))


def cosine_noise(steps: int = 1000, offset: float = 0.008) -> Noise:
    """A share of signal that falls like half a squared cosine: less noise early than when it is linear.

    Args:
        steps: T.
        offset: keeps the first steps from being too small.

    Raises:
        PlanError: when there is no step.

    Example:
        >>> cosine_noise(1000)
        Noise(1000 steps, log signal-to-noise ratio 10.1 to -19.8)

    Reference: Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models.
    """
    _require_step(steps, "cosine_noise")
    shares = [cos((t / steps + offset) / (1 + offset) * pi / 2) ** 2 for t in range(steps + 1)]
    beta = [min(1 - later / now, MOST) for now, later in zip(shares, shares[1:], strict=False)]
    return Noise(torch.cat([torch.ones(1, dtype=torch.float64), (1 - torch.tensor(beta).double()).cumprod(0)]))


def _require_step(steps: int, name: str) -> None:
    if steps < 1:
        raise PlanError(f"{name}: steps is {steps}, expected 1 or more.")
