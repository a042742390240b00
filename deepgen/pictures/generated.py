"""What generators have learned, from their own latent variables: ways between draws, sums, and nearest data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..evaluate.samples import nearest
from ..networks.rest import resting
from ..zoo.adversarial.gan import Gan
from ..zoo.adversarial.latent import Attribute, difference
from .moves import along_circle
from .sheet import Text, sheet
from .style import Where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = (-1.0, 1.0)  # black and white, of images that generators make
Given = Mapping[str, Tensor]


@torch.no_grad()
def walks(
    gan: Gan,
    given: Given,
    rows: int = 10,
    *,
    steps: int = 10,
    seed: int = 0,
    shades: tuple[float, float] = SHADES,
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """From one draw of the latent variables to another along a great circle, a row for each two.

    Variables of states stay as they are in the first.

    Args:
        gan: whose x are images.
        given: labels and whatever else the generator needs, `[rows, *event]` by name, the same all the way.
        rows: how many ways.
        steps: images of each.
        seed: of the draws.
        shades: the numbers that are black and white.
        title: on top.
        path: where to save the picture as well, ending in .png, .svg or .pdf.

    Raises:
        PlanError: when something that the generator needs is missing.
        ShapeError: when x are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.adversarial import gan
        >>> figure = walks(gan(Variable("image", Real(8, 8))), {}, rows=2)

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks; White (2016), Sampling generative networks.
    """
    with torch.random.fork_rng(), resting(gan.pair.model):
        torch.manual_seed(seed)
        one, other = gan.fake(rows, given), gan.fake(rows, given)
    part = torch.linspace(0, 1, steps, device=one[gan.x.name].device)
    told = {v.name: one[v.name].repeat_interleave(steps, 0) for v in (*gan.latents, *gan.given)}
    for name in (v.name for v in gan.latents if not v.finite):
        told[name] = along_circle(one[name], other[name], part).flatten(0, 1)
    return sheet(gan.sample(rows * steps, told), steps, Text(title), shades=shades, path=path)


@torch.no_grad()
def sums(
    gan: Gan,
    attributes: Mapping[str, Attribute],
    given: Given,
    columns: int = 10,
    *,
    reach: float = 1.0,
    rows: int = 2000,
    seed: int = 0,
    shades: tuple[float, float] = SHADES,
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """Draws, and below them the same with more of something: z plus the mean of z with much of it, less with little.

    Args:
        gan: whose x are images.
        attributes: how much of it is in rows, by what it is called.
        given: labels and whatever else the generator needs, `[columns, *event]` by name.
        columns: how many draws.
        reach: how often the difference is added.
        rows: draws for each difference.
        seed: of all draws.
        shades, title, path: as for `walks`.

    Raises:
        PlanError: when something that the generator needs is missing.
        ShapeError: when x are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.adversarial import gan
        >>> from deepgen.zoo.adversarial.latent import ink
        >>> figure = sums(gan(Variable("image", Real(8, 8))), {"bold": ink}, {})

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks.
    """
    with torch.random.fork_rng(), resting(gan.pair.model):
        torch.manual_seed(seed)
        start = gan.fake(columns, given)
    some = {name: value.repeat(-(-rows // columns), *[1] * (value.dim() - 1))[:rows] for name, value in given.items()}
    bands = [start[gan.x.name]]
    for attribute in attributes.values():
        more = difference(gan, attribute, some, rows, seed=seed)
        told = {v.name: start[v.name] + reach * more.get(v.name, 0) for v in (*gan.latents, *gan.given)}
        bands.append(gan.sample(columns, told))
    left = ["z", *(f"+ {name}" for name in attributes)]
    return sheet(torch.cat(bands), columns, Text(title, left=left), shades=shades, path=path)


def neighbours(
    samples: Tensor,
    data: Tensor,
    *,
    shades: tuple[float, float] = SHADES,
    title: str | None = None,
    path: Where | None = None,
) -> Figure:
    """Samples above the nearest rows of the data, with the distance below each pair.

    Args:
        samples: `[rows, *event]`, images.
        data: rows that were learned from, `[rows, *event]`.
        shades, title, path: as for `walks`.

    Raises:
        ShapeError: when the two have not the same event shape, or are no images.
        FileError: when the picture cannot be written.

    Example:
        >>> figure = neighbours(torch.rand(10, 8, 8), torch.rand(50, 8, 8), shades=(0, 1))
    """
    found, distances = nearest(samples, data)
    under = ["" for _ in samples] + [f"{far:.2f}" for far in distances[:, 0].tolist()]
    text = Text(title, under=under, left=["drawn", "nearest"])
    return sheet(torch.cat([samples, data[found[:, 0]].to(samples)]), len(samples), text, shades=shades, path=path)
