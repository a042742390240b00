"""Crude digits: what a pocket calculator shows."""

from __future__ import annotations

import torch

from .data import Data

LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
PLACES = {
    "a": (slice(0, 1), slice(2, 6)),
    "b": (slice(0, 4), slice(5, 6)),
    "c": (slice(3, 8), slice(5, 6)),
    "d": (slice(7, 8), slice(2, 6)),
    "e": (slice(3, 8), slice(2, 3)),
    "f": (slice(0, 4), slice(2, 3)),
    "g": (slice(3, 4), slice(2, 6)),
}  # rows and columns of each segment, clockwise from the top, the middle one last


def seven_segments() -> Data:
    """Ten digits of seven segments each: `image` [8, 8] of zeros and ones, `label`; crude starts for editing.

    Example:
        >>> seven = seven_segments().rows(slice(7, 8))
        >>> print("\\n".join("".join(".#"[int(pixel)] for pixel in row) for row in seven["image"][0]))
        ..####..
        .....#..
        .....#..
        .....#..
        .....#..
        .....#..
        .....#..
        .....#..
    """
    images = torch.zeros(10, 8, 8)
    for image, lit in zip(images, LIT, strict=True):
        for segment in lit:
            image[PLACES[segment]] = 1.0
    return Data({"image": images, "label": torch.arange(10)}, "seven segments")
