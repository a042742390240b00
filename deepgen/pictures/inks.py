"""Images in two inks: what was given to a model, and what the model made."""

from __future__ import annotations

import torch
from torch import Tensor

from pgm.errors import ShapeError
from pgm.pictures.style import EVIDENCE, EVIDENCE_LINE, INK, NUMERIC

GIVEN, MADE = (EVIDENCE, EVIDENCE_LINE), (NUMERIC, INK)  # paper and ink; what is observed has its colour everywhere


def inked(images: Tensor, given: Tensor, shades: tuple[float, float] = (-1.0, 1.0)) -> Tensor:
    """Images as ink on paper: amber where they were given, as observed variables are, and blue where they were made.

    Args:
        images: `[*batch, height, width]`.
        given: 1 or True where they were given, `[height, width]` or as `images`.
        shades: the numbers that are paper and ink; what lies beyond is cut off.

    Returns:
        Red, green and blue from 0 to 1, `[*batch, 3, height, width]`, for `grid`.

    Raises:
        ShapeError: when `given` does not fit.

    Example:
        >>> left = torch.tensor([1, 0])
        >>> inked(torch.tensor([[-1.0, 1.0]]), left)[2]  # the blue of amber paper, and of dark ink
        tensor([[0.6863, 0.2000]])
    """
    try:
        known = given.bool().expand(images.shape)
    except RuntimeError:
        shapes = f"{tuple(given.shape)}, expected that of the images, {tuple(images.shape)}, or of one of them"
        raise ShapeError(f"inked: given has shape {shapes}.") from None
    paper, ink = shades
    share = ((images - paper) / (ink - paper)).clamp(0, 1).unsqueeze(-1)
    first, second = (pale + share * (dark - pale) for pale, dark in (_pair(*GIVEN), _pair(*MADE)))
    return torch.where(known.unsqueeze(-1), first, second).movedim(-1, -3)


def _pair(*colours: str) -> tuple[Tensor, Tensor]:
    """Paper and ink as numbers, `[3]` each."""
    one, other = (torch.tensor(list(bytes.fromhex(colour[1:]))) / 255 for colour in colours)
    return one, other
