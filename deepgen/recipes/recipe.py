"""Recipes: all settings of a run in one small record, each of which the command line can change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, ClassVar

from pgm.errors import PlanError
from pgm.variable import Variable

from ..data.data import Data
from ..data.images import Split
from ..data.named import Binarisation, named
from ..training.phase import adam
from ..training.schedules import Schedule, constant, cosine
from .setup import Setup


@dataclass(frozen=True)
class Recipe(ABC):
    """All settings of a run; abstract.

    Args:
        data: digits, mnist, fashion_mnist, static_mnist, a toy, or a folder of images.
        binarise: how shades become black and white.
        labels: whether to condition on labels.
        epochs: passes over the data.
        batch: rows a batch.
        rate: learning rate.
        decay: whether the rate goes down half a cosine.
        warm_up: steps on which the rate goes up first.
        clip: norm to which gradients are cut.
        average: decay of moving averages of the parameters.
        seed: of everything random.

    Attributes:
        sampling: the settings that only concern sampling, which may be changed whenever a run is loaded.

    Raises:
        PlanError: when a number is not above 0 that has to be.
    """

    sampling: ClassVar[tuple[str, ...]] = ()

    data: str = "digits"
    binarise: Binarisation = "dynamic"
    labels: bool = False
    epochs: float = 100
    batch: int = 100
    rate: float = 1e-3
    decay: bool = False
    warm_up: int = 0
    clip: float | None = None
    average: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise PlanError(f"{type(self).__name__}: {name} is {value!r}, expected a number above 0.")
        if self.warm_up < 0:
            raise PlanError(f"{type(self).__name__}: warm_up is {self.warm_up!r}, expected 0 or more.")

    @abstractmethod
    def setup(self, data: Data) -> Setup:
        """The family, made for data like these."""

    def load(self, split: Split = "train") -> Data:
        """The data to train or to test on."""
        return named(self.data, split, self.binarise)

    def x(self, data: Data) -> Variable:
        """What is to be explained: the first column that is no label."""
        return data.variable(next(name for name in data.columns if name != "label"))

    def label(self, data: Data) -> Variable | None:
        """What the family is conditioned on, if anything."""
        return data.variable("label") if self.labels else None

    def steps(self, data: Data) -> int:
        """Batches in all; what does not fill a batch waits for another epoch."""
        return ceil(self.epochs * max(1, len(data) // self.batch))

    def options(self, data: Data) -> dict[str, Any]:
        """The optimiser, its rate and the clip of a phase."""
        return {"optimiser": adam(self.rate), "rate": self.falling(self.steps(data)), "clip": self.clip}

    def falling(self, steps: int) -> Schedule:
        """What the rate is multiplied by, in so many steps."""
        return cosine(steps, min(self.warm_up, steps - 1)) if self.decay or self.warm_up else constant()
