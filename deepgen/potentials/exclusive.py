"""What lets at most one unit of each block be on."""

from __future__ import annotations

import torch
from torch import Tensor

from pgm.errors import ShapeError
from pgm.variable import Variable

from .linear import Layered, count


class Exclusive(Layered):
    """1 where no block of any map has more than one unit on, 0 elsewhere: probabilistic max pooling.

    A block is as much as one unit with as many states as it has places, and one more for none.

    Args:
        h: maps of bits, `(maps, height, width)`.
        side: of the blocks.

    Raises:
        ShapeError: when h has no maps, or these are no whole number of blocks.

    Example:
        >>> from pgm import Binary
        >>> h = torch.zeros(2, 1, 2, 2)
        >>> h[1, 0, 0] = 1.0
        >>> Exclusive(Variable("h", Binary(1, 2, 2)), 2).log_prob(h)
        tensor([0., -inf])

    Reference: Lee, Grosse, Ranganath and Ng (2009), Convolutional deep belief networks for scalable unsupervised
    learning of hierarchical representations.
    """

    def __init__(self, h: Variable, side: int) -> None:
        super().__init__([h])
        if side < 1 or len(h.shape) != 3 or any(length % side for length in h.shape[1:]):
            raise ShapeError(
                f"{self.subject}: the shape is {h.shape}, expected (maps, height, width) in blocks of side {side}."
            )
        places = torch.arange(count(h)).reshape(h.shape[0], h.shape[1] // side, side, -1, side)
        self.register_buffer("blocks", places.transpose(-3, -2).reshape(-1, side * side), persistent=False)

    blocks: Tensor  # [blocks, places]

    def score(self, *numbers: Tensor) -> Tensor:
        most = numbers[0][..., self.blocks].sum(-1).amax(-1)
        return torch.zeros_like(most).masked_fill(most > 1, -torch.inf)
