"""Points in the plane whose distribution everyone can see. The density is known, so samples can be judged."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from pgm.errors import ShapeError

from .data import Data


def ring_centres(modes: int = 8, radius: float = 1.0) -> Tensor:
    """The centres of the ring's Gaussians, `[modes, 2]`."""
    angle = 2 * pi * torch.arange(modes) / modes
    return radius * torch.stack([angle.cos(), angle.sin()], -1)


def grid_centres(side: int = 5, spacing: float = 2.0) -> Tensor:
    """The centres of the grid's Gaussians, `[side * side, 2]`."""
    axis = spacing * (torch.arange(side) - (side - 1) / 2)
    return torch.cartesian_prod(axis, axis)


def ring(n: int, modes: int = 8, radius: float = 1.0, deviation: float = 0.01, seed: int = 0) -> Data:
    """Equal Gaussians on a circle: `x` [2].

    Args:
        n: how many points.
        modes, radius, deviation: how many Gaussians, where, and their standard deviation.
        seed: of the randomness.

    Example:
        >>> ring(1000)
        Data(ring of 8, 1000 rows: x [2])

    Reference: Metz, Poole, Pfau and Sohl-Dickstein (2017), Unrolled generative adversarial networks; Srivastava et al.
    (2017), VEEGAN.
    """
    return _mixture(ring_centres(modes, radius), n, deviation, seed, f"ring of {modes}")


def grid_of_gaussians(n: int, side: int = 5, spacing: float = 2.0, deviation: float = 0.05, seed: int = 0) -> Data:
    """Equal Gaussians on a square grid: `x` [2].

    Args:
        n: how many points.
        side, spacing, deviation: Gaussians a side, their distance, and their standard deviation.
        seed: of the randomness.

    Example:
        >>> grid_of_gaussians(1000)
        Data(grid of 25, 1000 rows: x [2])

    Reference: Dumoulin et al. (2017), Adversarially learned inference; Srivastava et al. (2017), VEEGAN.
    """
    return _mixture(grid_centres(side, spacing), n, deviation, seed, f"grid of {side * side}")


def _mixture(centres: Tensor, n: int, deviation: float, seed: int, name: str) -> Data:
    generator = _generator(n, seed, name)
    chosen = torch.randint(len(centres), (n,), generator=generator)
    return Data({"x": centres[chosen] + deviation * torch.randn(n, 2, generator=generator)}, name)


def moons(n: int, deviation: float = 0.05, seed: int = 0) -> Data:
    """Two half circles that reach into each other: `x` [2].

    Example:
        >>> moons(10)
        Data(moons, 10 rows: x [2])

    Reference: Pedregosa et al. (2011), scikit-learn, `make_moons`.
    """
    generator = _generator(n, seed, "moons")
    angle = pi * torch.rand(n, generator=generator)
    lower = torch.rand(n, generator=generator) < 0.5
    upper_moon = torch.stack([angle.cos(), angle.sin()], -1)
    lower_moon = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], -1)
    points = torch.where(lower[:, None], lower_moon, upper_moon)
    return Data({"x": points + deviation * torch.randn(n, 2, generator=generator)}, "moons")


def checkerboard(n: int, seed: int = 0) -> Data:
    """The black squares of a board of 4 by 4 on [-2, 2]: `x` [2], uniform within each.

    Example:
        >>> board = checkerboard(100)["x"]
        >>> bool(((board.floor().sum(1) % 2) == 0).all())
        True

    Reference: Grathwohl et al. (2019), FFJORD.
    """
    generator = _generator(n, seed, "checkerboard")
    column = torch.randint(-2, 2, (n,), generator=generator)
    row = 2 * torch.randint(-1, 1, (n,), generator=generator) + column % 2
    return Data({"x": torch.stack([column, row], -1) + torch.rand(n, 2, generator=generator)}, "checkerboard")


def swirl(n: int, turns: float = 1.5, deviation: float = 0.02, seed: int = 0) -> Data:
    """A spiral from the centre out to radius 1: `x` [2].

    Example:
        >>> bool(swirl(100)["x"].norm(dim=1).max() < 1.1)
        True

    Reference: Pedregosa et al. (2011), scikit-learn, `make_swiss_roll`, seen from above.
    """
    generator = _generator(n, seed, "swirl")
    along = torch.rand(n, generator=generator).sqrt()  # evenly in length, nearly
    angle = 2 * pi * turns * along
    points = along[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
    return Data({"x": points + deviation * torch.randn(n, 2, generator=generator)}, "swirl")


def _generator(n: int, seed: int, name: str) -> torch.Generator:
    if n < 1:
        raise ShapeError(f"{name}: n is {n}, expected 1 or more.")
    return torch.Generator().manual_seed(seed)
