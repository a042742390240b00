"""The U-Net: down to coarse images and up again, with a shortcut at every size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu

from pgm.errors import ShapeError
from pgm.variable import Variable

from .convolutional import image
from .network import Network, columns
from .timed import WAVES, Waves, require_time


def unet(*channels: int, blocks: int = 1, attention: int = 8, dropout: float = 0.0) -> Network:
    """Makes U-Nets of parents x (an image), time, and others: images are joined as channels, the rest as the time is.

    Args:
        channels: at full size, at a half of it, at a quarter, and so on.
        blocks: residual blocks at each size, on the way down; one more on the way up.
        attention: the longest side of sizes at which every pixel looks at all others; 0 for none but in the middle.
        dropout: share of numbers that are left out within blocks while training.

    Raises:
        ShapeError: without channels, when x is no image or is too small to be halved so often, or without a time.

    Example:
        >>> from pgm import Real
        >>> x, time = Variable("image", Real(8, 8)), Variable("time", Real(1))
        >>> unet(16, 32)([x, time], [8, 8])(torch.zeros(5, 8, 8), torch.zeros(5, 1)).shape
        torch.Size([5, 8, 8])

    Reference: Ronneberger, Fischer and Brox (2015), U-Net; Ho, Jain and Abbeel (2020); Dhariwal and Nichol (2021),
    Diffusion models beat GANs, for adaptive group normalisation.
    """
    if not channels:
        raise ShapeError("unet: there are no channels, expected one number or more, such as unet(32, 64).")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        return UNet(given, shape, channels, blocks, attention, dropout)

    return make


class Block(nn.Module):
    """A residual block, scaled and shifted by what the time and all vectors say.

    Args:
        before, after: channels.
        told: numbers that say so.
        dropout: share left out.
    """

    def __init__(self, before: int, after: int, told: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.first = nn.GroupNorm(_groups(before), before), nn.Conv2d(before, after, 3, padding=1)
        self.scale = nn.Linear(told, 2 * after)
        self.again, self.dropout = nn.GroupNorm(_groups(after), after, affine=False), nn.Dropout(dropout)
        self.second = zeroed(nn.Conv2d(after, after, 3, padding=1))
        self.direct = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """`[rows, before, height, width]` and `[rows, told]` to `[rows, after, height, width]`."""
        found = self.first(silu(self.norm(x)))
        scale, shift = self.scale(told)[..., None, None].chunk(2, 1)
        found = self.second(self.dropout(silu(self.again(found) * (1 + scale) + shift)))
        return self.direct(x) + found


class Attention(nn.Module):
    """Every pixel looks at all pixels.

    Args:
        channels: of the image.
        heads: how many looks at once.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads if channels % heads == 0 else 1
        self.norm, self.looks = nn.GroupNorm(_groups(channels), channels), nn.Conv2d(channels, 3 * channels, 1)
        self.last = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, channels, height, width]` to the same."""
        rows, channels, height, width = x.shape
        looks = self.looks(self.norm(x)).reshape(rows, 3, self.heads, channels // self.heads, height * width)
        query, key, value = looks.transpose(-1, -2).unbind(1)
        found = scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.last(found.reshape(rows, channels, height, width))


class UNet(nn.Module):
    """What `unet` makes.

    Args:
        given: x, time and others.
        shape: of the result.
        channels, blocks, attention, dropout: as for `unet`.
    """

    def __init__(
        self,
        given: Sequence[Variable],
        shape: Sequence[int],
        channels: Sequence[int],
        blocks: int,
        attention: int,
        dropout: float,
    ) -> None:
        super().__init__()
        require_time(given, "unet")
        _require_image(given[0], len(channels))
        self.axes = [1 if v.finite else len(v.shape) for v in given]
        self.images = [image(v) for v in given]
        self.shape = tuple(shape)
        vectors = columns([v for v, wide in zip(given, self.images, strict=True) if not wide]) - 1
        told, pixels = 4 * channels[0], sum(prod(v.shape[:-2]) for v in given if image(v))
        self.waves, self.first = Waves(), nn.Conv2d(pixels, channels[0], 3, padding=1)
        self.tell = nn.Sequential(nn.Linear(WAVES + vectors, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        sides = [max(given[0].shape[-2:]) / 2**level for level in range(len(channels))]
        looks = [side <= attention for side in sides]
        make = partial(_Stage, told=told, dropout=dropout)
        self.down, kept = _down(channels, blocks, looks, make)
        self.middle = nn.ModuleList([make(channels[-1], channels[-1], attention=wide) for wide in (True, False)])
        self.up = _up(channels, blocks, looks, make, kept)
        out = zeroed(nn.Conv2d(channels[0], prod(shape[:-2]) * (shape[-1] // given[0].shape[-1]), 3, padding=1))
        self.last = nn.Sequential(nn.GroupNorm(_groups(channels[0]), channels[0]), nn.SiLU(), out)

    def forward(self, x: Tensor, time: Tensor, *others: Tensor) -> Tensor:
        """x `[*batch, *event]`, time `[*batch, 1]` and others to numbers `[*batch, *shape]`."""
        batch = x.shape[: x.dim() - self.axes[0]]
        pixels, vectors = self._parts((x, time, *others), batch)
        told, hidden = self.tell(vectors), self.first(pixels)
        kept = [hidden]
        for stage in self.down:
            hidden = stage(hidden, told) if isinstance(stage, _Stage) else stage(hidden)
            kept.append(hidden)
        for stage in self.middle:
            hidden = stage(hidden, told)
        for stage in self.up:
            if isinstance(stage, _Stage):
                hidden = stage(torch.cat([hidden, kept.pop()], 1), told)
            else:
                hidden = stage(interpolate(hidden, kept[-1].shape[-2:]))
        found = self.last(hidden)
        times = self.shape[-1] // found.shape[-1]  # several numbers for each pixel are side by side in the last axis
        return torch.cat(found.chunk(times, 1), -1).reshape([*batch, *self.shape])

    def _parts(self, values: Sequence[Tensor], batch: Sequence[int]) -> tuple[Tensor, Tensor]:
        """All images as channels, and all vectors side by side, `[rows, ...]`."""
        pixels, vectors = [], []
        for number, (value, axes, wide) in enumerate(zip(values, self.axes, self.images, strict=True)):
            event = value.shape[value.dim() - axes :]
            rows = value.expand([*batch, *event]).reshape(-1, *event)
            if wide:
                channels = rows.reshape(len(rows), -1, *event[-2:])
                size = values[0].shape[-2:]
                pixels.append(channels if event[-2:] == size else interpolate(channels, size))
            else:
                vectors.append(self.waves(rows) if number == 1 else rows.flatten(1))
        return torch.cat(pixels, 1), torch.cat(vectors, -1)


class _Stage(nn.Module):
    """A block, and perhaps attention."""

    def __init__(self, before: int, after: int, *, told: int, dropout: float, attention: bool) -> None:
        super().__init__()
        self.block = Block(before, after, told, dropout)
        self.attention = Attention(after) if attention else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        found: Tensor = self.attention(self.block(x, told))
        return found


def _down(
    channels: Sequence[int], blocks: int, looks: Sequence[bool], make: Callable[..., _Stage]
) -> tuple[nn.ModuleList, list[int]]:
    """The way down, and how many channels each shortcut has."""
    stages, kept, before = nn.ModuleList(), [channels[0]], channels[0]
    for level, after in enumerate(channels):
        for _ in range(blocks):
            stages.append(make(before, after, attention=looks[level]))
            kept, before = [*kept, after], after
        if level < len(channels) - 1:
            stages.append(nn.Conv2d(after, after, 3, stride=2, padding=1))
            kept.append(after)
    return stages, kept


def _up(
    channels: Sequence[int], blocks: int, looks: Sequence[bool], make: Callable[..., _Stage], kept: list[int]
) -> nn.ModuleList:
    """The way up, which takes every shortcut, the last one first."""
    stages, before = nn.ModuleList(), channels[-1]
    for level, after in reversed(list(enumerate(channels))):
        for _ in range(blocks + 1):
            stages.append(make(before + kept.pop(), after, attention=looks[level]))
            before = after
        if level:
            stages.append(nn.Conv2d(after, after, 3, padding=1))
    return stages


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that says nothing at first, so that what it is added to goes through unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _groups(channels: int) -> int:
    return next(n for n in (8, 4, 2, 1) if channels % n == 0)


def _require_image(x: Variable, levels: int) -> None:
    if not image(x):
        raise ShapeError(f"unet: {x.name!r} is {x.domain!r}, expected an image of two axes or more; use timed_mlp.")
    if min(x.shape[-2:]) < 2 ** (levels - 1):
        raise ShapeError(
            f"unet: {x.name!r} has sides {x.shape[-2:]}, too short to be halved {levels - 1} times; name fewer "
            "channels."
        )
