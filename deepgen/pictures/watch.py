"""Samples while a model learns: a picture at every checkpoint, and all of them side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pgm.errors import FileError

from ..data.data import Data
from ..training.loop import Watch
from ..training.phase import Moment
from ..training.player import Loss
from .grid import grid
from .points import points
from .sheet import WIDTH, Text, sheet
from .style import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..recipes.setup import Setup

FILES = "samples-*.png"
AT_ONCE = 500  # held-out rows


def watch_samples(
    setup: Setup,
    out: Where,
    *,
    held: Data | None = None,
    rows: int = 64,
    labels: Tensor | None = None,
    shades: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> Watch:
    """What `fit` can do after each checkpoint: draw samples into the run's folder, and measure held-out rows.

    `samples-000001000.png` shows samples after 1,000 turns, always of the same noise, so that pictures can be compared;
    points are drawn over the held-out ones. Training goes on exactly as it would without.

    Args:
        setup: the family that learns.
        out: the folder of the run, as for `fit`.
        held: rows that are not trained on. Every term of every phase is measured on them for the history, such as
            `held-out elbo.loss`.
        rows: samples in a picture.
        labels: of the samples, `[rows]`, where the family is conditioned on labels.
        shades: the numbers that are black and white.
        seed: of samples and of terms that are estimates.

    Example:
        >>> from tempfile import mkdtemp
        >>> from deepgen import fit
        >>> from deepgen.recipes import VAE
        >>> recipe, out = VAE(latents=2, hidden=(16,)), mkdtemp()
        >>> data, held = recipe.load(), recipe.load("test")
        >>> setup = recipe.setup(data)
        >>> watch = watch_samples(setup, out, held=held)
        >>> history = fit(setup.phases, data, turns=4, every=2, out=out, device="cpu", watch=watch)
        >>> [path.name for path in sorted(Path(out).glob("samples-*.png"))], len(history["held-out elbo.loss"])
        (['samples-000000002.png', 'samples-000000004.png'], 2)
    """

    def watch(moment: Moment) -> Mapping[str, float]:
        device = setup.phases[0].parameters()[0].device
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            with torch.no_grad():
                drawn = setup.sample(rows, None if labels is None else labels.to(device))
            _drawn(drawn, held, labels, shades, Path(out) / f"samples-{moment.turn:09d}.png")
            found = {} if held is None else _measured(setup, held, moment, device, seed)
            return {**found, **setup.watched(drawn)}

    return watch


def _drawn(drawn: Tensor, held: Data | None, labels: Tensor | None, shades: tuple[float, float], path: Path) -> None:
    if drawn.dim() > 2:
        states = None if held is None else held.states.get("label")
        names = labels if labels is None or states is None else [states[number] for number in labels.tolist()]
        grid(drawn, labels=names, shades=shades, path=path)
    else:
        beneath = None if held is None else next(held[name] for name in held.columns if name != "label")
        points(drawn, beneath=beneath, labels=labels, path=path)


def _measured(setup: Setup, held: Data, moment: Moment, device: torch.device, seed: int) -> dict[str, float]:
    """The mean of each term of each phase over the held-out rows."""
    found: dict[str, float] = {}
    generator = torch.Generator().manual_seed(seed)
    for some in torch.arange(len(held)).split(AT_ONCE):
        batch = {name: column.to(device) for name, column in held.batch(some, generator).items()}
        for phase in setup.phases:
            for term, value in Loss(phase)(batch, moment).items():
                name = f"held-out {phase.name}.{term}"
                found[name] = found.get(name, 0.0) + value.item() * len(some) / len(held)
    return found


def samples_over_time(folder: Where, *, most: int = 5, title: str | None = None, path: Where | None = None) -> Figure:
    """The pictures of samples in a run's folder side by side, from the first to the last.

    Args:
        folder: of the run, with files as `watch_samples` writes them.
        most: pictures, taken evenly.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        FileError: when there are no pictures, they are not all of one size, or the picture cannot be written.

    Example:
        >>> from tempfile import mkdtemp
        >>> from deepgen.pictures import grid
        >>> out = mkdtemp()
        >>> for turn in (100, 200):
        ...     _ = grid(torch.rand(16, 8, 8), path=f"{out}/samples-{turn:09d}.png")
        >>> [text.get_text() for text in samples_over_time(out).axes[0].texts]
        ['turn 100', 'turn 200']
    """
    files = sorted(Path(folder).glob(FILES))
    if not files:
        raise FileError(f"{os.fspath(folder)}: there are no pictures {FILES} in it; fit with watch=watch_samples(...).")
    chosen = [files[round(place)] for place in np.linspace(0, len(files) - 1, min(most, len(files)))]
    pixels = [_pixels(file) for file in chosen]
    if len({each.shape for each in pixels}) > 1:
        raise FileError(f"{os.fspath(folder)}: the pictures {FILES} differ in size, expected those of one run.")
    whole = torch.stack(pixels)
    smaller = max(1, round(len(chosen) * whole.shape[-1] / (2 * WIDTH)))
    turns = [f"turn {int(file.stem.removeprefix('samples-')):,}" for file in chosen]
    return sheet(avg_pool2d(whole, smaller), len(chosen), Text(title, above=turns), path=path)


def _pixels(file: Path) -> Tensor:
    """A picture as shades of red, green and blue, `[3, H, W]`."""
    from matplotlib.image import imread

    return torch.from_numpy(imread(file)).float()[..., :3].permute(2, 0, 1)
