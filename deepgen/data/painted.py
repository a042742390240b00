"""Images in colours and places: captions of several words, some of which can be kept for later."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pgm.errors import PlanError, ShapeError

from .data import Data

Captions = Literal["all", "seen", "unseen"]
COLOURS = {"red": (1.0, 0.25, 0.2), "green": (0.2, 0.85, 0.3), "blue": (0.3, 0.5, 1.0), "yellow": (1.0, 0.85, 0.2)}
PLACES = ("top left", "top right", "bottom left", "bottom right")
EVERY = 5  # of as many combinations one is unseen


def painted(data: Data, n: int, captions: Captions = "all", seed: int = 0) -> Data:
    """Grey images in one of four colours at one of four places of a black canvas, twice as high and as wide.

    Combinations of which label + colour + place can be divided by 5 are the `unseen` ones, a fifth of all. Every two
    of the three words are seen together.

    Args:
        data: shades from 0 to 1, `image` [H, W], with a column `label`.
        n: how many rows; images are drawn from the data again and again, colours and places evenly.
        captions: whether 'all' combinations are there, or only those 'seen' or 'unseen'.
        seed: of the randomness.

    Returns:
        `image` [3, 2 H, 2 W], `label`, `colour`, `place`.

    Raises:
        ShapeError: when the images are not grey, or n is not above 0.
        PlanError: when there are no such captions.

    Example:
        >>> from deepgen import digits
        >>> found = painted(digits(), 1000)
        >>> found
        Data(digits, painted, 1000 rows: image [3, 16, 16], label [], colour [], place [])
        >>> found.variable("colour").states
        ('red', 'green', 'blue', 'yellow')
    """
    grey, label = data["image"], data["label"]
    if grey.dim() != 3 or n < 1:
        raise ShapeError(f"painted: images are {list(grey.shape[1:])} and n is {n}, expected [H, W] and 1 or more.")
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(data), (n,), generator=generator)
    allowed = _allowed(captions)[label[rows] % EVERY].flatten(1)  # [n, colours * places]
    chosen = torch.multinomial(allowed, 1, generator=generator).squeeze(1)
    colour, place = chosen // len(PLACES), chosen % len(PLACES)
    ink = grey[rows][:, None] * torch.tensor(list(COLOURS.values()))[colour][..., None, None]
    columns = {"image": _placed(ink, place), "label": label[rows], "colour": colour, "place": place}
    states = {**data.states, "colour": tuple(COLOURS), "place": PLACES}
    return Data(columns, f"{data.name}, painted", states=states)


def _allowed(captions: Captions) -> Tensor:
    """Which colours may be where, by the label's remainder, `[5, colours, places]`."""
    if captions not in ("all", "seen", "unseen"):
        raise PlanError(f"painted: captions are {captions!r}, expected 'all', 'seen' or 'unseen'.")
    label, colour, place = torch.meshgrid(*map(torch.arange, (EVERY, len(COLOURS), len(PLACES))), indexing="ij")
    unseen = (label + colour + place) % EVERY == 0
    return {"all": torch.ones_like(unseen), "seen": ~unseen, "unseen": unseen}[captions].float()


def _placed(ink: Tensor, place: Tensor) -> Tensor:
    """Images `[n, 3, H, W]` at corners of a canvas, `[n, 3, 2 H, 2 W]`."""
    down, right = (place // 2)[:, None, None, None], (place % 2)[:, None, None, None]
    wide = torch.cat([ink * (1 - right), ink * right], -1)
    return torch.cat([wide * (1 - down), wide * down], -2)
