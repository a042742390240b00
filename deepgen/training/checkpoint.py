"""Checkpoints: tensors in safetensors, facts in JSON, nothing that could run code. What is on disk is always whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pgm.errors import FileError

FOLDER, TENSORS, FACTS = "checkpoints", "state.safetensors", "facts.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a run.

    Args:
        turn: how many turns are over.
        tensors: by name.
        facts: whatever JSON can hold.
    """

    turn: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def write(run: Path, checkpoint: Checkpoint, kept: int = 2) -> Path:
    """Put a checkpoint into the folder of a run; the oldest go.

    It is written under another name, flushed to the disk and then renamed, so that whenever the machine stops what is
    found under a checkpoint's name is whole.

    Args:
        run: folder.
        checkpoint: what to write.
        kept: how many checkpoints stay.
    """
    from safetensors.torch import save

    home = run / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    place, aside = home / f"{checkpoint.turn:09d}", home / ".new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    owned = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in checkpoint.tensors.items()}
    _flushed(aside / TENSORS, save(owned))
    _flushed(aside / FACTS, json.dumps({"turn": checkpoint.turn, **checkpoint.facts}, indent=1).encode())
    _flush_folder(aside)
    shutil.rmtree(place, ignore_errors=True)
    aside.rename(place)
    _flush_folder(home)
    for old in checkpoints(run)[:-kept]:
        shutil.rmtree(old, ignore_errors=True)
    return place


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints in the folder of a run, oldest first."""
    return sorted(path for path in (run / FOLDER).glob("[0-9]*") if path.is_dir())


def read(run: Path) -> Checkpoint:
    """The newest checkpoint in the folder of a run, or the one before where the newest is damaged.

    Raises:
        FileError: when there is none, or all are damaged.
    """
    found = checkpoints(run)
    if not found:
        raise FileError(f"{run}: there is no checkpoint in it; expected {run / FOLDER / ('0' * 9)} or the like.")
    *others, newest = found
    for place in (newest, *reversed(others)):
        with suppress(FileError):
            return read_one(place)
    return read_one(newest)  # which says what is wrong with it


def read_one(place: Path) -> Checkpoint:
    """One checkpoint.

    Raises:
        FileError: when a file is missing, cut short, or not what it should be.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        facts = json.loads((place / FACTS).read_text())
        return Checkpoint(int(facts.pop("turn")), load_file(place / TENSORS), facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise FileError(
            f"{place}: the checkpoint is damaged or incomplete ({type(error).__name__}: {error}). Delete the folder to "
            "go on from an earlier one."
        ) from None


def _flushed(path: Path, raw: bytes) -> None:
    with open(path, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
