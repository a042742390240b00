"""Images to images of the same size, for adversarial translation: down to coarse ones and up again, with shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from pgm.errors import ShapeError
from pgm.variable import Variable

from .convolutional import image
from .network import Network, as_rows
from .norms import Norm, normalisation

LEAK = 0.2  # slope below 0 on the way down


def unet_generator(*channels: int, norm: Norm = "instance") -> Network:
    """Makes U-Nets of images without a time, whose results have shades from -1 to 1.

    A strided convolution halves the sides once for each number of channels and a transposed one doubles them as often;
    on the way up every size sees what the way down had of it, the last one the image itself. Vectors and labels are
    joined as channels that are the same everywhere.

    Args:
        channels: at half of the full size, at a quarter of it, and so on.
        norm: 'batch', 'layer', 'instance' or 'none', after all convolutions but the first and the last.

    Raises:
        ShapeError: without channels, when no parent is an image, one is of another size than the result, or sides of
            less than 2 pixels would be left.

    Example:
        >>> from pgm import Real
        >>> unet_generator(16, 32)([Variable("source", Real(28, 28))], [3, 28, 28])(torch.zeros(5, 28, 28)).shape
        torch.Size([5, 3, 28, 28])

    Reference: Ronneberger, Fischer and Brox (2015), U-Net; Isola, Zhu, Zhou and Efros (2017), Image-to-image
    translation with conditional adversarial networks.
    """
    return lambda given, shape: UNetGenerator(given, shape, channels, norm)


class UNetGenerator(nn.Module):
    """What `unet_generator` makes.

    Args:
        given: parents.
        shape: of the image, `[height, width]` or `[channels, height, width]`.
        channels, norm: as for `unet_generator`.
    """

    def __init__(self, given: Sequence[Variable], shape: Sequence[int], channels: Sequence[int], norm: Norm) -> None:
        super().__init__()
        _require_sizes(given, shape, channels)
        self.given, self.shape = tuple(given), tuple(shape)
        seen = sum(v.size if v.finite else prod(v.shape[:-2]) if image(v) else prod(v.shape) for v in given)
        levels = range(len(channels))
        before, after = [seen, *channels], [channels[0], *channels]
        self.down = nn.ModuleList(_halving(before[n], channels[n], norm if n else "none") for n in levels)
        deepest = levels[-1]
        self.up = nn.ModuleList(_doubling((1 + (n < deepest)) * channels[n], after[n], norm) for n in reversed(levels))
        self.last = nn.Conv2d(channels[0] + seen, prod(shape[:-2]), 3, padding=1)

    def forward(self, *values: Tensor) -> Tensor:
        """One tensor a parent to images, `[*batch, *shape]`."""
        batch, rows = as_rows(values, self.given)
        x = torch.cat([self._channels(each) for each in rows], 1)
        kept = []
        for half in self.down:
            kept.append(x)
            x = half(x)
        for twice in self.up:
            before = kept.pop()
            height, width = before.shape[-2:]  # of odd sides what is doubled is one too long
            x = torch.cat([twice(x)[..., :height, :width], before], 1)
        found: Tensor = self.last(x)
        return found.tanh().reshape(*batch, *self.shape)

    def _channels(self, rows: Tensor) -> Tensor:
        """One parent as channels, `[rows, channels, height, width]`."""
        if rows.dim() < 3:
            return rows.reshape(len(rows), -1, 1, 1).expand(-1, -1, *self.shape[-2:])
        return rows.reshape(len(rows), -1, *self.shape[-2:])


def _halving(before: int, after: int, norm: Norm) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, padding=1), normalisation(norm, after), nn.LeakyReLU(LEAK))


def _doubling(before: int, after: int, norm: Norm) -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(before, after, 4, 2, padding=1), normalisation(norm, after), nn.ReLU())


def _require_sizes(given: Sequence[Variable], shape: Sequence[int], channels: Sequence[int]) -> None:
    size, times = tuple(shape[-2:]), len(channels)
    if min(channels, default=1) < 1:
        raise ShapeError(f"unet_generator: channels are {list(channels)}, expected 1 or more at each size.")
    images = [v for v in given if image(v)]
    if not images or len(size) < 2:
        raise ShapeError(
            f"unet_generator: the parents are {[v.name for v in given]} and the result has shape {tuple(shape)}, "
            "expected images, [height, width]; use mlp."
        )
    wrong = next((v for v in images if v.shape[-2:] != size), None)
    if wrong is not None:
        raise ShapeError(
            f"unet_generator: {wrong.name!r} is {wrong.shape[-2]} x {wrong.shape[-1]} and the result {size[0]} x "
            f"{size[1]}, expected the same sides; scale one of them, or use convolutional."
        )
    most = (min(size) - 1).bit_length() - 1  # halved so often, upwards rounded, 2 pixels are left
    if not 1 <= times <= most:
        raise ShapeError(
            f"unet_generator: there are {times} numbers of channels, expected 1 to {most} for sides of {size[0]} x "
            f"{size[1]}, of which 2 pixels are left then."
        )
