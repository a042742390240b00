"""Replica exchange: chains at powers of the factors below 1 move freely and hand their states on."""

from __future__ import annotations

import torch
from torch import Tensor

from .sweep import Sweeper


def exchanged(
    sweeper: Sweeper, states: Tensor, powers: Tensor, odd: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Neighbours on the ladder of powers swap their states, with probability min(1, exp((a - b) (E_b - E_a))).

    a and b are their powers and E the log of the product of the factors that powers belong to.

    Args:
        sweeper: of the field.
        states: those of all powers, chain after chain for the first, then for the next: `[rows, powers * chains,
            variables]`.
        powers: the ladder, `[powers]`.
        odd: 0 to pair the first with the second, the third with the fourth; 1 to pair from the second on.
        generator: the source of randomness.

    Returns:
        The states after the swaps, and the share of swaps that were accepted, `[rows]`.

    Reference: Swendsen and Wang (1986); Geyer (1991), Markov chain Monte Carlo maximum likelihood.
    """
    rows, levels, chains = len(states), len(powers), states.shape[1] // len(powers)
    energy = sweeper.coupling(states).reshape(rows, levels, chains)
    lower = torch.arange(odd, levels - 1, 2, device=states.device)
    gain = (powers[lower] - powers[lower + 1])[:, None] * (energy[:, lower + 1] - energy[:, lower])
    draw = torch.rand(gain.shape, generator=generator, device=gain.device, dtype=gain.dtype)
    accepted = draw.log() < gain  # [rows, pairs, chains]
    source = torch.arange(levels, device=states.device)[:, None].expand(rows, levels, chains).clone()
    source[:, lower] += accepted.long()
    source[:, lower + 1] -= accepted.long()
    split = states.reshape(rows, levels, chains, -1)
    swapped = split.gather(1, source.unsqueeze(-1).expand(split.shape)).reshape(states.shape)
    return swapped, accepted.double().flatten(1).mean(1)
