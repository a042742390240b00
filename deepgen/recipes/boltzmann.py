"""Recipes for Boltzmann machines in general, and for convolutional ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pgm.domains import Binary
from pgm.errors import PlanError
from pgm.variable import Variable

from ..data.data import Data
from ..potentials import Bias
from ..training.phase import Phase
from ..zoo.boltzmann.clamped import mean_field, sampled
from ..zoo.boltzmann.convolutional import convolutional_rbm
from ..zoo.boltzmann.general import boltzmann_machine
from ..zoo.boltzmann.gibbs import Chains, sweep
from ..zoo.boltzmann.learning import persistent
from ..zoo.boltzmann.likelihood import likelihood
from ..zoo.boltzmann.machine import Machine
from .recipe import Recipe
from .setup import Setup

BURN = 5  # sweeps from where chains are, which draw from the machine already, to what is shown


@dataclass(frozen=True)
class BoltzmannMachine(Recipe):
    """A Boltzmann machine all of whose units are coupled, by clamped and free chains; units are drawn one by one.

    Args:
        hidden: units; 0 for a machine that sees all its units.
        inferred: 'mean_field' or 'sampled', what hidden units do while pixels are clamped.
        rounds: visits of each hidden unit then.
        sweeps: of free chains a step of learning.
        chains: that go on from step to step.
        temperature: above 0.
    """

    hidden: int = 16
    inferred: Literal["mean_field", "sampled"] = "mean_field"
    rounds: int = 5
    sweeps: int = 1
    chains: int = 100
    temperature: float = 1.0
    epochs: float = 20
    rate: float = 0.01
    decay: bool = True

    def setup(self, data: Data) -> Setup:
        x, label = self.x(data), self.label(data)
        machine = boltzmann_machine(x, self.hidden, label=label, temperature=self.temperature)
        _begin(machine, x, data)
        clamped = {"mean_field": mean_field, "sampled": sampled}[self.inferred](self.rounds)
        phase = persistent(machine, self.chains, self.sweeps, clamped, **self.options(data))
        return _of_machine(machine, phase, x, label)


@dataclass(frozen=True)
class ConvolutionalRBM(Recipe):
    """A convolutional restricted Boltzmann machine, by persistent chains.

    Args:
        filters: maps of hidden units.
        size: of the filters, in pixels a side.
        pooling: at most one unit of each block of so many pixels a side is on.
        sweeps: of free chains a step of learning.
        chains: that go on from step to step.
    """

    filters: int = 24
    size: int = 3
    pooling: int = 2
    sweeps: int = 1
    chains: int = 100
    epochs: float = 50
    rate: float = 0.005
    decay: bool = True

    def setup(self, data: Data) -> Setup:
        if self.labels:
            raise PlanError("ConvolutionalRBM: labels is True, and filters see no labels; use the recipe rbm.")
        x = self.x(data)
        machine = convolutional_rbm(x, self.filters, self.size, pooling=self.pooling)
        _begin(machine, x, data)
        return _of_machine(machine, persistent(machine, self.chains, self.sweeps, **self.options(data)), x, None)


@torch.no_grad()
def _begin(machine: Machine, x: Variable, data: Data) -> None:
    """Let pixels be on as often as in the data, together where they share a bias: learning begins sooner."""
    if isinstance(x.domain, Binary):
        bias = next(term for term in machine.model.terms if isinstance(term, Bias) and term.scope == (x,))
        shares = data[x.name].mean(0).reshape(len(bias.bias), -1).mean(1)
        bias.bias.copy_(bias.temperature * machine.units(x.name).field_of(shares))


def _of_machine(machine: Machine, phase: Phase, x: Variable, label: Variable | None) -> Setup:
    chains = phase.modules["chains"]
    assert isinstance(chains, Chains)

    def sample(rows: int, labels: Tensor | None) -> Tensor:
        known = {} if labels is None or label is None else {label.name: labels}
        return _shown(machine, chains, rows, known, x.name)

    return Setup(machine.modules, (phase,), sample, lambda held: [likelihood(machine, held)])


@torch.no_grad()
def _shown(machine: Machine, chains: Chains, rows: int, known: dict[str, Tensor], name: str) -> Tensor:
    """How probable each pixel is given all others, where chains have gone on for a while, `[rows, *event]`."""
    chosen = torch.randint(len(chains.state[name]), (rows,), device=machine.device)
    state = {each: x[chosen] for each, x in chains.state.items()} | machine.state(known)
    layers = [v.name for v in (*machine.hidden, *machine.visible) if v.name not in known]
    for _ in range(BURN):
        state = sweep(machine, state, layers)
    means = machine.units(name).mean(machine.field(name, state))
    return machine.values({name: means})[name]
