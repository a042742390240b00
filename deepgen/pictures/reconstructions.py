"""What a pair makes of data by way of its latent variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..pair import Pair
from .latent import Rows, decoded, encoded, shown
from .sheet import Text, sheet
from .style import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reconstructions(
    pair: Pair,
    rows: Rows,
    *,
    most: int = 20,
    columns: int = 10,
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """Images above what the model makes of them: E[x | z] at z = E_q[z | x].

    Below each pair of images is the root mean square error of a pixel, on the scale of the data.

    Args:
        pair: whose observed variable is an image.
        rows: data, or a batch of them.
        most: how many of the first rows are shown.
        columns: images a row.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        EvidenceError: when something is missing that is observed or given.
        ShapeError: when what is observed are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, vae
        >>> figure = reconstructions(vae(Variable("image", Binary(8, 8))), digits())
    """
    values = encoded(pair, rows, "reconstructions", most)
    x, again = shown(pair, values), decoded(pair, values)
    errors = (x - again).flatten(1).square().mean(1).sqrt().tolist()
    bands, under = [], list[str]()
    for some, same, off in zip(x.split(columns), again.split(columns), _split(errors, columns), strict=True):
        blank = some.new_full((min(columns, len(x)) - len(some), *x.shape[1:]), shades[1])  # the colour of paper
        bands += [some, blank, same, blank]
        under += ["" for _ in range(len(some) + len(blank))] + [f"{error:.2f}" for error in off] + [""] * len(blank)
    images = torch.cat(bands)
    heading = title or f"Images above reconstructions; error of a pixel {sum(errors) / len(errors):.2f} on average"
    return sheet(images, min(columns, len(x)), Text(heading, under), shades=shades, band=2, path=path)


def _split(values: list[float], size: int) -> list[list[float]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
