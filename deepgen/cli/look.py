"""`deepgen sample`, `deepgen evaluate` and `deepgen draw`: what a run has learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pgm.cli.show import count, print_json
from pgm.errors import FileError, PlanError

from ..runs import Run, load
from ..runs.pictures import PICTURES, draw_samples, shown
from .app import Split, What

NUMBERS, IMAGES = ".npy", (".png", ".svg", ".pdf")


def sample(
    folder: Path,
    output: Path,
    n: int | None,
    label: Sequence[str] | None,
    seed: int | None,
    chosen: Sequence[str] | None,
    device: str,
    json: bool,
) -> None:
    """Write samples as a picture, or as an array of numbers."""
    _require(output, (*IMAGES, NUMBERS))
    run = _opened(folder, device, chosen)
    rows = shown(run) if n is None else n
    if output.suffix == NUMBERS:
        _written(output, run.sample(rows, label or None, seed).cpu().numpy())
    else:
        draw_samples(run, output, rows, label or None, seed)
    _say(output, {"output": str(output), "n": rows}, json, count(rows, "sample"))


def evaluate(
    folder: Path,
    particles: str,
    samples: int,
    features: bool,
    split: Split,
    chosen: Sequence[str] | None,
    device: str,
    json: bool,
) -> None:
    """Print figures, each with what it bounds and how sure it is."""
    found = _opened(folder, device, chosen).evaluate(_whole(particles), samples, features, split)
    if json:
        print_json({"run": str(folder), "figures": [figure.json() for figure in found]})
        return
    for figure in found:
        print(figure)


def draw(
    folder: Path, output: Path, what: What, label: str | None, chosen: Sequence[str] | None, device: str, json: bool
) -> None:
    """Draw a picture of a run."""
    _require(output, IMAGES)
    PICTURES[what](_opened(folder, device, chosen), output, label)
    _say(output, {"output": str(output), "what": what}, json, what)


def _opened(folder: Path, device: str, chosen: Sequence[str] | None) -> Run:
    """The run in a folder, with the settings of sampling that were chosen as NAME=VALUE."""
    parts = [each.partition("=") for each in chosen or ()]
    wrong = next((name for name, equals, _ in parts if not equals), None)
    if wrong is not None:
        raise PlanError(f"--set {wrong!r}: expected NAME=VALUE, such as guidance=2.")
    named = {name.strip().replace("-", "_"): value.strip() for name, _, value in parts}
    return load(folder, device, **named)


def _say(output: Path, answer: dict[str, object], json: bool, text: str) -> None:
    if json:
        print_json(answer)
    else:
        print(f"{output}: {text}")


def _whole(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [0]
    if any(each < 1 for each in found):
        raise PlanError(f"--particles {text!r}: expected whole numbers above 0 with commas between them, such as 1,50.")
    return found


def _require(output: Path, suffixes: Sequence[str]) -> None:
    """Raise a `FileError` before work is spent on what can not be written."""
    if output.suffix not in suffixes:
        raise FileError(f"{output}: ends in {output.suffix!r}, expected {', '.join(suffixes)}.")
    if not output.absolute().parent.is_dir():
        raise FileError(f"{output}: there is no folder {output.parent}.")


def _written(output: Path, numbers: np.ndarray) -> None:
    try:
        np.save(output, numbers, allow_pickle=False)
    except OSError as error:
        raise FileError(f"{output}: can not be written ({error.strerror}).") from None
