"""Shades around 0, as networks like them, and colours as lightness and two axes of colour."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

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


def uncentred(data: Data, column: str = "image") -> Data:
    """Shades from -1 to 1 become shades from 0 to 1 again, as pictures show them; data without any stay as they are.

    Args:
        data: possibly with a column of such shades.
        column: its name.

    Example:
        >>> import torch
        >>> grey = Data({"image": torch.tensor([[0.0, 0.5, 1.0]])}, "grey")
        >>> uncentred(centred(grey))["image"], uncentred(grey)["image"]
        (tensor([[0.0000, 0.5000, 1.0000]]), tensor([[0.0000, 0.5000, 1.0000]]))
    """
    if column not in data.columns or not bool((data[column] < 0).any()):
        return data
    return replace(
        data, columns={**data.columns, column: (data[column] + 1) / 2}, name=data.name.removesuffix(", centred")
    )


def to_opponent(images: Tensor) -> Tensor:
    """Red, green and blue as lightness, red against green, and yellow against blue.

    (r + g + b) / sqrt(3), (r - g) / sqrt(2), (r + g - 2b) / sqrt(6): a rotation, so noise that is the same in all
    directions stays so, and a grey image is one whose first channel is known.

    Args:
        images: `[*batch, 3, height, width]`, in shades around 0, such as -1 to 1.

    Raises:
        ShapeError: when there are not three channels.

    Example:
        >>> white = torch.ones(3, 1, 1)
        >>> to_opponent(white).flatten().round(decimals=4)
        tensor([1.7321, 0.0000, 0.0000])

    Reference: van de Sande, Gevers and Snoek (2010), Evaluating color descriptors for object and scene recognition.
    """
    return _turned(_basis(images), images, "to_opponent")


def from_opponent(images: Tensor) -> Tensor:
    """The way back from `to_opponent`.

    Args:
        images: lightness, red against green, and yellow against blue, `[*batch, 3, height, width]`.

    Raises:
        ShapeError: when there are not three channels.

    Example:
        >>> from_opponent(to_opponent(torch.eye(3).reshape(3, 3, 1))).squeeze().round(decimals=4).abs()
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """
    return _turned(_basis(images).mT, images, "from_opponent")


def _basis(like: Tensor) -> Tensor:
    rows = [[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]
    found = torch.tensor(rows, dtype=like.dtype, device=like.device)
    return found / found.norm(dim=1, keepdim=True)


def _turned(basis: Tensor, images: Tensor, name: str) -> Tensor:
    if images.dim() < 3 or images.shape[-3] != 3:
        raise ShapeError(f"{name}: images have shape {tuple(images.shape)}, expected [*batch, 3, height, width].")
    return torch.einsum("oc,...chw->...ohw", basis, images)
