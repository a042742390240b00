"""Translations: sources, what is made of them, and what they should become, one above the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pgm.errors import ShapeError

from .sheet import Text, sheet
from .style import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def translations(
    stages: Mapping[str, Tensor],
    *,
    columns: int = 12,
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """Images in columns, one a source, from stage to stage.

    Args:
        stages: images `[rows, *event]` by what they are, from the top; the first ones are shown.
        columns: images a row.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        ShapeError: when stages differ in shape, or are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from deepgen import centred, digits
        >>> images = centred(digits())["image"]
        >>> figure = translations({"source": images, "inverted": -images}, shades=(-1, 1))

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks.
    """
    shapes = {name: list(images.shape) for name, images in stages.items()}
    if not shapes or any(shape != next(iter(shapes.values())) for shape in shapes.values()):
        raise ShapeError(f"translations: stages have shapes {shapes}, expected one or more, all of the same shape.")
    shown = [images[:columns].cpu() for images in stages.values()]
    text = Text(title, left=list(stages))
    return sheet(torch.cat(shown), len(shown[0]), text, shades=shades, path=path)
