"""What hidden units do while visible ones are clamped to data."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pgm.errors import PlanError

from .gibbs import sweep
from .layers import State
from .machine import Machine

CHANGE = "mean field change"
Figures = dict[str, Tensor]
Clamped = Callable[[Machine, State], tuple[dict[str, Tensor], Figures]]  # all layers, from what is seen; how it went


def mean_field(rounds: int = 10) -> Clamped:
    """Hidden units take means that make q(h) = prod_i q(h_i) close to p(h | v): the bound on log p(v) never falls.

    `mean field change`, `[*batch]`, is how far the unit that moves most still goes in the last round: 0 where it has
    converged.

    Args:
        rounds: visits of each layer.

    Raises:
        PlanError: when there are none.

    Example:
        >>> import torch
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> machine = boltzmann_machine(Variable("v", Binary(4)), 2, deviation=0.0)
        >>> state, figures = mean_field()(machine, {"v": torch.ones(1, 4)})
        >>> state["h"], figures
        (tensor([[0.5000, 0.5000]]), {'mean field change': tensor([0.])})

    Reference: Peterson and Anderson (1987), A mean field theory learning algorithm for neural networks.
    """
    return _swept(rounds, means=True)


def sampled(sweeps: int = 10) -> Clamped:
    """Hidden units are drawn by Gibbs sweeps from where mean units without neighbours are.

    Args:
        sweeps: visits of each layer; the more, the nearer to p(h | v).

    Raises:
        PlanError: when there are none.

    Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
    """
    return _swept(sweeps, means=False)


def _swept(times: int, means: bool) -> Clamped:
    if times < 1:
        raise PlanError(f"{'mean_field: rounds' if means else 'sampled: sweeps'} is {times}, expected 1 or more.")

    def inferred(machine: Machine, seen: State) -> tuple[dict[str, Tensor], Figures]:
        rows, hidden = next(iter(seen.values())).shape[:-1], [v.name for v in machine.hidden]
        zeros = {name: machine.zeros(name).expand(*rows, -1) for name in hidden}
        state = before = {**seen, **{name: machine.units(name).mean(zeros[name]) for name in hidden}}
        for _ in range(times):
            before, state = state, sweep(machine, state, hidden, means=means)
        if not means or not hidden:
            return state, {}
        return state, {CHANGE: torch.cat([(state[name] - before[name]).abs() for name in hidden], -1).amax(-1)}

    return inferred
