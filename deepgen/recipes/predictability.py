"""A recipe for predictability minimisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from ..data.data import Data
from ..evaluate.figure import Figure
from ..networks import mlp
from ..zoo.predictability import Coder, bit_information, predictability_game, predictability_minimisation
from .recipe import Recipe
from .setup import Setup

HELD = 2_000  # rows whose codes pictures are made of


@dataclass(frozen=True)
class Predictability(Recipe):
    """A factorial code: units that are informative together, and that cannot be told from each other.

    Args:
        units: of the code.
        hidden: units of each hidden layer of encoder and decoder.
        predictors: hidden units of each predictor.
        reconstruction: what a nat of log p(x | z) counts beside the predictors' squared error.
        turns: steps of the predictors for each one of the encoder.
    """

    units: int = 16
    hidden: tuple[int, ...] = (200,)
    predictors: int = 16
    reconstruction: float = 0.1
    turns: int = 2

    def setup(self, data: Data) -> Setup:
        x, network = self.x(data), mlp(*self.hidden, activation=nn.Tanh)
        coder = predictability_minimisation(
            x, self.units, label=self.label(data), encoder=network, decoder=network, hidden=self.predictors
        )
        phases = predictability_game(coder, self.reconstruction, (self.turns, 1), **self.options(data))

        def sample(rows: int, labels: Tensor | None) -> Tensor:
            return shuffled(coder, data, rows, labels)

        def figures(held: Data) -> Sequence[Figure]:
            return measured(coder, held)

        return Setup(coder.modules, phases, sample, figures, coder.pair)


@torch.no_grad()
def shuffled(coder: Coder, data: Data, rows: int, labels: Tensor | None = None) -> Tensor:
    """Means of x for codes each unit of which comes from a row of its own: draws from a code that is factorial.

    Args:
        coder: what was learned.
        data: the rows, of which the first are encoded.
        rows: how many.
        labels: `[rows]`; units come from rows of the same label.
    """
    place = next(coder.pair.model.parameters()).device
    batch = _batch(data, torch.arange(min(HELD, len(data))), place)
    codes, units = coder.codes(batch), torch.arange(coder.pair.latents[0].shape[0])
    if labels is None:
        chosen = torch.randint(len(codes), (rows, len(units)))
    else:
        same = (labels.to(place)[:, None] == batch["label"]).float().cpu()  # [rows, held]
        chosen = same.multinomial(len(units), replacement=True)
    values = {"z": codes[chosen.to(place), units.to(place)]}
    given = {} if labels is None else {"label": labels.to(place)}
    return coder.pair.means({**values, **given})[coder.pair.observed[0].name]


@torch.no_grad()
def measured(coder: Coder, data: Data) -> tuple[Figure, ...]:
    """How well codes are told from each other, and rows from their codes.

    Args:
        coder: what was learned.
        data: rows to measure it on.
    """
    place, x = next(coder.pair.model.parameters()).device, coder.pair.observed[0].name
    batch = _batch(data, torch.arange(len(data)), place)
    codes = coder.codes(batch)
    error, variance = (codes - coder.guesses(batch, codes)).square().sum(), (codes - codes.mean(0)).square().sum()
    information, how = bit_information(codes), f"{len(data):,} rows of {data.name}"
    pairs = information[torch.ones_like(information).triu(1).bool()]
    decoder, values = coder.pair.model.conditionals[x], {**batch, "z": codes}
    likelihood = decoder.log_prob(*(values[v.name] for v in decoder.scope)).double()
    return (
        Figure(
            "log p(x | z)", likelihood.mean().item(), "exact", how, likelihood.std().item() / sqrt(len(data)), "nats"
        ),
        Figure("entropy of a unit", information.diagonal().mean().item(), "exact", how, unit="nats"),
        Figure("information between two units", pairs.mean().item(), "exact", how, unit="nats"),
        Figure("share of variance that other units explain", 1 - (error / variance).item(), "lower bound", how),
    )


def _batch(data: Data, rows: Tensor, place: torch.device) -> dict[str, Tensor]:
    """Some rows, with what is drawn anew drawn in one way."""
    found = data.batch(rows, torch.Generator(next(iter(data.columns.values())).device).manual_seed(0))
    return {name: value.to(place) for name, value in found.items()}
