"""What a run's folder shows: its graphs, samples at each checkpoint, and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pgm

from ..evaluate.bounds import bounds
from ..pictures import curves, grid
from ..training.loop import Watch
from ..training.phase import Moment
from .run import Run

SHOWN, HELD = 64, 500  # samples in a picture, and held-out rows that are looked at while training


def watching(run: Run) -> Watch:
    """What is done at each checkpoint: a picture of samples, always of the same noise, and a bound on held-out rows."""
    held = run.recipe.load("test").rows(slice(HELD))

    def watch(moment: Moment) -> Mapping[str, float]:
        if run.folder is not None:
            draw_samples(run, run.folder / f"samples-{moment.turn:09d}.png")
        if run.setup.pair is None:
            return {}
        (found,) = bounds(run.setup.pair, held.to(run.device), (1,))
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


PICTURES: Mapping[str, Callable[[Run, Path], None]] = {
    "graph": draw_graphs,
    "samples": draw_samples,
    "curves": draw_curves,
}
