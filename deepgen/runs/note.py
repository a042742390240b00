"""What a run's folder says about the run: `recipe.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pgm.errors import FileError, PlanError
from pgm.variable import quoted

from ..data.data import Data
from ..recipes import RECIPES, Recipe
from ..recipes.settings import made, values

FILE = "recipe.json"


@dataclass(frozen=True, eq=False)
class Note:
    """A recipe, and the shape of what it was trained on.

    Args:
        recipe: with all settings.
        columns: the event shape of each column of the data, by name.
    """

    recipe: Recipe
    columns: Mapping[str, list[int]]


def note_of(recipe: Recipe, data: Data) -> Note:
    """The note of a run that trains a recipe on data."""
    return Note(recipe, {name: list(column.shape[1:]) for name, column in data.columns.items()})


def name_of(recipe: Recipe) -> str:
    """The name under which a recipe is known.

    Raises:
        PlanError: when it is none of `RECIPES`.
    """
    found = next((name for name, kind in RECIPES.items() if kind is type(recipe)), None)
    if found is None:
        raise PlanError(
            f"{type(recipe).__name__}: runs in folders are of the recipes in RECIPES, {quoted(RECIPES, 40)}."
        )
    return found


def write_note(folder: Path, note: Note) -> None:
    """Put the note into the folder of a run, whole or not at all."""
    about = {
        "recipe": name_of(note.recipe),
        "settings": values(note.recipe),
        "columns": note.columns,
        "version": _version(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    aside = (folder / FILE).with_suffix(".new")
    aside.write_text(json.dumps(about, indent=1) + "\n")
    aside.replace(folder / FILE)


def read_note(folder: Path) -> Note:
    """The note in the folder of a run.

    Raises:
        FileError: when there is no such folder, no run in it, or its note is damaged.
    """
    path = folder / FILE
    if not folder.is_dir():
        raise FileError(f"{folder}: there is no such folder; `deepgen train` makes one.")
    if not path.is_file():
        raise FileError(f"{folder}: there is no run in it, {FILE} is missing.")
    try:
        about: dict[str, Any] = json.loads(path.read_text())
        recipe, given, columns = about["recipe"], about["settings"], about["columns"]
        if recipe not in RECIPES:
            raise PlanError(f"there is no recipe {recipe!r}, expected {quoted(RECIPES, 40)}.")
        return Note(made(RECIPES[recipe], given), dict(columns))
    except PlanError as error:
        raise FileError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path}: is damaged ({type(error).__name__}: {error}).") from None


def _version() -> str:
    try:
        return version("pgm-deepgen")
    except PackageNotFoundError:
        return "unknown"
