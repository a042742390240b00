"""`pgm sample` and `pgm plot`: samples, and pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .. import ask
from ..pictures import plot as picture_of
from ..samples import Samples
from .engines import SAMPLES, Wish, engine_for
from .files import load_model, text_out
from .options import engine, known
from .show import count, print_json

Options = Sequence[str] | None


def sample(
    file: Path,
    n: int,
    evidence: tuple[Options, Options],
    seed: int | None,
    output: Path | None,
    wish: Wish,
    json: bool,
) -> None:
    """Write n samples as CSV; JSON holds the samples, or how many a file got."""
    sampler = engine_for("sample", SAMPLES, wish)
    model = load_model(file)
    evident = known(model, *evidence)
    given, likelihood = dict(evident.given), dict(evident.likelihood) or None
    drawn = ask.sample(model, n, given=given, likelihood=likelihood, seed=seed, engine=sampler)
    if json and output is None:
        print_json({"n": n, "samples": {v.name: drawn.labels(v.name) for v in drawn.variables}})
        return
    _write(drawn, output)
    if json:
        print_json({"n": n, "output": str(output)})
    elif output is not None:
        print(f"{output}: {count(n, 'sample')} of {count(len(drawn.variables), 'variable')}")


def _write(drawn: Samples, output: Path | None) -> None:
    with text_out(output) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([v.name for v in drawn.variables])
        writer.writerows(zip(*(drawn.labels(v.name) for v in drawn.variables), strict=True))


def plot(
    file: Path,
    output: Path,
    view: Literal["directed", "moral", "factor", "junction"],
    evidence: tuple[Options, Options],
    posterior: bool,
    memory: str | None,
    seconds: float | None,
    json: bool,
) -> None:
    """Draw a model; there are bars when there is evidence or `posterior` is true, but none in the junction view."""
    limits = engine(memory, seconds)
    model = load_model(file)
    evident = known(model, *evidence)
    given, likelihood = dict(evident.given), dict(evident.likelihood) or None
    asked = (posterior or given or likelihood) and view != "junction"
    post = ask.infer(model, given=given, likelihood=likelihood, engine=limits) if asked else None
    picture = picture_of(model, given=given, posterior=post, view=view)
    picture.save(output)
    if json:
        print_json({"output": str(output), "view": picture.view, "nodes": picture.nodes})
    else:
        print(f"{output}: {picture.view} view, {count(picture.nodes, 'node')}")
