"""Recipes that translate images: from pairs, and from two sets that nobody has paired."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, sqrt
from typing import Any, Literal

import torch
from torch import Tensor

from pgm.errors import PlanError
from pgm.variable import Variable

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..data.pairs import Change, changed, edges, inverted, paired, turned, unpaired
from ..data.shades import centred
from ..evaluate.figure import Figure
from ..evaluate.judge import judged_right
from ..evaluate.rows import place
from ..networks.dcgan import patchgan
from ..networks.norms import Norm
from ..networks.translating import unet_generator
from ..pictures.translations import translations
from ..zoo.adversarial import Gan, cycle, cycle_consistent, pix2pix, translator
from ..zoo.adversarial.translation import apart
from .games import playing, shown
from .recipe import Recipe
from .setup import Setup

Changes = Literal["edges", "inverted", "turned"]
CHANGES: Mapping[str, Change] = {"edges": edges, "inverted": inverted, "turned": turned}
SHADES = "shades from -1 to 1"
AT_ONCE = 1000  # images that are translated together


@dataclass(frozen=True)
class Translation(Recipe, ABC):
    """What recipes of translation have in common; abstract.

    Args:
        change: what images become, so that every translation has a truth: 'edges', 'inverted' or 'turned'.
        other: other data that they become instead, a name or a folder; none for the change.
        channels: of the U-Nets, at half of the full size, at a quarter of it, and so on.
        judge: channels of the discriminators, likewise; at the last of these sizes every pixel has a score.
        norm: of the U-Nets: 'instance', 'batch', 'layer' or 'none'.
        momentum: of Adam.
    """

    binarise: Binarisation = "no"
    batch: int = 64
    decay: bool = True
    average: float | None = 0.99
    change: Changes = "inverted"
    other: str | None = None
    channels: tuple[int, ...] = (32, 64)
    judge: tuple[int, ...] = (32,)
    norm: Norm = "instance"
    momentum: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labels:
            raise PlanError(f"{type(self).__name__}: labels is True, but sources alone say what is made; leave it out.")

    def grey(self, name: str, split: Split) -> Data:
        """Images with shades from -1 to 1."""
        return centred(named(name, split, self.binarise))

    def networks(self, x: Variable) -> dict[str, Any]:
        """What makes the networks, and the shape of scores."""
        sides = [side // 2 ** len(self.judge) for side in x.shape[-2:]]
        generator, discriminator = unet_generator(*self.channels, norm=self.norm), patchgan(*self.judge, norm="none")
        return {"generator": generator, "discriminator": discriminator, "patches": sides}

    def playing(self, data: Data) -> dict[str, Any]:
        """Options of the two phases, each of which makes one step a turn."""
        return playing(self, self.momentum, ceil(self.steps(data) / 2))


@dataclass(frozen=True)
class Pix2Pix(Translation):
    """Images to images, learned from pairs by a game and by the absolute error.

    Args:
        backwards: whether to translate the other way, such as from edges to digits.
        weight: of the mean absolute error, beside the game.
        latents: how many numbers the generator is given as well.
    """

    epochs: float = 50
    change: Changes = "edges"
    backwards: bool = False
    weight: float = 100.0
    latents: int = 0

    def load(self, split: Split = "train") -> Data:
        one = self.grey(self.data, split)
        other = changed(one, CHANGES[self.change]) if self.other is None else self.grey(self.other, split)
        return paired(other, one) if self.backwards else paired(one, other)

    def setup(self, data: Data) -> Setup:
        x = self.x(data)
        model = translator(x, data.variable("source"), latents=self.latents, **self.networks(x))
        translate = partial(translated, model)

        def figures(held: Data) -> list[Figure]:
            return beside_truth(translate(held["source"]), data, held)

        def stages(held: Data) -> dict[str, Tensor]:
            return {"source": held["source"], "made": translate(held["source"]), "true": held["image"]}

        return Setup(
            {"generator": model.pair.model, "discriminator": model.pair.guide},
            pix2pix(model, self.weight, **self.playing(data)),
            lambda rows, labels: shown(translate(drawn(data["source"], rows))),
            figures,
            pictures={"translations": lambda held, path: translations(stages(held), shades=(-1, 1), path=path)},
        )


@dataclass(frozen=True)
class CycleGAN(Translation):
    """Images to images and back, learned from two sets without pairs: there and back again is where one began.

    With a change one half of the training rows is translated and the other half, changed, is what it should look like.

    Args:
        weight: of the mean absolute error of what went there and back, beside the games.
        identity: what it counts that images which are as they should be are changed.
        replay: places of the pools of past translations that the discriminators see some of.
    """

    epochs: float = 100
    weight: float = 10.0
    identity: float = 0.0
    replay: int = 50

    def load(self, split: Split = "train") -> Data:
        one = self.grey(self.data, split)
        if self.other is not None:
            data = unpaired(one, self.grey(self.other, split))
            return data if split == "train" else data.rows(slice(len(one)))  # each source once, for standard errors
        if split == "test":
            return paired(one, changed(one, CHANGES[self.change]))
        half = len(one) // 2
        return unpaired(one.rows(slice(half)), changed(one.rows(slice(half, None)), CHANGES[self.change]))

    def setup(self, data: Data) -> Setup:
        x = self.x(data)
        both = cycle(x, data.variable("source"), **self.networks(x))
        forth, back = partial(translated, both.forth), partial(translated, both.back)
        phases = cycle_consistent(
            both, weight=self.weight, identity=self.identity, replay=self.replay, **self.playing(data)
        )

        def figures(held: Data) -> list[Figure]:
            made = forth(held["source"])
            found = [] if self.other else beside_truth(made, self._true(data), self._true(held))
            return found + there_and_back(back(made), data, held)

        def stages(held: Data) -> dict[str, Tensor]:
            made = forth(held["source"])
            true = {} if self.other else {"true": self._true(held)["image"]}
            return {"source": held["source"], "made": made, **true, "back": back(made)}

        return Setup(
            both.models,
            phases,
            lambda rows, labels: shown(forth(drawn(data["source"], rows))),
            figures,
            pictures={"translations": lambda held, path: translations(stages(held), shades=(-1, 1), path=path)},
        )

    def _true(self, data: Data) -> Data:
        """Sources with what they should become."""
        return replace(data, columns={**data.columns, "image": CHANGES[self.change](data["source"])})


def translated(model: Gan, rows: Tensor) -> Tensor:
    """What rows `[rows, *event]` become, where they are."""
    there = place(model.pair.model)
    (given,) = model.given
    parts = [model.sample(len(part), {given.name: part.to(there)}) for part in rows.split(AT_ONCE)]
    return torch.cat(parts).to(rows.device)


def beside_truth(made: Tensor, train: Data, held: Data) -> list[Figure]:
    """How far translations are from the truth, beside trivial ones, and whether labels are kept.

    Args:
        made: of the sources of held rows, `[rows, *event]`.
        train: `source`, the true `image`, and labels where there are any.
        held: the same of rows that were not learned from.
    """
    truth, mean = held["image"], train["image"].mean(0).to(held["image"].device)
    trivial = {"the mean image": mean.expand_as(truth), "the source itself": held["source"]}
    said = [f"of {n} {_mean(apart(each, truth)):.4g}" for n, each in trivial.items() if each.shape == truth.shape]
    error = apart(made, truth)
    how = f"{len(made):,} rows, {SHADES}; {', '.join(said)}"
    found = [Figure("mean absolute error", _mean(error), "estimate", how, _deviation(error))]
    if "label" in held.columns:
        found.append(replace(judged_right(made, held["label"], train, held), name="labels kept"))
    return found


def there_and_back(again: Tensor, train: Data, held: Data) -> list[Figure]:
    """How far what went there and back is from where it began, and whether it still has its label."""
    error = apart(again, held["source"])
    how = f"{len(again):,} rows, {SHADES}"
    found = [Figure("mean absolute error there and back", _mean(error), "estimate", how, _deviation(error))]
    if "label" in held.columns:
        first, second = (Data({"source": d["source"], "label": d["label"]}, d.name) for d in (train, held))
        judged = judged_right(again, held["label"], first, second)
        found.append(replace(judged, name="labels kept there and back"))
    return found


def drawn(sources: Tensor, rows: int) -> Tensor:
    """So many of the sources, at random."""
    return sources[torch.randint(len(sources), (rows,))]


def _mean(errors: Tensor) -> float:
    return errors.double().mean().item()


def _deviation(errors: Tensor) -> float:
    """The standard error of the mean."""
    return errors.double().std().item() / sqrt(len(errors))
