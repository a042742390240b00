"""Attention: every pixel looks at all pixels, or at words."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from pgm.variable import Variable


class Attention(nn.Module):
    """Every pixel looks at all pixels.

    Args:
        channels: of the image.
        heads: how many looks at once.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = _heads(channels, heads)
        self.norm, self.looks = nn.GroupNorm(groups(channels), channels), nn.Conv2d(channels, 3 * channels, 1)
        self.last = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, channels, height, width]` to the same."""
        rows, channels, height, width = x.shape
        looks = self.looks(self.norm(x)).reshape(rows, 3, self.heads, channels // self.heads, height * width)
        query, key, value = looks.transpose(-1, -2).unbind(1)
        found = scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.last(found.reshape(rows, channels, height, width))


class Reading(nn.Module):
    """Every pixel looks at all words: x + last(softmax(query(x) key(words)^T / sqrt(channels a head)) value(words)).

    Args:
        channels: of the image.
        width: numbers that a word has.
        heads: how many looks at once.

    Example:
        >>> Reading(8, width=6)(torch.zeros(5, 8, 4, 4), torch.zeros(5, 3, 6)).shape
        torch.Size([5, 8, 4, 4])

    Reference: Vaswani et al. (2017), Attention is all you need; Rombach et al. (2022), High-resolution image synthesis
    with latent diffusion models, for words that an image looks at.
    """

    def __init__(self, channels: int, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = _heads(channels, heads)
        self.norm, self.query = nn.GroupNorm(groups(channels), channels), nn.Conv2d(channels, channels, 1)
        self.looks = nn.Linear(width, 2 * channels)
        self.last = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """`[rows, channels, height, width]` and words `[rows, words, width]` to images as they were."""
        rows, channels, height, width = x.shape
        query = self.query(self.norm(x)).reshape(rows, self.heads, channels // self.heads, height * width)
        looks = self.looks(words).reshape(rows, words.shape[1], 2, self.heads, channels // self.heads)
        key, value = looks.permute(2, 0, 3, 1, 4)  # [rows, heads, words, channels a head]
        found = scaled_dot_product_attention(query.transpose(-1, -2), key, value).transpose(-1, -2)
        return x + self.last(found.reshape(rows, channels, height, width))


class Words(nn.Module):
    """Given variables as words: norm(what the word says + where it stands), each a row of as many numbers.

    A finite variable is one word, and so is a vector; `Real(words, features)` is many. Where a word says nothing (all
    zeros) only its place is left, which is learned: the word for no word.

    Args:
        given: the variables.
        width: numbers that a word has.

    Example:
        >>> from pgm import Real
        >>> words = Words([Variable("colour", ["red", "green"]), Variable("text", Real(7, 16))], width=32)
        >>> words([torch.eye(2), torch.zeros(2, 7, 16)]).shape
        torch.Size([2, 8, 32])
    """

    def __init__(self, given: Sequence[Variable], width: int) -> None:
        super().__init__()
        shapes = [(1, v.size) if v.finite else (1, 1, *v.shape)[-2:] for v in given]
        self.meanings = nn.ModuleList(nn.Linear(features, width, bias=False) for _, features in shapes)
        self.places = nn.Parameter(torch.randn(sum(count for count, _ in shapes), width) / sqrt(width))
        self.norm = nn.LayerNorm(width)

    def forward(self, values: Sequence[Tensor]) -> Tensor:
        """One tensor a variable, `[rows, features]` or `[rows, words, features]`, to `[rows, words, width]`."""
        found = [
            meaning(value.reshape(len(value), -1, value.shape[-1]))
            for meaning, value in zip(self.meanings, values, strict=True)
        ]
        said: Tensor = self.norm(torch.cat(found, 1) + self.places)
        return said


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that says nothing at first, so that what it is added to goes through unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def groups(channels: int) -> int:
    """How many groups of channels are normalised each on its own."""
    return next(n for n in (8, 4, 2, 1) if channels % n == 0)


def _heads(channels: int, heads: int) -> int:
    return heads if channels % heads == 0 else 1
