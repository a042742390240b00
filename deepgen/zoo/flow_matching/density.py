"""The density at the end of a flow: how volumes change on the way there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log, pi

import torch
from torch import Tensor

from .ode import Field

Way = Callable[[Field, Tensor], Iterator[tuple[float, Tensor]]]
"""The states from data back to noise."""


@torch.no_grad()
def log_density(field: Field, x: Tensor, way: Way, probes: Tensor | None = None) -> Tensor:
    """log p(x) = log N(x_0; 0, I) - integral of the divergence of the field from time 0 to 1, in nats.

    Args:
        field: from noise at time 0 to data at time 1.
        x: data, `[rows, *event]`.
        way: goes from time 1 back to 0.
        probes: random signs, `[probes, rows, *event]`: the divergence is then estimated by each of them, the same at
            all times, without bias; None for the exact one, which costs a derivative for each number of a row.

    Returns:
        `[probes, rows]`; with exact divergences `[1, rows]`.

    Reference: Chen, Rubanova, Bettencourt and Duvenaud (2018), Neural ordinary differential equations; Hutchinson
    (1990) and Grathwohl et al. (2019), FFJORD, for probes.
    """
    size = x[0].numel()

    def both(time: float, state: Tensor) -> Tensor:
        """Velocities and divergences side by side, `[rows, size + probes]`."""
        said, spread = divergence(field, time, state[:, :size].reshape(x.shape), probes)
        return torch.cat([said.flatten(1), spread.T], 1)

    state = torch.cat([x.flatten(1), x.new_zeros(len(x), 1 if probes is None else len(probes))], 1)
    for _, now in way(both, state):
        state = now
    start, grown = state[:, :size], state[:, size:].T
    return grown - 0.5 * (start.square().sum(1) + size * log(2 * pi))


def divergence(field: Field, time: float, now: Tensor, probes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The field at rows, and its divergence there, `[rows, *event]` and `[probes, rows]`.

    Args:
        field: slopes of rows that do not depend on each other.
        time: when.
        now: where, `[rows, *event]`.
        probes: random signs, as for `log_density`.

    Example:
        >>> said, found = divergence(lambda time, x: x * torch.tensor([1.0, 3.0]), 0.0, torch.ones(5, 2))
        >>> found
        tensor([[4., 4., 4., 4., 4.]])
    """
    with torch.enable_grad():
        now = now.detach().requires_grad_()
        said = field(time, now)
    weights = units(now) if probes is None else probes
    if not said.requires_grad:
        return said, now.new_zeros(1 if probes is None else len(probes), len(now))
    found = torch.stack([(_pulled(said, now, weight) * weight).flatten(1).sum(1) for weight in weights])
    return said.detach(), found.sum(0, keepdim=True) if probes is None else found


def signs(x: Tensor, probes: int) -> Tensor:
    """Random signs, `[probes, *shape of x]`."""
    return 2 * torch.randint(2, (probes, *x.shape), device=x.device).to(x.dtype) - 1


def units(x: Tensor) -> Tensor:
    """One 1 and otherwise 0 in every row, for each of its numbers, `[numbers, rows, *event]`."""
    size = x[0].numel()
    return torch.eye(size, device=x.device, dtype=x.dtype).reshape(size, 1, *x.shape[1:]).expand(size, *x.shape)


def _pulled(said: Tensor, now: Tensor, weight: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(said, now, weight, retain_graph=True)
    return found
