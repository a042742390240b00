"""Shades around 0, as networks like them."""

from __future__ import annotations

from dataclasses import replace

from pgm.errors import ShapeError

from .binarise import shades
from .data import Data


def centred(data: Data, column: str = "image") -> Data:
    """Shades from 0 to 1 become shades from -1 to 1.

    Args:
        data: with a column of shades.
        column: its name.

    Raises:
        ShapeError: when a number is outside 0 to 1, or drawn anew each time.

    Example:
        >>> import torch
        >>> centred(Data({"image": torch.tensor([[0.0, 0.5, 1.0]])}, "grey"))["image"]
        tensor([[-1.,  0.,  1.]])
    """
    if column in data.fresh:
        raise ShapeError(f"{data.name}: column {column!r} is drawn anew each time; centre the shades it is drawn from.")
    return replace(data, columns={**data.columns, column: 2 * shades(data, column) - 1}, name=f"{data.name}, centred")
