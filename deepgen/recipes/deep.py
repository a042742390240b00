"""Recipes for deep Boltzmann machines and deep belief networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from pgm.errors import PlanError

from ..data.data import Data
from ..evaluate.figure import Figure
from ..pictures.reconstructions import reconstructions
from ..training.in_turn import in_turn
from ..training.phase import Phase
from ..zoo.boltzmann.belief import Belief, dbn
from ..zoo.boltzmann.clamped import mean_field
from ..zoo.boltzmann.deep import dbm
from ..zoo.boltzmann.greedy import belief_bounds, greedy, up_down
from ..zoo.boltzmann.learning import persistent
from .machines import begin_at_means, of_machine
from .recipe import Recipe
from .setup import Setup

SWEEPS = 200  # of the top of a network, before what is shown


@dataclass(frozen=True)
class DBM(Recipe):
    """A deep Boltzmann machine, all layers learning together by mean field and persistent chains.

    Args:
        layers: units of each hidden layer, from the data up.
        rounds: of mean field at each row.
        sweeps: of free chains a step of learning.
        chains: that go on from step to step.
        centring: share of the way that centres go to the means of the data each step; 0 for none.
    """

    layers: tuple[int, ...] = (64, 64)
    rounds: int = 10
    sweeps: int = 1
    chains: int = 100
    centring: float = 0.01
    epochs: float = 200
    rate: float = 0.003
    decay: bool = True

    def setup(self, data: Data) -> Setup:
        x, label = self.x(data), self.label(data)
        machine = dbm(x, *self.layers, label=label, mean=data[x.name].mean(0))
        clamped = mean_field(self.rounds)
        phase = persistent(machine, self.chains, self.sweeps, clamped, centring=self.centring, **self.options(data))
        return of_machine(machine, phase, x, label)


@dataclass(frozen=True)
class DBN(Recipe):
    """A deep belief network: layer after layer by persistent chains, then all together, up and down.

    Args:
        layers: units of each hidden layer, from the data up; two or more.
        fine_tuned: share of the steps that are up and down; every layer has as many of the others.
        sweeps: of chains a step of learning.
        chains: that go on from step to step.
        centring: share of the way that centres go to the means of what a layer learns each step; 0 for none.
    """

    layers: tuple[int, ...] = (128, 128)
    fine_tuned: float = 0.2
    sweeps: int = 1
    chains: int = 100
    centring: float = 0.01
    epochs: float = 330
    rate: float = 0.003
    decay: bool = True

    def setup(self, data: Data) -> Setup:
        if not 0 <= self.fine_tuned <= 1:
            raise PlanError(f"DBN: fine_tuned is {self.fine_tuned:g}, expected a share from 0 to 1.")
        x, label = self.x(data), self.label(data)
        belief = dbn(x, *self.layers, label=label)
        begin_at_means(belief.machines[0], x, data)

        def sample(rows: int, labels: Tensor | None) -> Tensor:
            known = {} if labels is None or label is None else {label.name: labels}
            drawn = belief.sample(rows, known, sweeps=SWEEPS, progress=False)
            return belief.pair.means(drawn)[x.name]

        def figures(held: Data) -> Sequence[Figure]:
            return belief_bounds(belief, held)

        def reconstructed(held: Data, path: Path) -> object:
            return reconstructions(belief.pair, held, path=path)

        pictures = {"reconstructions": reconstructed}  # no pair: its bounds are of log p(x) + log Z
        return Setup(belief.pair, (self._phase(belief, data),), sample, figures, pictures=pictures)

    def _phase(self, belief: Belief, data: Data) -> Phase:
        options: dict[str, Any] = self.options(data)
        last = round(self.fine_tuned * self.steps(data))
        each = max(1, (self.steps(data) - last) // len(belief.machines))
        learn = partial(persistent, chains=self.chains, steps=self.sweeps, centring=self.centring)
        parts = [(phase, each) for phase in greedy(belief, learn, **{**options, "rate": self.falling(each)})]
        if last:
            parts.append((up_down(belief, **{**options, "rate": self.falling(last)}), last))
        return in_turn("layer by layer", *parts)
