"""What recipes of games have in common: rows and their shades, labels to draw, and options of players."""

from __future__ import annotations

from math import inf
from typing import Any

import torch
from torch import Tensor

from ..data.data import Data
from ..data.images import Split
from ..data.named import named
from ..data.shades import centred
from ..data.standardised import standardised
from ..evaluate.rows import place
from ..training.phase import adam
from ..zoo.adversarial import Gan
from .recipe import Recipe

SECOND = 0.99  # decay of Adam's mean of squares


def in_shades(recipe: Recipe, split: Split) -> Data:
    """Images with shades from -1 to 1, other rows with a deviation of 1."""
    found = named(recipe.data, split, recipe.binarise)
    return centred(found) if "image" in found.columns else standardised(found, named(recipe.data))


def playing(recipe: Recipe, momentum: float, steps: int, rate: float | None = None) -> dict[str, Any]:
    """Options of a player who makes so many steps in all, at a rate of its own or that of the recipe."""
    optimiser = adam(rate or recipe.rate, (momentum, SECOND))
    return {"optimiser": optimiser, "rate": recipe.falling(steps), "clip": recipe.clip or inf}


def told(model: Gan, rows: int) -> dict[str, Tensor]:
    """All labels by turns, where the generator is told any."""
    numbers = torch.arange(rows, device=place(model.pair.model))
    return {v.name: numbers % v.size for v in model.given}


def sampled(model: Gan, rows: int, labels: Tensor | None) -> Tensor:
    """Draws `[rows, *event]`, as pictures show them."""
    return shown(model.sample(rows, {} if labels is None else {"label": labels}))


def shown(rows: Tensor) -> Tensor:
    """Images with shades from 0 to 1 in place of -1 to 1; points as they are."""
    return (rows + 1) / 2 if rows.dim() > 2 else rows
