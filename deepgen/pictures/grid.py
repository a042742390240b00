"""Samples side by side: images as a contact sheet, points as a scatter."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING

from torch import Tensor

from pgm.errors import ShapeError

from .points import points
from .sheet import Text, sheet
from .style import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Labels = Tensor | Sequence[object]


def grid(
    images: Tensor,
    *,
    columns: int | None = None,
    labels: Labels | None = None,
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """A contact sheet of images, or a scatter of points.

    Each pixel of an image is a square of whole pixels of the picture, in its own shade.

    Args:
        images: `[n, H, W]`, `[n, 1, H, W]` or `[n, 3, H, W]`; or points `[n, 2]`.
        columns: images a row; by default as many as rows, about.
        labels: what to write below each image, or what to colour each point by, `[n]`.
        shades: the numbers that are black and white, such as (-1, 1); what lies beyond is cut off.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        ShapeError: when these are neither images nor points, or there is not a label for each.
        FileError: when the picture cannot be written.

    Example:
        >>> import torch
        >>> figure = grid(torch.rand(10, 8, 8), columns=5, title="Noise")
    """
    if labels is not None and len(labels) != len(images):
        raise ShapeError(f"grid: there are {len(labels)} labels and {len(images)} images, expected one each.")
    if images.dim() == 2 and images.shape[1] == 2:
        return points(images, labels=labels, title=title, path=path)
    if columns is not None and columns < 1:
        raise ShapeError(f"grid: columns is {columns}, expected 1 or more.")
    under = [str(each) for each in (labels.tolist() if isinstance(labels, Tensor) else labels or ())]
    return sheet(images, columns or ceil(sqrt(len(images))), Text(title, under), shades=shades, path=path)
