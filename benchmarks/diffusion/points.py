"""Points in the plane by diffusion and by flow matching: recipes with larger batches than images need.

Each of four toys is learned from 10,000 points of unit variance, and 2,500 samples are compared with 10,000 others.

- modes, high_quality: of a ring of 8 and of a grid of 25 Gaussians, those that samples found, and the share of samples
  within 3 deviations of the nearest (VEEGAN's measure; of the data themselves it is 98.9 %).
- wasserstein: sliced Wasserstein distance of order 2 to 2,500 points that were not learned from, at unit variance;
  `data` is that between these and 2,500 others of the data.
- log p: of held-out points, in nats: a lower bound for diffusion, exact for flows.
- seconds: of CPU, to learn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

import deepgen
from deepgen.data.named import named
from deepgen.data.standardised import spread_of
from deepgen.data.toys import grid_centres, ring_centres
from deepgen.evaluate.samples import modes, sliced_wasserstein
from deepgen.recipes import Recipe
from deepgen.recipes.diffusion import Diffusion
from deepgen.recipes.flow_matching import FlowMatching
from deepgen.recipes.settings import values

Row = dict[str, object]
SAMPLES = 2500
MIXTURES = {"ring": (ring_centres(), 0.01), "grid": (grid_centres(), 0.05)}  # centres and deviations
TOYS = ("ring", "grid", "swirl", "checkerboard")
RECIPES = (Diffusion(noise_steps=1000), FlowMatching())
POINTS: dict[str, Any] = {"batch": 500, "rate": 3e-3, "hidden": (192, 192, 192)}
SEEDS = (0,)
SETTINGS = (
    "hidden", "epochs", "batch", "rate", "decay", "average", "noise_steps", "schedule", "predicts", "sample_steps",
    "eta", "method", "coupling", "seed",
)  # fmt: skip


def rows(smoke: bool = False) -> Iterator[Row]:
    """A row for each toy, family and seed."""
    changed: dict[str, Any] = {"epochs": 0.02, "hidden": (8,), "sample_steps": 2} if smoke else POINTS
    for toy in TOYS[:1] if smoke else TOYS:
        for recipe in RECIPES:
            for seed in SEEDS:
                yield row(replace(recipe, data=toy, seed=seed, **changed), 20 if smoke else SAMPLES)


def row(recipe: Recipe, samples: int = SAMPLES) -> Row:
    """What a recipe learns of a toy."""
    start = time.process_time()
    run = deepgen.train(recipe, device="cpu", progress=False)
    seconds = time.process_time() - start
    held, drawn = recipe.load("test"), run.sample(samples, seed=0)
    test, others = held["x"][:samples], held["x"][samples : 2 * samples]
    centre, deviation = spread_of(named(recipe.data))
    return {
        "name": f"{recipe.data}, {type(recipe).__name__}",
        **_modes(recipe.data, drawn * deviation + centre),
        "wasserstein": sliced_wasserstein(drawn, test),
        "data": sliced_wasserstein(others, test),
        "log p": run.setup.figures(held.rows(slice(0, samples)))[0].value,
        "seconds": seconds,
        "settings": ", ".join(f"{name} {value}" for name, value in values(recipe).items() if name in SETTINGS),
    }


def _modes(toy: str, points: Tensor) -> Row:
    if toy not in MIXTURES:
        return {"modes": "-", "high_quality": "-"}
    found = modes(points, *MIXTURES[toy])
    return {"modes": f"{found.captured} of {found.of}", "high_quality": found.high_quality}
