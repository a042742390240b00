"""Contact sheets: images side by side, every pixel of them a square of whole pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pgm.errors import ShapeError
from pgm.pictures.style import INK, PAPER, QUIET

from .style import SMALL, TITLE, Where, canvas, saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, TILE = 800, 128  # pixels: of a sheet, about; of an image, at most unless it has more
MARGIN, GUTTER, BETWEEN = 12, 4, 14  # around everything, between images, between bands of rows
HEADING, LINE = 26, 15  # pixels of the title and of a line of small print
LETTER = 6.2  # and of one of its letters, about


@dataclass(frozen=True)
class Text:
    """What is written around the images of a sheet.

    Args:
        title: on top.
        under: below each image.
        left: beside each row.
        above: over each column.
    """

    title: str | None = None
    under: Sequence[str] = ()
    left: Sequence[str] = ()
    above: Sequence[str] = ()


@dataclass(frozen=True)
class Layout:
    """Where everything on a sheet lies, in pixels from the upper left corner.

    Args:
        x, y: the left and upper edges of each image.
        wide, high: the size of each image.
        width, height: the size of the sheet.
    """

    x: Sequence[int]
    y: Sequence[int]
    wide: int
    high: int
    width: int
    height: int


def sheet(
    images: Tensor,
    columns: int,
    text: Text,
    *,
    shades: tuple[float, float] = (0.0, 1.0),
    band: int = 0,
    path: Where | None = None,
) -> Figure:
    """Images in rows, as large as their number allows.

    Args:
        images: `[n, H, W]`, `[n, 1, H, W]` or `[n, 3, H, W]`.
        columns: images a row.
        text: what is written around them.
        shades: the numbers that are black and white; what lies beyond is cut off.
        band: rows that belong together, with more room after each band; 0 for none.
        path: where to save the picture as well.
    """
    tiles = coloured(images, shades)
    scale = max(1, min(TILE, WIDTH // columns - GUTTER) // tiles.shape[2])
    tiles = tiles.repeat(scale, 1).repeat(scale, 2)
    layout = _layout(tiles, columns, text, band)
    figure = canvas(layout.width, layout.height)
    axes = figure.add_axes((0, 0, 1, 1))
    edges = (0, layout.width, layout.height, 0)
    axes.imshow(_pasted(tiles, layout), interpolation="nearest", extent=edges, aspect="auto")
    axes.set_axis_off()
    for x, y, what, size, colour, align in _written(layout, columns, text):
        axes.text(x, y, what, size=size, color=colour, ha=align, va="center")
    return saved(figure, path)


def _layout(tiles: np.ndarray, columns: int, text: Text, band: int) -> Layout:
    n, high, wide, _ = tiles.shape
    left = MARGIN + round(LETTER * max((len(each) + 1 for each in text.left), default=0))
    bottom = MARGIN + HEADING * bool(text.title) + LINE * bool(text.above)
    y: list[int] = []
    for row, first in enumerate(range(0, n, columns)):
        bottom += BETWEEN if band and row and row % band == 0 else 0
        y += [bottom] * min(columns, n - first)
        bottom += high + GUTTER + LINE * any(text.under[first : first + columns])
    x = [left + place % columns * (wide + GUTTER) for place in range(n)]
    heading = round(TITLE / SMALL * LETTER * len(text.title or ""))
    return Layout(x, y, wide, high, max(max(x) + wide, MARGIN + heading) + MARGIN, bottom - GUTTER + MARGIN)


def _written(layout: Layout, columns: int, text: Text) -> Iterator[tuple[float, float, str, float, str, str]]:
    """Every piece of text: its place, its words, size, colour and alignment."""
    x, y, wide, high = layout.x, layout.y, layout.wide, layout.high
    if text.title:
        yield MARGIN, MARGIN + 7, text.title, TITLE, INK, "left"
    for column, what in enumerate(text.above):
        yield x[column] + wide / 2, y[0] - LINE / 2 - 1, what, SMALL, QUIET, "center"
    for row, what in enumerate(text.left):
        yield x[0] - 6, y[row * columns] + high / 2, what, SMALL, QUIET, "right"
    for place, what in enumerate(text.under):
        yield x[place] + wide / 2, y[place] + high + LINE / 2 + 1, what, SMALL, QUIET, "center"


def coloured(images: Tensor, shades: tuple[float, float]) -> np.ndarray:
    """Bytes of red, green and blue, `[n, H, W, 3]`.

    Raises:
        ShapeError: when these are no images.
    """
    values = images.detach().cpu().float()
    if values.dim() == 3:
        values = values[:, None]
    if values.dim() != 4 or values.shape[1] not in (1, 3) or len(values) == 0:
        raise ShapeError(
            f"pictures: the images have shape {tuple(images.shape)}, expected [n, H, W], [n, 1, H, W] or [n, 3, H, W], "
            "n at least 1."
        )
    black, white = shades
    bytes_ = ((values - black) / (white - black)).clamp(0, 1).mul(255).round().to(torch.uint8)
    return bytes_.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()


def _pasted(tiles: np.ndarray, layout: Layout) -> np.ndarray:
    """All tiles on one sheet of paper, `[height, width, 3]`."""
    paper = np.full((layout.height, layout.width, 3), tuple(bytes.fromhex(PAPER[1:])), np.uint8)
    for tile, left, top in zip(tiles, layout.x, layout.y, strict=True):
        paper[top : top + layout.high, left : left + layout.wide] = tile
    return paper
