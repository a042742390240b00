"""Recipes for hierarchies of latent variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from ..data.data import Data
from ..evaluate.bounds import bounds
from ..evaluate.figure import Figure
from ..evaluate.latents import levels
from ..networks import convolutional, mlp
from ..pair import Pair
from ..phases import variational
from ..training.schedules import Schedule, linear
from ..zoo.hierarchical import markovian_hierarchical_vae
from ..zoo.ladder import ladder_vae
from .recipe import Recipe
from .setup import Setup, of_pair


@dataclass(frozen=True)
class Hierarchical(Recipe):
    """A chain of latent variables, inferred from the data upwards, with dense networks.

    Args:
        latents: how many numbers each level has, from the one next to the data up.
        hidden: units of each hidden layer between two levels.
        free: nats of each level's divergence that cost nothing, so that no level collapses.
        annealing: steps on which the weight of the divergences rises from 0 to 1.
    """

    latents: tuple[int, ...] = (32, 16, 8, 4, 2)
    hidden: tuple[int, ...] = (200,)
    free: float = 0.5
    annealing: int = 200

    def setup(self, data: Data) -> Setup:
        network = mlp(*self.hidden)
        pair = markovian_hierarchical_vae(
            self.x(data), self.latents, label=self.label(data), encoder=network, decoder=network
        )
        phase = variational(pair, beta=_rising(self.annealing), free=self.free, **self.options(data))
        return of_pair(pair, phase, partial(_figures, pair))


@dataclass(frozen=True)
class Ladder(Recipe):
    """A chain of latent variables, inferred from the top down, with dense networks.

    Args:
        latents: how many numbers each level has, from the one next to the data up.
        features: numbers that are computed upwards from the data, at each level.
        hidden: units of each hidden layer between two levels.
        combine: 'precision' weighs what the model and the data say by precision, 'network' learns how.
        free: nats of each level's divergence that cost nothing, so that no level collapses.
        annealing: steps on which the weight of the divergences rises from 0 to 1.
    """

    latents: tuple[int, ...] = (32, 16, 8, 4, 2)
    features: int = 200
    hidden: tuple[int, ...] = (200,)
    combine: Literal["precision", "network"] = "precision"
    free: float = 0.5
    annealing: int = 200

    def setup(self, data: Data) -> Setup:
        network = mlp(*self.hidden)
        pair = ladder_vae(
            self.x(data),
            self.latents,
            upward=self.features,
            label=self.label(data),
            encoder=network,
            decoder=network,
            combine=self.combine,
        )
        phase = variational(pair, beta=_rising(self.annealing), free=self.free, **self.options(data))
        return of_pair(pair, phase, partial(_figures, pair))


@dataclass(frozen=True)
class ConvolutionalLadder(Recipe):
    """A ladder whose levels are images, each half as large as the one below, with residual convolutions; for a GPU.

    With `data=static_mnist`, `epochs=500` and `batch=128` it aims at 82 nats of static MNIST.

    Args:
        latents: channels of each level, from the one next to the data up.
        channels: of the networks and the features.
        blocks: residual blocks between two levels.
        free: nats of each level's divergence that cost nothing, so that no level collapses.
        annealing: steps on which the weight of the divergences rises from 0 to 1.
    """

    latents: tuple[int, ...] = (8, 8, 8)
    channels: int = 64
    blocks: int = 2
    free: float = 1.0
    annealing: int = 10_000
    decay: bool = True
    clip: float | None = 100.0
    average: float | None = 0.999

    def setup(self, data: Data) -> Setup:
        x = self.x(data)
        sizes = _halves(x.shape[-2:], len(self.latents))
        network = convolutional(self.channels, blocks=self.blocks, activation=nn.ELU)
        pair = ladder_vae(
            x,
            [(latents, *size) for latents, size in zip(self.latents, sizes, strict=True)],
            upward=[(self.channels, *size) for size in sizes],
            label=self.label(data),
            encoder=network,
            decoder=network,
            heads=network,
        )
        phase = variational(pair, beta=_rising(self.annealing), free=self.free, **self.options(data))
        return of_pair(pair, phase, partial(_figures, pair))


def _rising(steps: int) -> float | Schedule:
    """The weight of divergences."""
    return linear(0.0, 1.0, steps) if steps else 1.0


def _figures(pair: Pair, data: Data) -> Sequence[Figure]:
    """Bounds, and what each level is used for."""
    return (*bounds(pair, data), *levels(pair, data).figures)


def _halves(size: Sequence[int], times: int) -> list[tuple[int, ...]]:
    """Half a size, a quarter and so on, upwards rounded."""
    return [tuple(-(-side // 2**level) for side in size) for level in range(1, times + 1)]
