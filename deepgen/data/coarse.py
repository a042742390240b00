"""The same images in fewer pixels, for what fills in the rest."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torch.nn.functional import avg_pool2d

from pgm.errors import ShapeError

from .data import Data


def pooled(images: Tensor, times: int) -> Tensor:
    """The mean of each square of `times` x `times` pixels, `[*batch, height / times, width / times]`.

    Args:
        images: `[*batch, height, width]`.
        times: how many times fewer pixels there are each way.

    Raises:
        ShapeError: when height or width is no multiple of that.

    Example:
        >>> import torch
        >>> pooled(torch.tensor([[0.0, 2.0, 4.0, 4.0], [2.0, 4.0, 8.0, 8.0]]), 2)
        tensor([[2., 6.]])
    """
    height, width = images.shape[-2:]
    if times < 1 or height % times or width % times:
        raise ShapeError(f"pooled: times is {times}, expected a whole number that divides {height} and {width}.")
    return avg_pool2d(images.reshape(-1, 1, height, width), times).reshape(
        *images.shape[:-2], height // times, width // times
    )


def coarsened(data: Data, times: int = 2, column: str = "image") -> Data:
    """Images with themselves in fewer pixels: a further column `coarse`, to be given to a model of the images.

    Args:
        data: with a column of images.
        times: how many times fewer pixels there are each way.
        column: its name.

    Raises:
        ShapeError: when the height or width of images is no multiple of `times`, or pixels are drawn anew each time.

    Example:
        >>> from deepgen.data.images import digits
        >>> coarsened(digits(), 2)
        Data(digits, 1797 rows: image [8, 8], label [], coarse [4, 4])
    """
    if column in data.fresh:
        raise ShapeError(f"{data.name}: column {column!r} is drawn anew each time; take the shades it is drawn from.")
    return replace(data, columns={**data.columns, "coarse": pooled(data[column], times)})
