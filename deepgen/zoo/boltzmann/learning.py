"""How Boltzmann machines learn: data pull energies down, dreams push them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from .clamped import Clamped, mean_field
from .gibbs import Chains, sweep
from .machine import Machine, State

MEANS = mean_field()


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
    machine.require_independent(hidden)

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        data = machine.state(batch)
        state: State = data
        for _ in range(steps):
            state = sweep(machine, state, [*hidden, *visible])
        return _contrast(machine, data, state, hidden)

    return Phase("contrastive divergence", machine.modules, objective, **options)


def persistent(machine: Machine, chains: int = 100, steps: int = 1, clamped: Clamped = MEANS, **options: Any) -> Phase:
    """Dreams go on from step to step: PCD, the gradient of F(data) - F(persistent chains).

    Where hidden units are coupled with one another it is that of E(data) - E(persistent chains) with hidden units that
    are inferred: of a weight -(p+ - p-) / temperature, p+ how often both its units are on while data clamp the visible
    ones, p- how often they are when the machine runs free.

    Args:
        machine: with nothing given.
        chains: how many.
        steps: sweeps of each chain a step of learning.
        clamped: how hidden units that are coupled are inferred: `mean_field()` or `sampled()`.
        options: of the phase.

    Raises:
        PlanError: when something is given, or there is no step.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> persistent(rbm(Variable("image", Binary(28, 28)), 500))
        Phase(persistent contrastive divergence: moves model, chains, 1 step a turn)

    Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines; Younes (1999), On the
    convergence of Markovian stochastic algorithms with rapidly decreasing ergodicity rates; Tieleman (2008), Training
    restricted Boltzmann machines using approximations to the likelihood gradient.
    """
    hidden, visible = _layers(machine, steps)
    closed = _independent(machine)
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
        if closed:
            return _contrast(machine, machine.state(batch), state, hidden)
        return _clamped_contrast(machine, clamped(machine, machine.state(batch)), state)

    return Phase("persistent contrastive divergence", {**machine.modules, "chains": dreams}, objective, **options)


def _contrast(machine: Machine, data: State, dreams: State, hidden: list[str]) -> Mapping[str, Tensor]:
    """F(data) - F(dreams), whose gradient is that of -log p(data) as far as the dreams are the machine's own."""
    known = {v.name for v in (*machine.visible, *machine.given)}
    energies = [-machine.log_sum({k: x for k, x in s.items() if k in known}, hidden).mean() for s in (data, dreams)]
    return {"free energy gap": energies[0] - energies[1]}


def _clamped_contrast(machine: Machine, data: State, dreams: State) -> Mapping[str, Tensor]:
    """E(data) - E(dreams), the hidden units of the data being inferred."""
    return {"energy gap": machine.score(dreams).mean() - machine.score(data).mean()}


def _layers(machine: Machine, steps: int) -> tuple[list[str], list[str]]:
    if steps < 1:
        raise PlanError(f"steps is {steps}, expected 1 sweep or more.")
    return [v.name for v in machine.hidden], [v.name for v in machine.visible]


def _independent(machine: Machine) -> bool:
    """Whether the sum over the hidden units has a closed form."""
    try:
        machine.require_independent([v.name for v in machine.hidden])
    except PlanError:
        return False
    return True
