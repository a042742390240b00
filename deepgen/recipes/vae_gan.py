"""A recipe for autoencoders that compare images by what a discriminator sees in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from torch import nn

from pgm.errors import PlanError

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation
from ..evaluate.figure import Figure
from ..evaluate.reconstruction import sharpness
from ..networks import mlp
from ..networks.dcgan import LEAK
from ..zoo.adversarial import Gan, learned_similarity, r1, vae_gan
from .bigan import of_game
from .games import in_shades, playing
from .gan import bounded
from .recipe import Recipe
from .setup import Setup

DRAWN = 1000  # samples whose sharpness is measured


@dataclass(frozen=True)
class VAEGAN(Recipe):
    """A variational autoencoder that compares rows by a discriminator's features, and is to fool it; dense networks.

    Args:
        latents: how many numbers z has.
        gamma: how much the generator cares for reconstructions beside being taken for real.
        features: numbers in which rows are compared.
        deviation: of these around those of a reconstruction: the smaller, the more codes say of rows.
        weight: of the penalty R1, which keeps the discriminator smooth; 0 for none.
        hidden: units of each layer of all networks.
        momentum: of Adam.
    """

    binarise: Binarisation = "no"
    epochs: float = 260
    batch: int = 64
    decay: bool = True
    average: float | None = 0.99
    latents: int = 10
    gamma: float = 0.05
    features: int = 64
    deviation: float = 0.2
    weight: float = 1.0
    hidden: tuple[int, ...] = (256, 256)
    momentum: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("latents", 1), ("features", 1), ("gamma", 0), ("weight", 0)):
            if getattr(self, name) < least:
                raise PlanError(f"VAEGAN: {name} is {getattr(self, name)!r}, expected {least} or more.")
        if not self.deviation > 0:
            raise PlanError(f"VAEGAN: deviation is {self.deviation!r}, expected a number above 0.")

    def load(self, split: Split = "train") -> Data:
        return in_shades(self, split)

    def setup(self, data: Data) -> Setup:
        model = self.model(data)
        phases = learned_similarity(
            model,
            gamma=self.gamma,
            deviation=self.deviation,
            penalty=r1(self.weight) if self.weight else None,
            **playing(self, self.momentum, ceil(self.steps(data) / 3)),
        )
        found = of_game(model, phases, data)

        def figures(held: Data) -> tuple[Figure, ...]:
            return (*found.figures(held), *_sharp(model, held))

        return replace(found, figures=figures)

    def model(self, data: Data) -> Gan:
        """The networks for data like these, before they have learned anything."""
        x, seeing = self.x(data), mlp(*self.hidden, activation=lambda: nn.LeakyReLU(LEAK))
        return vae_gan(
            x,
            self.latents,
            label=self.label(data),
            generator=bounded(*self.hidden) if len(x.shape) > 1 else mlp(*self.hidden),
            encoder=seeing,
            discriminator=seeing,
            features=self.features,
        )


def _sharp(model: Gan, held: Data) -> list[Figure]:
    """How sharp samples are beside held-out rows, where these are images."""
    if len(model.x.shape) < 2:
        return []
    given = {v.name: held[v.name][:DRAWN] for v in model.given}
    drawn, real = model.sample(min(DRAWN, len(held)), given, seed=0), held[model.x.name]
    how = f"mean squared step to the next pixel, {len(drawn):,} samples; of {len(held):,} held-out rows"
    return [Figure("sharpness", sharpness(drawn), "estimate", f"{how} {sharpness(real):.4g}")]
