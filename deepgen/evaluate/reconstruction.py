"""How well rows come back from their codes, and how sharp images are."""

from __future__ import annotations

import torch
from torch import Tensor

from pgm.errors import ShapeError

from ..data.data import Data
from ..pair import Pair
from .bounds import error
from .figure import Figure
from .rows import Rows, at_rest, seen

AT_ONCE = 1000  # rows that are encoded together


@torch.no_grad()
def reconstruction(pair: Pair, data: Data) -> Figure:
    """The mean squared error of a number of x after E[x | z] at z = E_q[z | x], in the units of x squared.

    Beside it that of reconstructions of other rows, the next ones, and that of the mean row: codes that say nothing of
    their rows are no better than the first, and the second is what the best guess without any code has.

    Args:
        pair: with one observed variable.
        data: two rows or more.

    Raises:
        ShapeError: when there are fewer rows.

    Example:
        >>> from deepgen.data.images import digits
        >>> from deepgen.zoo.autoencoder import linear_autoencoder
        >>> from pgm import Real, Variable
        >>> print(reconstruction(linear_autoencoder(Variable("image", Real(8, 8)), codes=2), digits()))
        squared error ~ 0.4... ± ... (of reconstructions, 1,797 rows of digits; of other rows ..., of their mean ...)
    """
    if len(data) < 2:
        raise ShapeError(f"reconstruction: {data.name} has {len(data)} rows, expected two or more.")
    (x,) = pair.observed
    with at_rest(pair.model, pair.guide, seed=0) as device:
        rows = Rows(data, AT_ONCE, 0, device)
        known = [seen(pair, rows[number]) for number in range(len(rows))]
        made = torch.cat([pair.means(pair.infer(each, mean=True))[x.name] for each in known]).flatten(1)
    real = torch.cat([each[x.name] for each in known]).flatten(1)
    own, other, middle = ((real - guess).square().mean(1) for guess in (made, made.roll(1, 0), real.mean(0)))
    how = f"of reconstructions, {len(data):,} rows of {data.name}"
    beside = f"of other rows {other.mean().item():.4g}, of their mean {middle.mean().item():.4g}"
    return Figure("squared error", own.mean().item(), "estimate", f"{how}; {beside}", error(own))


def sharpness(images: Tensor) -> float:
    """The mean squared difference of shades between neighbours, across and down: blurred images have less than sharp.

    Args:
        images: `[*batch, height, width]`.

    Raises:
        ShapeError: when they have a single pixel across or down.

    Example:
        >>> board = (torch.arange(8)[:, None] + torch.arange(8)) % 2.0
        >>> sharpness(board), sharpness(torch.ones(8, 8))
        (1.0, 0.0)
    """
    if images.dim() < 2 or min(images.shape[-2:]) < 2:
        raise ShapeError(f"sharpness: images have shape {tuple(images.shape)}, expected [*batch, height, width].")
    across, down = images.diff(dim=-1).square().mean(), images.diff(dim=-2).square().mean()
    return ((across + down) / 2).item()
