"""Contact sheets: images side by side, every pixel of them a square of whole pixels."""

from __future__ import annotations

from collections.abc import Sequence
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
LINE = 15  # pixels of a line of small print
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
    n, high, wide, _ = tiles.shape
    scale = max(1, min(TILE, WIDTH // columns - GUTTER) // wide)
    across, down = wide * scale + GUTTER, high * scale + GUTTER + LINE * bool(text.under)
    left = MARGIN + round(LETTER * max((len(each) + 1 for each in text.left), default=0))
    top = MARGIN + 26 * bool(text.title) + LINE * bool(text.above)
    place = torch.arange(n)
    x = left + place % columns * across
    y = top + place // columns * down + (BETWEEN * (place // columns // band) if band else 0)
    width = max(int(x.max()) + across, round(1.45 * LETTER * len(text.title or "")) + MARGIN) + MARGIN - GUTTER
    figure = canvas(width, height := int(y.max()) + down + MARGIN - GUTTER)
    pixels = _pasted(tiles.repeat(scale, 1).repeat(scale, 2), x, y, (height, width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, interpolation="nearest", extent=(0, width, height, 0), aspect="auto")
    axes.set_axis_off()

    def write(x: float, y: float, what: str, size: float, colour: str, align: str = "center") -> None:
        axes.text(x, y, what, size=size, color=colour, ha=align, va="center")

    if text.title:
        write(MARGIN, MARGIN + 7, text.title, TITLE, INK, "left")
    for column, what in enumerate(text.above):
        write(left + column * across + wide * scale / 2, top - LINE / 2, what, SMALL, QUIET)
    for row, what in enumerate(text.left):
        write(left - 6, int(y[row * columns]) + high * scale / 2, what, SMALL, QUIET, "right")
    for which, what in enumerate(text.under):
        write(int(x[which]) + wide * scale / 2, int(y[which]) + high * scale + LINE / 2 + 1, what, SMALL, QUIET)
    return saved(figure, path)


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


def _pasted(tiles: np.ndarray, x: Tensor, y: Tensor, size: tuple[int, int]) -> np.ndarray:
    """All tiles on one sheet of paper, `[height, width, 3]`."""
    paper = np.full((*size, 3), tuple(bytes.fromhex(PAPER[1:])), np.uint8)
    high, wide = tiles.shape[1:3]
    for tile, left, top in zip(tiles, x.tolist(), y.tolist(), strict=True):
        paper[top : top + high, left : left + wide] = tile
    return paper
