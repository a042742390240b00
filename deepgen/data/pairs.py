"""Images to translate and what they are to become: in pairs, or as two sets that nobody has paired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from pgm.errors import ShapeError

from .data import Data

Change = Callable[[Tensor], Tensor]
"""A known translation of images `[rows, *event]`, in shades from -1 to 1."""


def paired(one: Data, other: Data, column: str = "image") -> Data:
    """Row by row what is to be translated, `source`, and what it is to become, `image`.

    Args:
        one: the sources, with their labels where there are any.
        other: what they are to become, in the same order.
        column: of both.

    Raises:
        ShapeError: when there is not one row for each, or images have other shades than -1 to 1.

    Example:
        >>> from deepgen import centred, digits
        >>> data = centred(digits())
        >>> paired(data, changed(data, inverted))
        Data(digits, centred to digits, centred, inverted, 1797 rows: image [8, 8], source [8, 8], label [])
    """
    if len(one) != len(other):
        raise ShapeError(
            f"paired: {one.name} has {len(one)} rows and {other.name} {len(other)}, expected pairs; without any take "
            "unpaired(one, other)."
        )
    return _beside(one, other, column)


def unpaired(one: Data, other: Data, column: str = "image", seed: int = 0) -> Data:
    """Rows of two sets side by side, drawn independently: `source`, of one, and `image`, of the other.

    Each set is gone through in a random order, the smaller one again and again, until the larger one has had its turn.

    Args:
        one: the sources, with their labels where there are any.
        other: what they are to become.
        column: of both.
        seed: of the orders.

    Raises:
        ShapeError: when images have other shades than -1 to 1.

    Example:
        >>> unpaired(Data({"x": torch.zeros(3, 2)}, "naughts"), Data({"x": torch.ones(7, 5)}, "ones"), "x")
        Data(naughts to ones, 7 rows: image [5], source [2])
    """
    generator, most = torch.Generator().manual_seed(seed), max(len(one), len(other))
    first, second = (each.rows(_turns(len(each), most, generator).to(each[column].device)) for each in (one, other))
    return _beside(first, second, column)


def changed(data: Data, change: Change, column: str = "image") -> Data:
    """Data whose images are translated by a rule, such as `inverted`, so that every translation has a truth.

    Args:
        data: images with shades from -1 to 1, as `centred` makes them, or numbers.
        change: the rule.
        column: of the images.

    Raises:
        ShapeError: when shades are not those, or the rule does not make a row of each.

    Example:
        >>> changed(Data({"image": torch.tensor([[[-1.0, 0.5]]])}, "two"), inverted)["image"]
        tensor([[[ 1.0000, -0.5000]]])
    """
    _require_shades(data, column, "changed")
    rows = data[column]
    found, name = change(rows), getattr(change, "__name__", "changed")
    if len(found) != len(rows):
        raise ShapeError(f"changed: {name} makes {len(found)} rows of {len(rows)}, expected as many.")
    return replace(data, columns={**data.columns, column: found}, name=f"{data.name}, {name}")


def inverted(images: Tensor) -> Tensor:
    """Black for white.

    Example:
        >>> inverted(torch.tensor([[-1.0, 0.25]]))
        tensor([[ 1.0000, -0.2500]])
    """
    return -images


def turned(images: Tensor) -> Tensor:
    """A quarter turn to the left.

    Example:
        >>> turned(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[2., 4.],
                 [1., 3.]]])
    """
    return images.rot90(1, (-2, -1))


def edges(images: Tensor) -> Tensor:
    """Outlines: how much brighter the brightest of a pixel and its eight neighbours is than the pixel, from -1 to 1.

    Args:
        images: `[rows, height, width]` or `[rows, channels, height, width]`, in shades from -1 to 1.

    Raises:
        ShapeError: when they are no images.

    Example:
        >>> dot = torch.full((1, 5, 5), -1.0)
        >>> dot[0, 2, 2] = 1.0
        >>> (edges(dot)[0] > 0).int()
        tensor([[0, 0, 0, 0, 0],
                [0, 1, 1, 1, 0],
                [0, 1, 0, 1, 0],
                [0, 1, 1, 1, 0],
                [0, 0, 0, 0, 0]], dtype=torch.int32)

    Reference: Rivest, Soille and Beucher (1993), Morphological gradients.
    """
    if images.dim() not in (3, 4):
        raise ShapeError(f"edges: images have shape {list(images.shape)}, expected [rows, H, W] or [rows, C, H, W].")
    return max_pool2d(images, 3, stride=1, padding=1) - images - 1


def _beside(one: Data, other: Data, column: str) -> Data:
    for each in (one, other):
        _require_shades(each, column, "pairs")
    told = {"label": one["label"]} if "label" in one.columns else {}
    columns = {"image": other[column], "source": one[column], **told}
    return Data(columns, f"{one.name} to {other.name}", states=one.states)


def _require_shades(data: Data, column: str, subject: str) -> None:
    """Raise a `ShapeError` where images, which are what has two axes or more, are not in shades from -1 to 1."""
    low, high = data[column].min().item(), data[column].max().item()
    if data[column].dim() > 2 and not -1 <= low <= high <= 1:
        raise ShapeError(
            f"{subject}: column {column!r} of {data.name} has shades from {low:g} to {high:g}, expected -1 to 1; scale "
            "them to 0 to 1, and take centred(data)."
        )


def _turns(rows: int, most: int, generator: torch.Generator) -> Tensor:
    """Rows in a random order, another one each time that all have had their turn, `[most]`."""
    times = -(-most // rows)
    return torch.cat([torch.randperm(rows, generator=generator) for _ in range(times)])[:most]
