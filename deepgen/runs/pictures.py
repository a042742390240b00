"""What a run's folder shows, and what can be drawn of a run: its graphs, curves and samples, and what latents do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pgm.errors import PlanError
from pgm.model import Model

from ..data.data import Data
from ..evaluate.features import image_column
from ..pair import Pair
from ..pictures import (
    curves,
    graph,
    grid,
    interpolation,
    latents,
    manifold,
    points,
    reconstructions,
    traversals,
    watch_samples,
)
from ..training.loop import Watch
from .run import Run

SHOWN, DOTS, ACROSS, WAYS = 64, 1000, 12, 6  # images or points in a picture, labels a row of it, interpolations
OWN = ("process", "schedule", "terms", "arithmetic", "neighbours", "codes", "translations")  # of some families only
Draw = Callable[[Run, Path, object], object]


def watching(run: Run) -> Watch | None:
    """What is done at each checkpoint of a run with a folder: a picture of samples, and a look at held-out rows."""
    if run.folder is None:
        return None
    rows = shown(run)
    return watch_samples(run.setup, run.folder, held=_held(run), rows=rows, labels=run.labels(rows))


def draw_samples(run: Run, path: Path, rows: int | None = None, label: object = None, seed: int | None = 0) -> None:
    """A picture of samples, with their labels where there are any: all of them by turns, one a column."""
    count = shown(run) if rows is None else rows
    labels, variable = run.labels(count, label), run.label
    under = None if labels is None or variable is None else [variable.states[number] for number in labels.tolist()]
    columns = variable.size if variable is not None and label is None and count > variable.size <= ACROSS else None
    drawn = run.sample(count, label, seed).cpu()
    if drawn.dim() > 2:
        grid(drawn, labels=under, columns=columns, path=path)
    else:
        points(drawn, beneath=_held(run)[run.recipe.x(run.data).name], labels=under, path=path)


def shown(run: Run) -> int:
    """Samples in a picture: with a few labels as many of each as there are labels, a square with a column for each."""
    if len(run.recipe.x(run.data).shape) < 2:
        return DOTS
    return SHOWN if run.label is None or run.label.size > ACROSS else run.label.size**2


def _interpolated(run: Run, path: Path) -> None:
    """From some held-out rows to others, or as a family without a guide draws it."""
    if "interpolation" in run.setup.pictures:
        _own("interpolation", run, path, None)
        return
    rows = _held(run)
    one, other = rows.rows(slice(0, WAYS)), rows.rows(slice(WAYS, 2 * WAYS))
    interpolation(_pair(run, "interpolation"), one, other, shades=_shades(rows), path=path)


def _reconstructed(run: Run, path: Path) -> None:
    """Held-out rows and what is made of them, or as a family whose pair has no density draws it."""
    if "reconstructions" in run.setup.pictures:
        _own("reconstructions", run, path, None)
    else:
        rows = _held(run)
        reconstructions(_pair(run, "reconstructions"), rows, shades=_shades(rows), path=path)


def _traversed(run: Run, path: Path) -> None:
    """What each unit does to held-out rows."""
    rows = _held(run)
    traversals(_pair(run, "traversals"), rows, shades=_shades(rows), path=path)


def _manifold(run: Run, path: Path, label: object) -> None:
    """What the latent plane holds, in the shades of held-out rows."""
    rows = _held(run)
    manifold(_pair(run, "a manifold"), rows, label=label, shades=_shades(rows), path=path)


def _own(what: str, run: Run, path: Path, label: object) -> None:
    """A picture that only some families have."""
    if what not in run.setup.pictures:
        raise PlanError(f"draw: {run} has no picture {what!r}; draw its {_others(run)}.")
    run.setup.pictures[what](_held(run).to(run.device), path)


PICTURES: Mapping[str, Draw] = {
    "graph": lambda run, path, label: graph(_graphs(run), path=path),
    "samples": lambda run, path, label: draw_samples(run, path, label=label),
    "curves": lambda run, path, label: curves(run.history, path=path),
    "reconstructions": lambda run, path, label: _reconstructed(run, path),
    "traversals": lambda run, path, label: _traversed(run, path),
    "interpolation": lambda run, path, label: _interpolated(run, path),
    "manifold": _manifold,
    "latents": lambda run, path, label: latents(_pair(run, "latents"), _held(run), path=path),
    **{what: partial(_own, what) for what in OWN},
}


def _graphs(run: Run) -> Pair | Mapping[str, Model]:
    """What a setup names to be drawn if that is a pair, else its pair, else models by name."""
    models = run.setup.models
    return models if isinstance(models, Pair) else run.setup.pair or models


def _shades(data: Data) -> tuple[float, float]:
    """The numbers that are black and white: from -1 where shades are centred."""
    return (-1.0 if bool((data[image_column(data)] < 0).any()) else 0.0, 1.0)


def _others(run: Run) -> str:
    """What can be drawn of any run, and of this one."""
    *most, last = "graph", "samples", "curves", *run.setup.pictures
    return f"{', '.join(most)} or {last}"


def _held(run: Run) -> Data:
    return run.recipe.load("test")


def _pair(run: Run, what: str) -> Pair:
    if run.setup.pair is None:
        raise PlanError(f"draw: for {what} a guide is needed, which {run} does not have; draw its {_others(run)}.")
    return run.setup.pair
