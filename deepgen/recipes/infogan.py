"""A recipe for InfoGAN."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt
from pathlib import Path

import torch
from torch import nn

from pgm.domains import Real
from pgm.errors import PlanError
from pgm.variable import Variable

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation
from ..evaluate.clusters import purity
from ..evaluate.figure import Figure
from ..evaluate.rows import at_rest
from ..networks import mlp
from ..networks.dcgan import LEAK
from ..pictures.points import points
from ..pictures.sheet import Text, sheet
from ..zoo.adversarial import Gan, adversarial, infogan, information
from .games import in_shades, playing, sampled, told
from .gan import bounded
from .recipe import Recipe
from .setup import Setup

DRAWN, ACROSS, POINTS = 1000, 12, 100  # rows that figures are of; images, and points, of a kind in pictures


@dataclass(frozen=True)
class InfoGAN(Recipe):
    """A generative adversarial network with codes that can be read off its rows: kinds, and numbers, found unlabelled.

    Args:
        kinds: states of the finite code.
        numbers: of the code of real numbers; 0 for none.
        latents: how many numbers there are beside, that nothing reads.
        hidden: units of each layer of all networks.
        momentum: of Adam.
    """

    binarise: Binarisation = "no"
    epochs: float = 220
    batch: int = 64
    rate: float = 5e-4
    average: float | None = 0.99
    kinds: int = 10
    numbers: int = 0
    latents: int = 16
    hidden: tuple[int, ...] = (256, 256)
    momentum: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("kinds", 2), ("numbers", 0), ("latents", 0)):
            if getattr(self, name) < least:
                raise PlanError(f"InfoGAN: {name} is {getattr(self, name)!r}, expected {least} or more.")

    def load(self, split: Split = "train") -> Data:
        return in_shades(self, split)

    def setup(self, data: Data) -> Setup:
        model = self.model(data)
        phases = adversarial(model, **playing(self, self.momentum, ceil(self.steps(data) / 2)))
        models = {"generator": model.pair.model, "discriminator": model.pair.guide}
        pictures = {"codes": partial(drawn_by_kind, model)}
        return Setup(models, phases, partial(sampled, model), partial(measured, model), pictures=pictures)

    def model(self, data: Data) -> Gan:
        """The networks for data like these, before they have learned anything."""
        x, seeing = self.x(data), mlp(*self.hidden, activation=lambda: nn.LeakyReLU(LEAK))
        numbers = [Variable("numbers", Real(self.numbers))] if self.numbers else []
        return infogan(
            x,
            self.latents,
            [Variable("kind", self.kinds), *numbers],
            label=self.label(data),
            generator=bounded(*self.hidden) if len(x.shape) > 1 else mlp(*self.hidden),
            discriminator=seeing,
            reader=seeing,
        )


def measured(model: Gan, data: Data) -> tuple[Figure, ...]:
    """What rows say of their codes; and how pure kinds of data are, where these have labels that nothing was told.

    Args:
        model: with a code 'kind'.
        data: rows to read codes off.
    """
    found = information(model, DRAWN, told(model, DRAWN))
    if "label" not in data.columns or model.given:
        return found
    reader = model.encoders["kind"]
    with at_rest(reader, seed=0) as device, torch.no_grad():
        kinds = reader.distribution(data[model.x.name].to(device)).mode.cpu()
    share, how = purity(kinds, data["label"].cpu()), f"{len(data):,} rows of {data.name} by q(kind | {model.x.name})"
    return (*found, Figure("purity", share, "estimate", how, sqrt(share * (1 - share) / len(data))))


def drawn_by_kind(model: Gan, held: Data, path: Path) -> object:
    """Draws, a row for each kind; what else they are made of is the same in each column.

    Args:
        model: with a code 'kind'.
        held: rows to show below points.
        path: of the picture.
    """
    kind = model.pair.model["kind"]
    across = ACROSS if len(model.x.shape) > 1 else POINTS
    with at_rest(model.pair.model, seed=0) as device, torch.no_grad():
        values = model.fake(across, told(model, across))
        made = {v.name: values[v.name].repeat(kind.size, *[1] * len(v.shape)) for v in (*model.latents, *model.given)}
        made["kind"] = torch.arange(kind.size, device=device).repeat_interleave(across)
        rows = model.fake(kind.size * across, made)[model.x.name].cpu()
    if len(model.x.shape) == 1:
        return points(rows, beneath=held[model.x.name], labels=made["kind"].cpu(), path=path)
    return sheet(rows, across, Text("Draws of each kind", left=kind.states), shades=(-1.0, 1.0), path=path)
