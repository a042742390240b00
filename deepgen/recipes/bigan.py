"""A recipe for bidirectional games: BiGAN and ALI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

from torch import nn

from pgm.errors import PlanError

from ..conditionals.point import point
from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation
from ..evaluate.figure import Figure
from ..evaluate.probe import probed
from ..evaluate.reconstruction import reconstruction
from ..networks import mlp
from ..networks.dcgan import LEAK
from ..pair import Pair
from ..pictures.generated import SHADES
from ..pictures.moves import interpolation
from ..training.phase import Phase
from ..zoo.adversarial import Gan, adversarial, bigan, r1, unflagged
from .games import in_shades, playing, sampled
from .gan import bounded, distance
from .recipe import Recipe
from .setup import Setup

WAYS = 6  # from one row to another in a picture


@dataclass(frozen=True)
class BiGAN(Recipe):
    """A generator and an encoder that learn together from a discriminator of rows with their codes; dense networks.

    Args:
        latents: how many numbers a code has.
        certain: whether the encoder gives one code a row (BiGAN), or a Gaussian (ALI).
        weight: of the penalty R1, which keeps the discriminator smooth; 0 for none.
        hidden: units of each layer of all networks.
        momentum: of Adam.
    """

    binarise: Binarisation = "no"
    epochs: float = 220
    batch: int = 64
    decay: bool = True
    average: float | None = 0.99
    latents: int = 10
    certain: bool = True
    weight: float = 1.0
    hidden: tuple[int, ...] = (512, 512)
    momentum: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.latents < 1 or self.weight < 0:
            raise PlanError(
                f"BiGAN: latents is {self.latents!r} and weight {self.weight!r}, expected 1 or more, and 0 or more."
            )

    def load(self, split: Split = "train") -> Data:
        return in_shades(self, split)

    def setup(self, data: Data) -> Setup:
        model = self.model(data)
        phases = adversarial(
            model,
            penalty=r1(self.weight) if self.weight else None,
            **playing(self, self.momentum, ceil(self.steps(data) / 2)),
        )
        return of_game(model, phases, data)

    def model(self, data: Data) -> Gan:
        """The networks for data like these, before they have learned anything."""
        x, seeing = self.x(data), mlp(*self.hidden, activation=lambda: nn.LeakyReLU(LEAK))
        return bigan(
            x,
            self.latents,
            label=self.label(data),
            generator=bounded(*self.hidden) if len(x.shape) > 1 else mlp(*self.hidden),
            encoder=seeing,
            discriminator=seeing,
            family=point if self.certain else None,
        )


def of_game(model: Gan, phases: Sequence[Phase], data: Data) -> Setup:
    """The setup of a game whose guide infers what rows are made of: with a pair, and what can be measured of that.

    Args:
        model: who plays.
        phases: how they learn.
        data: to learn from; samples are compared with as many of its rows.
    """
    pair = unflagged(model)
    images = len(model.x.shape) > 1
    pictures = {"interpolation": partial(between, pair)} if images else {}
    figures = partial(measured, model, pair, data)
    return Setup(model.pair, tuple(phases), partial(sampled, model), figures, pair, pictures)


def measured(model: Gan, pair: Pair, data: Data, held: Data) -> tuple[Figure, ...]:
    """How far reconstructions and samples are from held-out rows, and how well codes tell labels that were not told.

    Args:
        model, pair: with and without y.
        data: what was learned from.
        held: what was not.
    """
    name, rows = model.x.name, min(len(data), len(held))
    drawn = model.sample(rows, {v.name: held[v.name][:rows] for v in model.given}, seed=0).cpu()
    found = (reconstruction(pair, held), distance(drawn, held[name].cpu(), data[name].cpu()))
    return found if "label" not in held.columns or model.given else (*found, *probed(pair, data, held))


def between(pair: Pair, held: Data, path: Path) -> object:
    """From some held-out rows to others, along great circles."""
    one, other = held.rows(slice(0, WAYS)), held.rows(slice(WAYS, 2 * WAYS))
    return interpolation(pair, one, other, spherical=True, shades=SHADES, path=path)
