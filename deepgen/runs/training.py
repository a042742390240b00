"""Training a recipe, and going on with a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fcntl import LOCK_EX, LOCK_NB, flock
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch

from pgm.errors import PlanError

from ..recipes import Recipe
from ..training import checkpoint
from ..training.fit import fit
from ..training.history import History, read_history
from .note import name_of, note_of, read_note, write_note
from .pictures import PICTURES, watching
from .run import Run, data_of, fresh

CHECKPOINTS, RECORDS = 10, 100  # of a whole run
LOCK = ".lock"


def train(
    recipe: Recipe,
    out: Path | str | None = None,
    *,
    device: str | torch.device | None = None,
    precision: Literal["no", "bf16"] = "no",
    compile: bool = False,
    every: int | None = None,
    progress: bool = True,
) -> Run:
    """Train a recipe on its data.

    Ctrl-C ends training after the turn and keeps what there is. With `out` the folder gets `recipe.json`,
    `graph.png`, `history.jsonl` and `.csv`, at each checkpoint `samples-<turn>.png`, and `curves.png` in the end.

    Args:
        recipe: with all settings.
        out: the folder of the run; nothing is written when None.
        device: where to compute; by default a GPU where there is one.
        precision: 'no' for float32 throughout, 'bf16' for matrix products in short floats.
        compile: whether networks are compiled; the first steps then take long.
        every: turns between checkpoints; by default there are ten.
        progress: whether to show a line on a terminal.

    Raises:
        PlanError: when the folder holds a run already or another process trains in it, or a setting is out of range.
        FileError: when there are no such data.
        DivergenceError: when training leaves the finite numbers.

    Example:
        >>> from deepgen.recipes import VAE
        >>> train(VAE(epochs=3, latents=2, hidden=(64,)), device="cpu")
        Run(VAE on digits, 3 of 3 epochs)
    """
    data = recipe.load()
    run = Run(recipe, fresh(recipe, data), data, History(), None if out is None else Path(out))
    options = {"device": device, "precision": precision, "compile": compile, "progress": progress}
    with alone(run.folder):
        if run.folder is not None and main_process():
            _claim(run.folder, recipe)
            write_note(run.folder, note_of(recipe, data))
            PICTURES["graph"](run, run.folder / "graph.png", None)
        return _learned(run, every, resume=False, **options)


def resume(folder: Path | str, epochs: float | None = None, *, every: int | None = None, **options: Any) -> Run:
    """Go on with a run from its newest checkpoint, on the CPU to the same bits as if it had never stopped.

    More epochs make it longer; a learning rate that goes down does so over all of them. All other settings stay; a
    run with others is another run. How it is computed may change: device, precision, checkpoints.

    Args:
        folder: of the run.
        epochs: passes over the data in all; those of its recipe when None.
        every: as for `train`.
        options: `device`, `precision`, `compile` and `progress`, as for `train`.

    Raises:
        FileError: when there is no run in it, its files are damaged, or its data are no longer what they were.
        PlanError: when it has made more epochs than it is to have, or another process trains in it.
    """
    home = Path(folder)
    note = read_note(home)
    recipe = note.recipe if epochs is None else replace(note.recipe, epochs=epochs)
    data = data_of(home, note)
    with alone(home):
        found = checkpoint.read(home)
        run = Run(recipe, fresh(recipe, data), data, read_history(home), home)
        if found.turn > turns(run):
            raise PlanError(
                f"resume: {home} has made {found.turn:,} turns, and {recipe.epochs:g} epochs are {turns(run):,}; ask "
                "for more epochs."
            )
        if main_process():
            write_note(home, note_of(recipe, data))
        return _learned(run, every, resume=True, **options)


def turns(run: Run) -> int:
    """How many turns of all phases a run has."""
    return ceil(run.recipe.steps(run.data) / sum(phase.steps for phase in run.setup.phases))


def main_process() -> bool:
    """Whether this is the one process, or the first of several, which writes the files."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def alone(folder: Path | None) -> Iterator[None]:
    """The folder of a run, made where it is missing, for this process alone; a process that is killed lets go of it.

    Raises:
        PlanError: when another process trains in it, or it is a file.
    """
    if folder is None or not main_process():
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise PlanError(f"train: {folder} is a file, expected the name of a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise PlanError(f"train: another process trains in {folder}; wait, or name another folder.") from None
        yield


def _learned(run: Run, every: int | None, **options: Any) -> Run:
    """The run after training, with its curve drawn."""
    total, recipe = turns(run), run.recipe
    history = fit(
        run.setup.phases,
        run.data,
        turns=total,
        batch=recipe.batch,
        seed=recipe.seed,
        average=recipe.average,
        out=run.folder,
        record=max(1, min(50, total // RECORDS)),
        every=ceil(total / CHECKPOINTS) if every is None else every,
        watch=watching(run),
        **options,
    )
    learned = replace(run, history=history)
    if run.folder is not None and main_process() and len(history):
        PICTURES["curves"](learned, run.folder / "curves.png", None)
    return learned


def _claim(folder: Path, recipe: Recipe) -> None:
    """Raise a `PlanError` where a run would be written over."""
    name_of(recipe)
    if checkpoint.checkpoints(folder):
        raise PlanError(
            f"train: {folder} holds a run already; `deepgen resume` goes on with it, or name another folder."
        )
