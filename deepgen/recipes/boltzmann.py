"""Recipes for Boltzmann machines in general, and for convolutional ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pgm.errors import PlanError

from ..data.data import Data
from ..zoo.boltzmann.clamped import mean_field, sampled
from ..zoo.boltzmann.convolutional import convolutional_rbm
from ..zoo.boltzmann.general import boltzmann_machine
from ..zoo.boltzmann.learning import persistent
from .machines import begin_at_means, of_machine
from .recipe import Recipe
from .setup import Setup


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
        begin_at_means(machine, x, data)
        clamped = {"mean_field": mean_field, "sampled": sampled}[self.inferred](self.rounds)
        phase = persistent(machine, self.chains, self.sweeps, clamped, **self.options(data))
        return of_machine(machine, phase, x, label)


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
        begin_at_means(machine, x, data)
        return of_machine(machine, persistent(machine, self.chains, self.sweeps, **self.options(data)), x, None)
