"""How Boltzmann machines learn: data pull energies down, dreams push them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from .clamped import Clamped
from .contrast import MEANS, Contrast, Penalty
from .exact import log_likelihood
from .gibbs import Chains, sweep
from .layers import State
from .machine import Machine
from .monitors import alarms


def contrastive_divergence(
    machine: Machine, steps: int = 1, *, centring: float = 0.0, penalty: Penalty | None = None, **options: Any
) -> Phase:
    """Dreams begin at the data: CD-k, the gradient of F(data) - F(what k sweeps make of them).

    Choices that are absent (`OneHot` zeros) stay absent in the dreams, so that each row has a machine of what it has.

    Args:
        machine: whose hidden units are independent given what is seen.
        steps: sweeps, k.
        centring: share of the way that centres go to the means of the data each step, such as 0.01; 0 for none.
        penalty: a cost of hidden means, such as `sparse()`.
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
    require_steps(steps)
    contrast = Contrast(machine, centring, penalty)
    machine.require_independent(contrast.hidden)

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        data = machine.state(batch)
        absent = {name: machine.units(name).absent(data[name]) for name in contrast.visible}
        fixed = {name: mask for name, mask in absent.items() if mask is not None}
        state: State = data
        for _ in range(steps):
            state = sweep(machine, state, [*contrast.hidden, *contrast.visible], fixed)
        return contrast.terms(data, state)[0]

    return Phase("contrastive divergence", machine.modules, objective, monitors=alarms(machine), **options)


def persistent(
    machine: Machine,
    chains: int = 100,
    steps: int = 1,
    clamped: Clamped = MEANS,
    *,
    centring: float = 0.0,
    penalty: Penalty | None = None,
    **options: Any,
) -> Phase:
    """Dreams go on from step to step: PCD, the gradient of F(data) - F(persistent chains).

    Where hidden units are coupled with one another it is that of E(data) - E(persistent chains) with hidden units that
    are inferred: of a weight -(p+ - p-) / temperature, p+ how often both its units are on while data clamp the visible
    ones, p- how often they are when the machine runs free.

    Args:
        machine: with nothing given.
        chains: how many.
        steps: sweeps of each chain a step of learning.
        clamped: how hidden units that are coupled are inferred: `mean_field()` or `sampled()`.
        centring, penalty: as for `contrastive_divergence`.
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
    require_chains(machine, steps, "persistent")
    contrast, dreams = Contrast(machine, centring, penalty, clamped), Chains(machine, chains)
    hidden, visible = contrast.hidden, contrast.visible

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        state = dreams.state
        for _ in range(steps - 1):
            state = sweep(machine, state, [*visible, *hidden])
        state = sweep(machine, state, visible if contrast.closed else [*visible, *hidden])
        terms, fields = contrast.terms(machine.state(batch), state)
        if machine.model.training:  # rows that are only looked at leave the chains where they are
            dreams.put({**state, **{name: machine.units(name).draw(field) for name, field in fields.items()}})
        return terms

    return Phase(
        "persistent contrastive divergence",
        {**machine.modules, "chains": dreams},
        objective,
        monitors=alarms(machine),
        **options,
    )


def exact_likelihood(machine: Machine, **options: Any) -> Phase:
    """The exact gradient of -log p(visible | given), for machines so small that all their states can be looked at.

    Args:
        machine: see `log_likelihood`.
        options: of the phase.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> exact_likelihood(boltzmann_machine(Variable("bits", Binary(8)), 2))
        Phase(exact likelihood: moves model, 1 step a turn)
    """
    return Phase(
        "exact likelihood",
        machine.modules,
        lambda batch, _: -log_likelihood(machine, batch),
        monitors=alarms(machine),
        **options,
    )


def require_steps(steps: int) -> None:
    """Raise a `PlanError` unless there is a sweep."""
    if steps < 1:
        raise PlanError(f"steps is {steps}, expected 1 sweep or more.")


def require_chains(machine: Machine, steps: int, subject: str) -> None:
    """Raise a `PlanError` unless chains of a machine can go on from row to row, and have a sweep to make."""
    require_steps(steps)
    if machine.given:
        names = ", ".join(v.name for v in machine.given)
        raise PlanError(f"{subject}: {names} is given, and chains are of no row; use contrastive_divergence.")
