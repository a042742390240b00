"""What images and maps of features say to one another: the same wherever it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from pgm.errors import ShapeError
from pgm.variable import Variable

from .linear import Linear


class Convolved(Linear):
    """exp(sum_k h_k . (w_k * v) / temperature): each unit of map k looks at its patch of v through filter w_k.

    It is a `Coupling` most of whose weights are zero, and whose others are the same at every place. Filters are as
    large as the shapes say: of images 28 high and maps 24 high, 5 high.

    Args:
        v: an image, of shape `(height, width)` or `(channels, height, width)`.
        h: maps of features, `(maps, height, width)`, smaller by a filter's size less 1 in height and in width.
        deviation: of the weights at first, drawn from a Gaussian.
        temperature: above 0.

    Raises:
        ShapeError: when these are no images, or the maps are larger than the image.

    Example:
        >>> from pgm import Binary
        >>> Convolved(Variable("image", Binary(28, 28)), Variable("h", Binary(40, 24, 24))).filters.shape
        torch.Size([40, 1, 5, 5])

    Reference: Lee, Grosse, Ranganath and Ng (2009), Convolutional deep belief networks for scalable unsupervised
    learning of hierarchical representations.
    """

    def __init__(self, v: Variable, h: Variable, deviation: float = 0.01, temperature: float = 1.0) -> None:
        super().__init__([v, h], temperature)
        if len(v.shape) not in (2, 3) or len(h.shape) != 3:
            raise ShapeError(
                f"{self.subject}: the shapes are {v.shape} and {h.shape}, expected (height, width) or (channels, "
                "height, width), and (maps, height, width)."
            )
        self.image = (1,) * (3 - len(v.shape)) + v.shape
        size = [whole - part + 1 for whole, part in zip(self.image[1:], h.shape[1:], strict=True)]
        if min(size) < 1:
            raise ShapeError(f"{self.subject}: maps of shape {h.shape} are larger than the image, {v.shape}.")
        self.filters = nn.Parameter(deviation * torch.randn(h.shape[0], self.image[0], *size))

    def field(self, place: int, *others: Tensor) -> Tensor:
        shape, way = (self.image, conv2d) if place else (self.scope[1].shape, conv_transpose2d)
        said = way(others[0].reshape(-1, *shape), self.filters / self.temperature)
        return said.reshape(*others[0].shape[:-1], -1)

    def score(self, *numbers: Tensor) -> Tensor:
        return (self.field(1, numbers[0]) * numbers[1]).sum(-1)
