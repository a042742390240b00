"""Straight paths from noise to data, and the network that says which way to go at each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pgm.errors import PlanError

from .ode import Field

PACE = 0.03  # networks know up to 1,000 radians of time, which would make the equation stiff: here no more than 30


class Velocity(nn.Module):
    """dx/dt at every time: the mean velocity of the paths x_t = (1 - (1 - s) t) noise + t data that go through x.

    Time 0 is noise and time 1 the data (diffusion counts the other way round).

    Args:
        net: takes x_t `[*batch, *event]`, the time `[*batch, 1]` and what else is given, and returns a velocity,
            `[*batch, *event]`.
        smallest: s, the deviation that is left around each row of data at time 1, from 0 to below 1.

    Raises:
        PlanError: when s is outside that.

    Reference: Lipman, Chen, Ben-Hamu, Nickel and Le (2023), Flow matching for generative modeling; Liu, Gong and Liu
    (2023), Rectified flow; Albergo and Vanden-Eijnden (2023), Building normalizing flows with stochastic interpolants.
    """

    place: Tensor

    def __init__(self, net: Callable[..., Any], smallest: float = 0.0) -> None:
        super().__init__()
        if not 0 <= smallest < 1:
            raise PlanError(f"flow_matching: smallest is {smallest}, expected a deviation from 0 to below 1.")
        self.net, self.smallest = net, smallest
        self.register_buffer("place", torch.zeros(()), persistent=False)

    def forward(self, now: Tensor, time: Tensor, *given: Tensor) -> Tensor:
        """The velocity `[*batch, *event]` at x_t and times `[*batch]`, each row at one of its own."""
        found: Tensor = self.net(now, PACE * time.to(now.dtype).unsqueeze(-1), *given)
        return found

    def between(self, noise: Tensor, data: Tensor, time: Tensor | float) -> Tensor:
        """x_t on the way from noise to data, `[*batch, *event]`; times `[*batch, 1, ...]`."""
        return (1 - (1 - self.smallest) * time) * noise + time * data

    def wanted(self, noise: Tensor, data: Tensor) -> Tensor:
        """The velocity of the way from noise to data, the same at all times."""
        return data - (1 - self.smallest) * noise

    def data(self, now: Tensor, time: float, said: Tensor) -> Tensor:
        """Where x_t with this velocity comes from data, `[*batch, *event]`."""
        return (1 - self.smallest) * now + (1 - (1 - self.smallest) * time) * said


def field(velocity: Velocity, given: Sequence[Tensor] = (), guidance: float = 0.0) -> Field:
    """The velocity of rows that are all at one time, moved away from what it would be if nothing were given.

    Args:
        velocity: which way to go.
        given: what else it is told, `[rows, ...]`.
        guidance: how much further than the conditioned velocity to go.

    Reference: Ho and Salimans (2022), Classifier-free diffusion guidance.
    """

    def plain(time: float, now: Tensor) -> Tensor:
        return velocity(now, torch.full((len(now),), time, device=now.device), *given)

    def guided(time: float, now: Tensor) -> Tensor:
        times = torch.full((2 * len(now),), time, device=now.device)
        both = (torch.cat([value, torch.zeros_like(value)]) for value in given)
        told, blind = velocity(torch.cat([now, now]), times, *both).chunk(2)
        return told + guidance * (told - blind)

    return guided if guidance else plain


def around(free: Field, mask: Tensor, known: Tensor) -> Field:
    """A field with a known velocity in a part.

    Args:
        free: the field elsewhere.
        mask: True where it is known, `[*event]` or `[rows, *event]`.
        known: the velocity there, `[rows, *event]`.
    """
    return lambda time, now: torch.where(mask, known, free(time, now))
