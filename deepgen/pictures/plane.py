"""The plane of a latent variable: where data lie in it, and what the decoder makes of it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from pgm.errors import PlanError

from ..pair import Pair
from .latent import Rows, decoded, encoded, given_of, latent_of
from .points import scatter
from .sheet import coloured
from .style import Where, canvas, charts, headed, quiet, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 540  # pixels of a manifold, about
MARKS = {-2.0: "−2", -1.0: "−1", 0.0: "0", 1.0: "1", 2.0: "2"}  # values of z that are marked


@torch.no_grad()
def manifold(
    pair: Pair,
    rows: Rows | None = None,
    *,
    latent: str | None = None,
    label: object = None,
    side: int = 15,
    shades: tuple[float, float] = (0.0, 1.0),
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """What the decoder makes of a plane of latent numbers, and beside it where data lie in the same plane.

    The images are E[x | z] at the quantiles (i + 1/2) / side of a standard Gaussian, so that each stands for as much
    probability. The points are posterior means in the same coordinates, coloured by the column `label` if there is
    one: where they fill the square evenly, the data are where the prior expects them.

    Args:
        pair: whose observed variable is an image, with a latent variable of two numbers.
        rows: data, or a batch of them; none for the images alone.
        latent: name of the variable; by default the first one of numbers.
        label: what the images are conditioned on.
        side: images a side.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        PlanError: when the latent variable is none of two numbers.
        EvidenceError: when a label is not given.
        ShapeError: when what is observed are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, vae
        >>> figure = manifold(vae(Variable("image", Binary(8, 8)), latents=2), digits(), side=5)

    Reference: Kingma and Welling (2014), Auto-encoding variational Bayes.
    """
    z = latent_of(pair, latent, "manifold")
    if prod(z.shape) != 2:
        raise PlanError(f"manifold: {z.name!r} has {prod(z.shape)} numbers, expected 2. Use traversals or latents.")
    places = quantiles(side).to(next(pair.model.parameters()).device)
    images = decoded(pair, given_of(pair, label, side * side, "manifold") | {z.name: places.reshape(-1, *z.shape)})
    tiles = _side_by_side(coloured(images, shades), side)
    high, wide, _ = tiles.shape
    figure, squares = _squares(1 if rows is None else 2, wide, high)
    squares[0].imshow(tiles, extent=(0, 1, 0, 1), interpolation="nearest", aspect="auto")
    squares[0].set_ylabel(f"{z.name}[1]")
    headed(squares[0], title or "Decoded")
    for axes in squares:
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=f"{z.name}[0]")
    if rows is not None:
        values = encoded(pair, rows, "manifold")
        scatter(squares[1], Normal(0.0, 1.0).cdf(values[z.name].flatten(1)), values.get("label"))
        headed(squares[1], "Data")
    return saved(figure, path)


def _side_by_side(tiles: np.ndarray, side: int) -> np.ndarray:
    """Images with thin lines between them, each pixel a square of whole pixels, `[height, width, 3]`."""
    scale = max(1, round(SIDE / (side * tiles.shape[2])))
    large = tiles.repeat(scale, 1).repeat(scale, 2)
    edge = max(1, scale // 2)
    framed = np.pad(large, ((0, 0), (edge, edge), (edge, edge), (0, 0)), constant_values=255)
    _, high, wide, _ = framed.shape
    return framed.reshape(side, side, high, wide, 3).swapaxes(1, 2).reshape(side * high, side * wide, 3)


def _squares(count: int, wide: int, high: int) -> tuple[Figure, list[Axes]]:
    """Axes of so many whole pixels from 0 to 1, marked where the quantiles of a standard Gaussian lie."""
    left, below, above, gap = 60, 54, 34, 56
    width, height = left + count * (wide + gap) - gap + 14, below + high + above
    figure = canvas(width, height)
    marks = Normal(0.0, 1.0).cdf(torch.tensor(list(MARKS))).tolist()
    squares = []
    for number in range(count):
        x = left + number * (wide + gap)
        axes = figure.add_axes((x / width, below / height, wide / width, high / height))
        quiet(axes)
        axes.set(xticks=marks, yticks=marks, xticklabels=MARKS.values(), yticklabels=MARKS.values())
        squares.append(axes)
    return figure, squares


def quantiles(side: int) -> Tensor:
    """Points of the plane in rows from top to bottom, each row from left to right, `[side * side, 2]`.

    Their coordinates are the quantiles (i + 1/2) / side of a standard Gaussian.

    Example:
        >>> quantiles(2)
        tensor([[-0.6745,  0.6745],
                [ 0.6745,  0.6745],
                [-0.6745, -0.6745],
                [ 0.6745, -0.6745]])
    """
    axis = Normal(0.0, 1.0).icdf((torch.arange(side) + 0.5) / side)
    up, across = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    return torch.stack([across, up], -1).reshape(-1, 2)


def latents(
    pair: Pair,
    rows: Rows,
    *,
    latent: str | None = None,
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """Where data lie among the latent variables: posterior means, coloured by the column `label` if there is one.

    More than two numbers are shown along the two directions in which they vary most.

    Args:
        pair: a model and its guide.
        rows: data, or a batch of them.
        latent: name of the variable; by default the first one of numbers.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        PlanError: when there is no such variable, or it is a single number.
        EvidenceError: when something is missing that is observed or given.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen import digits, vae
        >>> figure = latents(vae(Variable("image", Binary(8, 8)), latents=4), digits())

    Reference: Pearson (1901), On lines and planes of closest fit, for the two directions.
    """
    z = latent_of(pair, latent, "latents")
    values = encoded(pair, rows, "latents")
    means = values[z.name].flatten(1).cpu()
    if means.shape[1] < 2:
        raise PlanError(f"latents: {z.name!r} is a single number, expected two or more.")
    figure, (axes,) = charts(1, 1, 480, 480)
    if means.shape[1] == 2:
        flat, names = means, [f"{z.name}[0]", f"{z.name}[1]"]
    else:
        flat, shares = principal(means)
        names = [f"direction {k + 1}: {100 * share:.0f} % of the variance" for k, share in enumerate(shares)]
    scatter(axes, flat, values.get("label"))
    axes.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    headed(axes, title or f"Posterior means of {z.name}")
    return saved(figure, path)


def principal(x: Tensor) -> tuple[Tensor, list[float]]:
    """Points along the two directions in which they vary most, `[n, 2]`, and the share of the variance of each.

    Example:
        >>> found, shares = principal(torch.tensor([[0, 2.0, 1], [0, -2, 1], [3, 0, 1], [-3, 0, 1]]))
        >>> [round(share, 3) for share in shares]
        [0.692, 0.308]
    """
    centred = x - x.mean(0)
    _, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
    shares = sizes.square() / sizes.square().sum()
    return centred @ directions[:2].T, shares[:2].tolist()
