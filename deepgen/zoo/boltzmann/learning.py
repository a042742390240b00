"""How Boltzmann machines learn: data pull energies down, dreams push them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from .gibbs import Chains, sweep
from .machine import Machine, State


def contrastive_divergence(machine: Machine, steps: int = 1, **options: Any) -> Phase:
    """Dreams begin at the data: CD-k, the gradient of F(data) - F(what k sweeps make of them).

    Args:
        machine: whose hidden units are independent given what is seen.
        steps: sweeps, k.
        options: `optimiser`, `rate` and `clip` of the phase.

    Raises:
        PlanError: when hidden units are coupled, or there is no step.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> contrastive_divergence(rbm(Variable("image", Binary(28, 28)), 500))
        Phase(contrastive divergence: moves model, 1 step a turn)

    Reference: Hinton (2002), Training products of experts by minimizing contrastive divergence.
    """
    hidden, visible = _layers(machine, steps)

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        data = machine.state(batch)
        state: State = data
        for _ in range(steps):
            state = sweep(machine, state, [*hidden, *visible])
        return _contrast(machine, data, state, hidden)

    return Phase("contrastive divergence", machine.modules, objective, **options)


def persistent(machine: Machine, chains: int = 100, steps: int = 1, **options: Any) -> Phase:
    """Dreams go on from step to step: PCD, the gradient of F(data) - F(persistent chains).

    Args:
        machine: whose hidden units are independent given what is seen, with nothing given.
        chains: how many.
        steps: sweeps of each chain a step of learning.
        options: of the phase.

    Raises:
        PlanError: when hidden units are coupled, something is given, or there is no step.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> persistent(rbm(Variable("image", Binary(28, 28)), 500))
        Phase(persistent contrastive divergence: moves model, chains, 1 step a turn)

    Reference: Younes (1999), On the convergence of Markovian stochastic algorithms with rapidly decreasing ergodicity
    rates; Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient.
    """
    hidden, visible = _layers(machine, steps)
    if machine.given:
        names = ", ".join(v.name for v in machine.given)
        raise PlanError(f"persistent: {names} is given, and chains are of no row; use contrastive_divergence.")
    dreams = Chains(machine, chains)

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        state = dreams.state
        for _ in range(steps):
            state = sweep(machine, state, [*hidden, *visible])
        if torch.is_grad_enabled():  # rows that are only looked at leave the chains where they are
            dreams.put(state)
        return _contrast(machine, machine.state(batch), state, hidden)

    return Phase("persistent contrastive divergence", {**machine.modules, "chains": dreams}, objective, **options)


def _contrast(machine: Machine, data: State, dreams: State, hidden: list[str]) -> Mapping[str, Tensor]:
    """F(data) - F(dreams), whose gradient is that of -log p(data) as far as the dreams are the machine's own."""
    known = {v.name for v in (*machine.visible, *machine.given)}
    energies = [-machine.log_sum({k: x for k, x in s.items() if k in known}, hidden).mean() for s in (data, dreams)]
    return {"free energy gap": energies[0] - energies[1]}


def _layers(machine: Machine, steps: int) -> tuple[list[str], list[str]]:
    if steps < 1:
        raise PlanError(f"steps is {steps}, expected 1 sweep or more.")
    hidden, visible = ([v.name for v in layers] for layers in (machine.hidden, machine.visible))
    machine.require_independent(hidden)
    return hidden, visible
