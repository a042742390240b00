"""What a network may predict at each step; every choice is a straight line to every other."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from pgm.errors import PlanError

from .noise import Noise
from .process import at

Prediction = Literal["noise", "data", "mean", "v"]
PREDICTIONS: tuple[Prediction, ...] = ("noise", "data", "mean", "v")


def line(noise: Noise, kind: Prediction) -> tuple[Tensor, Tensor]:
    """Slopes (a, b) by step, `[T + 1]` each, with which what is predicted is a[t] x_0 + b[t] x_t.

    noise: (x_t - sqrt(kept) x_0) / sqrt(1 - kept); data: x_0; mean: that of q(x_{t-1} | x_t, x_0);
    v: sqrt(kept) noise - sqrt(1 - kept) x_0. At step 0 there is nothing to predict, and slopes are not finite.

    Raises:
        PlanError: when there is no such kind.

    Reference: Salimans and Ho (2022), Progressive distillation, for v.
    """
    signal, spread = noise.signal, noise.spread
    if kind == "noise":
        return -signal / spread, 1 / spread
    if kind == "data":
        return signal / signal, signal * 0
    if kind == "mean":
        return noise.posterior_weights
    if kind == "v":
        return -1 / spread, signal / spread
    raise PlanError(f"diffusion: what is predicted is {kind!r}, expected one of {', '.join(map(repr, PREDICTIONS))}.")


def from_data(noise: Noise, kind: Prediction, start: Tensor, now: Tensor, steps: Tensor) -> Tensor:
    """What a network of a kind should say, from x_0 and x_t `[*batch, *event]` at steps `[*batch]` from 1 on."""
    of_start, of_now = line(noise, kind)
    return at(of_start, steps, now) * start + at(of_now, steps, now) * now


def to_data(noise: Noise, kind: Prediction, said: Tensor, now: Tensor, steps: Tensor) -> Tensor:
    """The x_0 that a network of a kind has in mind, from what it said and x_t, `[*batch, *event]`.

    With noise as the prediction the signal must not be gone at step T.
    """
    of_start, of_now = line(noise, kind)
    return at(1 / of_start, steps, now) * said - at(of_now / of_start, steps, now) * now
