"""The U-Net: down to coarse images and up again, with a shortcut at every size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from pgm.errors import ShapeError
from pgm.variable import Variable

from .attention import Attention, Reading, Words, groups, zeroed
from .convolutional import image
from .network import Network, columns
from .timed import WAVES, Waves, require_time

Kind = Literal["image", "vector", "word"]


def unet(*channels: int, blocks: int = 1, attention: int = 8, dropout: float = 0.0, words: bool = False) -> Network:
    """Makes U-Nets of parents x (an image), time, and others: images are joined as channels, the rest as the time is.

    With `words` these others, several labels or `Real(words, features)`, are words that every pixel looks at, at all
    sizes at which pixels look at one another; images among them then need three axes, channels first. A word that is
    not given is all zeros, and has a meaning of its own that is learned.

    Args:
        channels: at full size, at a half of it, at a quarter, and so on.
        blocks: residual blocks at each size, on the way down; one more on the way up.
        attention: the longest side of sizes at which every pixel looks at all others; 0 for none but in the middle.
        dropout: share of numbers that are left out within blocks while training.
        words: whether others than images are words.

    Raises:
        ShapeError: without channels, when x is no image or is too small to be halved so often, or without a time.

    Example:
        >>> from pgm import Real
        >>> x, time = Variable("image", Real(8, 8)), Variable("time", Real(1))
        >>> unet(16, 32)([x, time], [8, 8])(torch.zeros(5, 8, 8), torch.zeros(5, 1)).shape
        torch.Size([5, 8, 8])

    Reference: Ronneberger, Fischer and Brox (2015), U-Net; Ho, Jain and Abbeel (2020); Dhariwal and Nichol (2021),
    Diffusion models beat GANs, for adaptive group normalisation; Rombach et al. (2022), High-resolution image synthesis
    with latent diffusion models, for words.
    """
    if not channels:
        raise ShapeError("unet: there are no channels, expected one number or more, such as unet(32, 64).")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        return UNet(given, shape, channels, blocks, attention, dropout, words)

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
        self.norm, self.first = nn.GroupNorm(groups(before), before), nn.Conv2d(before, after, 3, padding=1)
        self.scale = nn.Linear(told, 2 * after)
        self.again, self.dropout = nn.GroupNorm(groups(after), after, affine=False), nn.Dropout(dropout)
        self.second = zeroed(nn.Conv2d(after, after, 3, padding=1))
        self.direct = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """`[rows, before, height, width]` and `[rows, told]` to `[rows, after, height, width]`."""
        found = self.first(silu(self.norm(x)))
        scale, shift = self.scale(told)[..., None, None].chunk(2, 1)
        found = self.second(self.dropout(silu(self.again(found) * (1 + scale) + shift)))
        return self.direct(x) + found


class UNet(nn.Module):
    """What `unet` makes.

    Args:
        given: x, time and others.
        shape: of the result.
        channels, blocks, attention, dropout, words: as for `unet`.
    """

    def __init__(
        self,
        given: Sequence[Variable],
        shape: Sequence[int],
        channels: Sequence[int],
        blocks: int,
        attention: int,
        dropout: float,
        words: bool,
    ) -> None:
        super().__init__()
        require_time(given, "unet")
        _require_image(given[0], len(channels))
        self.axes = [1 if v.finite else len(v.shape) for v in given]
        self.kinds, self.shape = _kinds(given, words), tuple(shape)
        images, vectors, spoken = (_of(kind, given, self.kinds) for kind in ("image", "vector", "word"))
        told, known = 4 * channels[0], WAVES + columns(vectors) - 1  # waves stand for the time
        self.waves = Waves()
        self.first = nn.Conv2d(sum(prod(v.shape[:-2]) for v in images), channels[0], 3, padding=1)
        self.tell = nn.Sequential(nn.Linear(known, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        self.words = Words(spoken, told) if spoken else None
        sides = [max(given[0].shape[-2:]) / 2**level for level in range(len(channels))]
        looks = [side <= attention for side in sides]
        make = partial(_Stage, told=told, dropout=dropout, words=self.words is not None)
        self.down, kept = _down(channels, blocks, looks, make)
        self.middle = nn.ModuleList([make(channels[-1], channels[-1], attention=wide) for wide in (True, False)])
        self.up = _up(channels, blocks, looks, make, kept)
        out = zeroed(nn.Conv2d(channels[0], prod(shape[:-2]) * (shape[-1] // given[0].shape[-1]), 3, padding=1))
        self.last = nn.Sequential(nn.GroupNorm(groups(channels[0]), channels[0]), nn.SiLU(), out)

    def forward(self, x: Tensor, time: Tensor, *others: Tensor) -> Tensor:
        """x `[*batch, *event]`, time `[*batch, 1]` and others to numbers `[*batch, *shape]`."""
        batch = x.shape[: x.dim() - self.axes[0]]
        pixels, vectors, words = self._parts((x, time, *others), batch)
        told, hidden = self.tell(vectors), self.first(pixels)
        if hidden.device.type == "cpu":  # where convolutions and attention are faster so, and group norms keep it so
            hidden = hidden.contiguous(memory_format=torch.channels_last)
        kept = [hidden]
        for stage in self.down:
            hidden = stage(hidden, told, words) if isinstance(stage, _Stage) else stage(hidden)
            kept.append(hidden)
        for stage in self.middle:
            hidden = stage(hidden, told, words)
        for stage in self.up:
            if isinstance(stage, _Stage):
                hidden = stage(torch.cat([hidden, kept.pop()], 1), told, words)
            else:
                hidden = stage(interpolate(hidden, kept[-1].shape[-2:]))
        found = self.last(hidden)
        times = self.shape[-1] // found.shape[-1]  # several numbers for each pixel are side by side in the last axis
        return torch.cat(found.chunk(times, 1), -1).reshape([*batch, *self.shape])

    def _parts(self, values: Sequence[Tensor], batch: Sequence[int]) -> tuple[Tensor, Tensor, Tensor | None]:
        """All images as channels, all vectors side by side, and the words, `[rows, ...]`."""
        size, parts = values[0].shape[-2:], dict[Kind, list[Tensor]](image=[], vector=[], word=[])
        for number, (value, axes, kind) in enumerate(zip(values, self.axes, self.kinds, strict=True)):
            event = value.shape[value.dim() - axes :]
            rows = value.expand([*batch, *event]).reshape(-1, *event)
            if kind == "image":
                rows = rows.reshape(len(rows), -1, *event[-2:])
                rows = rows if event[-2:] == size else interpolate(rows, size)
            elif kind == "vector":
                rows = self.waves(rows) if number == 1 else rows.flatten(1)
            parts[kind].append(rows)
        words = None if self.words is None else self.words(parts["word"])
        return torch.cat(parts["image"], 1), torch.cat(parts["vector"], -1), words


class _Stage(nn.Module):
    """A block, and perhaps attention to other pixels and to words."""

    def __init__(self, before: int, after: int, *, told: int, dropout: float, words: bool, attention: bool) -> None:
        super().__init__()
        self.block = Block(before, after, told, dropout)
        self.attention = Attention(after) if attention else nn.Identity()
        self.reading = Reading(after, told) if attention and words else None

    def forward(self, x: Tensor, told: Tensor, words: Tensor | None) -> Tensor:
        found: Tensor = self.attention(self.block(x, told))
        return found if self.reading is None else self.reading(found, words)


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


def _kinds(given: Sequence[Variable], words: bool) -> list[Kind]:
    """What each parent is to the network."""

    def kind(number: int, v: Variable) -> Kind:
        if number > 1 and words and (not image(v) or len(v.shape) == 2):
            return "word"
        return "image" if image(v) else "vector"

    return [kind(number, v) for number, v in enumerate(given)]


def _of(kind: str, given: Sequence[Variable], kinds: Sequence[Kind]) -> list[Variable]:
    return [v for v, each in zip(given, kinds, strict=True) if each == kind]


def _require_image(x: Variable, levels: int) -> None:
    if not image(x):
        raise ShapeError(f"unet: {x.name!r} is {x.domain!r}, expected an image of two axes or more; use timed_mlp.")
    if min(x.shape[-2:]) < 2 ** (levels - 1):
        raise ShapeError(
            f"unet: {x.name!r} has sides {x.shape[-2:]}, too short to be halved {levels - 1} times; name fewer "
            "channels."
        )
