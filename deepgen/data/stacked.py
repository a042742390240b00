"""Three digits in three channels: a thousand kinds of images, each as frequent as the others."""

from __future__ import annotations

import torch

from pgm.errors import ShapeError

from .data import Data

CHANNELS = 3


def stacked_digits(data: Data, n: int, seed: int = 0) -> Data:
    """Grey images drawn at random, three at a time, as the channels of one: how many kinds does a model still make?

    Args:
        data: `image` [H, W] with a column `label` of ten digits.
        n: how many rows.
        seed: of the randomness.

    Returns:
        `image` [3, H, W], and `label`, the number from 0 to 999 that the three digits spell.

    Raises:
        ShapeError: when the images are not grey, labels are above 9, or n is not above 0.

    Example:
        >>> from deepgen import digits
        >>> stacked_digits(digits(), 500)
        Data(digits, stacked, 500 rows: image [3, 8, 8], label [])

    Reference: Metz, Poole, Pfau and Sohl-Dickstein (2017), Unrolled generative adversarial networks; Srivastava et al.
    (2017), VEEGAN.
    """
    grey, label = data["image"], data["label"]
    if grey.dim() != 3 or label.max() > 9 or n < 1:
        raise ShapeError(
            f"stacked_digits: images are {list(grey.shape[1:])}, labels up to {label.max()} and n is {n}, expected "
            "[H, W], labels up to 9, and 1 or more."
        )
    rows = torch.randint(len(data), (n, CHANNELS), generator=torch.Generator().manual_seed(seed))
    places = torch.tensor([100, 10, 1], device=label.device)
    return Data({"image": grey[rows], "label": (label[rows] * places).sum(1)}, f"{data.name}, stacked")
