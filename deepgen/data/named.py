"""Data by name, as the command line asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pgm.errors import FileError

from . import toys
from .binarise import dynamic, static, thresholded
from .data import Data
from .folder import image_folder
from .images import Split, digits, fashion_mnist, mnist, static_mnist
from .painted import painted

TEST = 297  # digits that are kept for testing
TOYS: Mapping[str, Callable[[int, int], Data]] = {
    "ring": lambda rows, seed: toys.ring(rows, seed=seed),
    "grid": lambda rows, seed: toys.grid_of_gaussians(rows, seed=seed),
    "moons": lambda rows, seed: toys.moons(rows, seed=seed),
    "checkerboard": lambda rows, seed: toys.checkerboard(rows, seed=seed),
    "swirl": lambda rows, seed: toys.swirl(rows, seed=seed),
}
ROWS = 10_000  # of a toy, and of painted digits
NAMES = ("digits", "mnist", "fashion_mnist", "static_mnist", "painted_digits", *TOYS)
Binarisation = Literal["no", "dynamic", "static", "threshold"]


def named(name: str, split: Split = "train", binarise: Binarisation = "no") -> Data:
    """Data by name: one of digits, mnist, fashion_mnist, static_mnist, painted_digits, ring, grid, moons, checkerboard,
    swirl, or the path of a folder of images.

    Digits and folders are cut into parts to train and to test on in an order that is always the same; toys are drawn
    with different seeds, 10,000 rows each. Painted digits are `painted`, in those combinations alone that are `seen`.

    Args:
        name: of the data.
        split: 'train' or 'test'.
        binarise: how shades become black and white: 'no', 'dynamic', 'static' or 'threshold'; data that are binary
            already, painted digits and toys stay as they are.

    Raises:
        FileError: when there are no such data.

    Example:
        >>> named("digits", "test", binarise="dynamic")
        Data(digits, dynamic, 297 rows: image [8, 8], label [])
    """
    if name in TOYS:
        return TOYS[name](ROWS, 0 if split == "train" else 1)
    if name == "painted_digits":
        return painted(_grey("digits", split), ROWS, "seen", 0 if split == "train" else 1)
    if name == "static_mnist":
        return static_mnist(split)
    changes: Mapping[str, Callable[[Data], Data]] = {"dynamic": dynamic, "static": static, "threshold": thresholded}
    found = _grey(name, split)
    if binarise == "no":
        return found
    if binarise not in changes:
        raise FileError(f"{name}: binarise is {binarise!r}, expected 'no', {', '.join(map(repr, changes))}.")
    return changes[binarise](found)


def _grey(name: str, split: Split) -> Data:
    if name in ("mnist", "fashion_mnist"):
        return mnist(split) if name == "mnist" else fashion_mnist(split)
    if name == "digits":
        return _part(digits(), TEST, split)
    if Path(name).is_dir():
        whole = image_folder(name)
        return _part(whole, max(1, len(whole) // 10), split) if len(whole) > 1 else whole
    raise FileError(f"data: there is no {name!r}; expected one of {', '.join(NAMES)}, or a folder of images.")


def _part(whole: Data, test: int, split: Split) -> Data:
    held, rest = whole.split(test)
    return rest if split == "train" else held
