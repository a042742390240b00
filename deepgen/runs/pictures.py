"""What a run's folder shows: its graphs, samples at each checkpoint, and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pgm
from pgm.errors import PlanError

from ..evaluate.bounds import bounds
from ..pair import Pair
from ..pictures import curves, grid, interpolation, latents, manifold, reconstructions, traversals
from ..training.loop import Watch
from ..training.phase import Moment
from .run import Run

SHOWN, HELD, WAYS = 64, 500, 6  # samples in a picture, held-out rows looked at while training, interpolations


def watching(run: Run) -> Watch:
    """What is done at each checkpoint: a picture of samples, always of the same noise, and a bound on held-out rows."""
    held = run.recipe.load("test").rows(slice(HELD))

    def watch(moment: Moment) -> Mapping[str, float]:
        if run.folder is not None:
            draw_samples(run, run.folder / f"samples-{moment.turn:09d}.png")
        if run.setup.pair is None:
            return {}
        (found,) = bounds(run.setup.pair, held, (1,), progress=False)
        return {"held-out.elbo": found.value}

    return watch


def draw_samples(run: Run, path: Path, rows: int = SHOWN, label: object = None, seed: int | None = 0) -> None:
    """A picture of samples, with their labels where there are any."""
    labels, variable = run.labels(rows, label), run.label
    under = None if labels is None or variable is None else [variable.states[number] for number in labels.tolist()]
    grid(run.sample(rows, label, seed).cpu(), labels=under, path=path)


def draw_graphs(run: Run, path: Path) -> None:
    """Pictures of all models of a run."""
    for name, model in run.setup.models.items():
        pgm.plot(model, path=path.with_stem(f"{path.stem}-{name}"))


def draw_curves(run: Run, path: Path) -> None:
    """What was measured while the run learned."""
    curves(run.history, path=path)


def draw_reconstructions(run: Run, path: Path) -> None:
    """Held-out rows beside what the model makes of them."""
    reconstructions(_pair(run, "reconstructions"), run.recipe.load("test"), path=path)


def draw_traversals(run: Run, path: Path) -> None:
    """What each latent variable does."""
    traversals(_pair(run, "traversals"), run.recipe.load("test"), path=path)


def draw_interpolation(run: Run, path: Path) -> None:
    """From held-out rows to others."""
    held = run.recipe.load("test")
    one, other = held.rows(slice(0, WAYS)), held.rows(slice(WAYS, 2 * WAYS))
    interpolation(_pair(run, "interpolation"), one, other, path=path)


def draw_manifold(run: Run, path: Path) -> None:
    """All that two latent variables can make."""
    manifold(_pair(run, "manifold"), run.recipe.load("test"), path=path)


def draw_latents(run: Run, path: Path) -> None:
    """Where held-out rows lie among the latent variables."""
    latents(_pair(run, "latents"), run.recipe.load("test"), path=path)


PICTURES: Mapping[str, Callable[[Run, Path], None]] = {
    "graph": draw_graphs,
    "samples": draw_samples,
    "curves": draw_curves,
    "reconstructions": draw_reconstructions,
    "traversals": draw_traversals,
    "interpolation": draw_interpolation,
    "manifold": draw_manifold,
    "latents": draw_latents,
}


def _pair(run: Run, what: str) -> Pair:
    if run.setup.pair is None:
        raise PlanError(f"draw: {what} need a guide, which {run} does not have; draw its graph, samples or curves.")
    return run.setup.pair
