"""Persistent chains at several temperatures that change places, so that the coldest mix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from .contrast import Contrast, Penalty
from .gibbs import Chains, sweep
from .layers import State
from .learning import require_chains
from .machine import Machine
from .monitors import alarms
from .path import Between


def tempered(
    machine: Machine,
    chains: int = 100,
    temperatures: int = 10,
    steps: int = 1,
    *,
    centring: float = 0.0,
    penalty: Penalty | None = None,
    **options: Any,
) -> Phase:
    """Dreams are of the coldest of persistent chains at several temperatures: parallel tempering.

    Each chain is one of a machine whose fields are multiplied by a number from 0, where units toss coins, to 1, the
    machine itself; neighbours change places as Metropolis would. The history has the share of `swaps` that were
    accepted, and that of the `rarest swap`: below about 0.1 take more temperatures.

    Args:
        machine: whose hidden units are independent given what is seen, with nothing given.
        chains: at each temperature.
        temperatures: how many, 2 or more; a step costs as much as so many of `persistent`.
        steps, centring, penalty: as for `persistent`.
        options: of the phase.

    Raises:
        PlanError: when hidden units are coupled, something is given, or there is no step or one temperature.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> tempered(rbm(Variable("image", Binary(8, 8)), 64))
        Phase(tempered contrastive divergence: moves model, chains, 1 step a turn)

    Reference: Desjardins, Courville, Bengio, Vincent and Delalleau (2010), Tempered Markov chain Monte Carlo for
    training of restricted Boltzmann machines.
    """
    require_chains(machine, steps, "tempered")
    if temperatures < 2:
        raise PlanError(f"tempered: temperatures is {temperatures}, expected 2 or more; use persistent for one.")
    contrast, dreams = Contrast(machine, centring, penalty), Chains(machine, temperatures * chains)
    machine.require_independent(contrast.hidden)
    layers = [*contrast.hidden, *contrast.visible]

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        powers = torch.linspace(0, 1, temperatures, device=machine.device)
        here = Between(machine, {name: machine.zeros(name) for name in layers}, powers[:, None, None])
        state: State = {name: x.unflatten(0, (temperatures, chains)) for name, x in dreams.state.items()}
        for _ in range(steps):
            state, shares = swapped(machine, sweep(here, state, layers), powers)
        if machine.model.training:
            dreams.put({name: x.flatten(0, 1) for name, x in state.items()})
        terms, _ = contrast.terms(machine.state(batch), {name: x[-1] for name, x in state.items()})
        return {**terms, "swaps": shares.mean(), "rarest swap": shares.min()}

    return Phase(
        "tempered contrastive divergence",
        {**machine.modules, "chains": dreams},
        objective,
        monitors=alarms(machine),
        **options,
    )


@torch.no_grad()
def swapped(machine: Machine, state: State, powers: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Chains at neighbouring temperatures change places with probability min(1, exp(difference of powers x scores)).

    Args:
        machine: at the last temperature.
        state: of all layers, `[temperatures, chains, numbers]` by name.
        powers: of the machine, rising, `[temperatures]`.

    Returns:
        The state, and the share of swaps that each pair of neighbours accepted, `[temperatures - 1]`.
    """
    scores, shares = machine.linear(state), torch.zeros(len(powers) - 1, device=powers.device)
    order = torch.arange(len(powers), device=powers.device)[:, None].expand_as(scores).clone()
    for parity in (0, 1):
        low = torch.arange(parity, len(powers) - 1, 2, device=powers.device)
        gain = (powers[low + 1] - powers[low])[:, None] * (scores[low] - scores[low + 1])
        taken = torch.rand_like(gain).log() < gain
        shares[low] = taken.to(shares.dtype).mean(-1)
        for held in (scores, order):
            below, above = held[low], held[low + 1]
            held[low], held[low + 1] = torch.where(taken, above, below), torch.where(taken, below, above)
    return {name: x.gather(0, order.unsqueeze(-1).expand_as(x)) for name, x in state.items()}, shares
