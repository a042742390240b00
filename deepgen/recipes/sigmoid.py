"""Recipes for sigmoid belief networks, by gradients of bounds and as Helmholtz machines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from pgm.domains import Binary

from ..data.data import Data
from ..evaluate.bounds import bounds
from ..networks import mlp
from ..objectives import reinforce, reweighted_wake, vimco
from ..pair import Pair
from ..phases import maximised, reweighted_wake_sleep, wake_sleep
from ..zoo.sigmoid import sigmoid_belief_network
from .recipe import Recipe
from .setup import Setup, of_pair


@dataclass(frozen=True)
class SBN(Recipe):
    """A sigmoid belief network that makes a bound large; `--data static_mnist` is the published setting.

    Args:
        layers: units of each hidden layer, from the data up.
        hidden: units of hidden layers between two layers of the network, which make it nonlinear.
        objective: 'vimco', 'reinforce' or 'reweighted_wake'.
        particles: draws a row, 2 or more.
    """

    layers: tuple[int, ...] = (200, 200, 200)
    hidden: tuple[int, ...] = ()
    objective: Literal["vimco", "reinforce", "reweighted_wake"] = "vimco"
    particles: int = 5
    batch: int = 24

    def setup(self, data: Data) -> Setup:
        pair = _pair(self, data, self.layers, self.hidden)
        objective = {"vimco": vimco, "reinforce": reinforce, "reweighted_wake": reweighted_wake}[self.objective]
        phase = maximised(pair, partial(objective, particles=self.particles), **self.options(data))
        return of_pair(pair, phase, partial(bounds, pair))


@dataclass(frozen=True)
class Helmholtz(Recipe):
    """A Helmholtz machine: a sigmoid belief network that learns awake and asleep.

    Args:
        layers: units of each hidden layer, from the data up.
        hidden: units of hidden layers between two layers of the machine, which make it nonlinear.
        reweighted: whether draws are weighted while awake, which follows better gradients.
        particles: draws a row then.
    """

    layers: tuple[int, ...] = (64, 32, 16)
    hidden: tuple[int, ...] = ()
    reweighted: bool = False
    particles: int = 5

    def setup(self, data: Data) -> Setup:
        pair, options = _pair(self, data, self.layers, self.hidden), self.options(data)
        ways = (
            reweighted_wake_sleep(pair, self.particles, **options) if self.reweighted else wake_sleep(pair, **options)
        )
        return of_pair(pair, ways, partial(bounds, pair))


def _pair(recipe: Recipe, data: Data, layers: tuple[int, ...], hidden: tuple[int, ...]) -> Pair:
    """The network, its biases at the shares of ones in the data."""
    x, network = recipe.x(data), mlp(*hidden, activation=nn.Tanh)
    mean = data[x.name].mean(0) if isinstance(x.domain, Binary) else None
    return sigmoid_belief_network(x, *layers, label=recipe.label(data), network=network, mean=mean)
