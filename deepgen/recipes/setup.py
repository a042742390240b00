"""A family on data, ready to learn: what every recipe makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from pgm.model import Model

from ..data.data import Data
from ..evaluate.figure import Figure
from ..pair import Pair
from ..training.phase import Phase


@dataclass(frozen=True, eq=False)
class Setup:
    """What the command line, checkpoints and pictures need of a family, whatever it is.

    Args:
        models: its graphs to be drawn: a pair, in which what is observed is shaded, or graphs by name.
        phases: how it learns.
        sample: draws what pictures show (means of pixels rather than bits), `[rows, *event]`, of so many rows, with
            labels `[rows]` where the family is conditioned on them.
        figures: measures it on data.
        pair: the model with its guide, where it is one: for reconstructions and everything else about latents.
        pictures: those that the family alone has, by name: each draws held-out rows into a file.
        watched: figures of the samples that are drawn at each checkpoint, for the history.
    """

    models: Pair | Mapping[str, Model]
    phases: tuple[Phase, ...]
    sample: Callable[[int, Tensor | None], Tensor]
    figures: Callable[[Data], Sequence[Figure]]
    pair: Pair | None = None
    pictures: Mapping[str, Callable[[Data, Path], object]] = field(default_factory=dict)
    watched: Callable[[Tensor], Mapping[str, float]] = lambda samples: {}


def of_pair(pair: Pair, phases: Phase | Sequence[Phase], figures: Callable[[Data], Sequence[Figure]]) -> Setup:
    """The setup of a pair.

    Args:
        pair: with one observed variable, and at most one given: the label.
        phases: how it learns.
        figures: measures it on data.
    """

    def sample(rows: int, labels: Tensor | None) -> Tensor:
        given = {} if labels is None else {variable.name: labels for variable in pair.given}
        return pair.means(pair.sample(rows, given))[pair.observed[0].name]

    return Setup(pair.modules, (phases,) if isinstance(phases, Phase) else tuple(phases), sample, figures, pair)
