"""What recipes of Boltzmann machines have in common: where biases begin, and what chains show."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgm.domains import Binary
from pgm.variable import Variable

from ..data.data import Data
from ..potentials import Bias
from ..training.phase import Phase
from ..zoo.boltzmann.gibbs import Chains, sweep
from ..zoo.boltzmann.layers import State
from ..zoo.boltzmann.likelihood import likelihood
from ..zoo.boltzmann.machine import Machine
from .setup import Setup


@torch.no_grad()
def begin_at_means(machine: Machine, x: Variable, data: Data) -> None:
    """Let pixels be on as often as in the data, together where they share a bias: learning begins sooner."""
    if isinstance(x.domain, Binary):
        bias = next(term for term in machine.model.terms if isinstance(term, Bias) and term.scope == (x,))
        shares = data[x.name].mean(0).reshape(len(bias.bias), -1).mean(1)
        bias.bias.copy_(bias.temperature * machine.units(x.name).field_of(shares))


def of_machine(machine: Machine, phase: Phase, x: Variable, label: Variable | None) -> Setup:
    """The setup of a machine that learns by persistent chains.

    Args:
        machine: what learns.
        phase: how; its chains are what is shown.
        x: what pictures show.
        label: seen as well, if any.
    """
    chains = phase.modules["chains"]
    assert isinstance(chains, Chains)

    def sample(rows: int, labels: Tensor | None) -> Tensor:
        known = {} if labels is None or label is None else {label.name: labels}
        return shown(machine, chains.state, rows, known, 5)[x.name]  # chains draw from the machine already

    return Setup(machine.modules, (phase,), sample, lambda held: [likelihood(machine, held)])


@torch.no_grad()
def shown(machine: Machine, held: State, rows: int, known: Mapping[str, Tensor], burn: int) -> dict[str, Tensor]:
    """Means of what is seen and not known, some sweeps after states drawn from those held, `[rows, *event]` by name."""
    chosen = torch.randint(len(next(iter(held.values()))), (rows,), device=machine.device)
    state = {name: x[chosen] for name, x in held.items()} | machine.state(known)
    visible = [v.name for v in machine.visible if v.name not in known]
    hidden = [v.name for v in machine.hidden]
    for _ in range(burn):
        state = sweep(machine, state, [*hidden, *visible])
    return machine.values({name: machine.units(name).mean(machine.field(name, state)) for name in visible})
