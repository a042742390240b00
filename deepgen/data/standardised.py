"""Points around 0 and of unit variance, as networks that take noise away like them."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from pgm.errors import ShapeError

from .data import Data


def standardised(data: Data, like: Data | None = None, column: str = "x") -> Data:
    """Points moved and scaled so that their mean is 0 and their variance 1, over all numbers of a row together.

    What is round stays round; `spread_of` says by how much.

    Args:
        data: with a column of points.
        like: whose mean and variance to use: the data to train on, for data to test on; these data by default.
        column: its name.

    Raises:
        ShapeError: when all points are one.

    Example:
        >>> from deepgen.data.toys import ring
        >>> points = standardised(ring(1000, radius=5.0))["x"]
        >>> round(points.mean().item(), 3), round(points.square().mean().item(), 3)
        (0.0, 1.0)
    """
    centre, deviation = spread_of(data if like is None else like, column)
    return replace(
        data,
        columns={**data.columns, column: (data[column] - centre) / deviation},
        name=f"{data.name}, standardised",
    )


def spread_of(data: Data, column: str = "x") -> tuple[Tensor, Tensor]:
    """The mean of points `[*event]`, and the root mean square of what is left of all their numbers, `[]`.

    Raises:
        ShapeError: when all points are one.
    """
    centre = data[column].mean(0)
    deviation = (data[column] - centre).square().mean().sqrt()
    if not deviation > 0:
        raise ShapeError(f"{data.name}: all rows of {column!r} are one, expected two or more to standardise them.")
    return centre, deviation
