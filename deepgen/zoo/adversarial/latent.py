"""What latent variables of a generator do, found from its own draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...networks.rest import resting
from .gan import Gan

Attribute = Callable[[Tensor], Tensor]
"""How much of something is in rows `[rows, *event]`, `[rows]`."""


@torch.no_grad()
def difference(
    gan: Gan,
    attribute: Attribute,
    given: Mapping[str, Tensor],
    rows: int = 2000,
    share: float = 0.05,
    seed: int = 0,
) -> dict[str, Tensor]:
    """What latent variables are where rows have much of something, less what they are where rows have little of it.

    E[z | much] - E[z | little], from the generator's own draws; added to any z it makes rows that have more.

    Args:
        gan: whose latent variables of numbers.
        attribute: of rows, such as their ink.
        given: labels and whatever else the generator needs, `[rows, *event]` by name; nothing for none.
        rows: to draw.
        share: of them that have much, and that have little.
        seed: of the draws.

    Returns:
        `[*event]` by latent variable.

    Raises:
        PlanError: when the share is not of a row or more, up to a half.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.networks import mlp
        >>> from deepgen.zoo.adversarial import gan
        >>> model = gan(Variable("x", Real(3)), latents=2, generator=mlp())
        >>> difference(model, lambda x: x.sum(1), {})["z"].shape
        torch.Size([2])

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks; White (2016), Sampling generative networks.
    """
    few = int(share * rows)
    if not 1 <= few <= rows // 2:
        raise PlanError(f"difference: share is {share!r} of {rows} rows, expected a row or more, up to a half.")
    with torch.random.fork_rng(), resting(gan.pair.model):
        torch.manual_seed(seed)
        made = gan.fake(rows, given)
    order = attribute(made[gan.x.name]).argsort()
    names = [v.name for v in gan.latents if not v.finite]
    return {name: made[name][order[-few:]].mean(0) - made[name][order[:few]].mean(0) for name in names}


def ink(images: Tensor) -> Tensor:
    """The mean shade of images `[rows, *event]`, `[rows]`: how bold they are."""
    return images.flatten(1).mean(1)


def slant(images: Tensor) -> Tensor:
    """How much further to the right the upper part of images is, in pixels across for one pixel up, `[rows]`.

    The slope of a line through the ink, x against height, where ink is how much a shade is above the darkest one; 0
    where there is none.

    Args:
        images: `[rows, height, width]`.

    Example:
        >>> slant(torch.eye(5).flip(0)[None]).item()  # from the lower left to the upper right
        1.0
    """
    weight = images - images.amin((-2, -1), keepdim=True)
    tiny = torch.finfo(weight.dtype).tiny
    total = weight.sum((-2, -1)).clamp_min(tiny)
    up = torch.arange(images.shape[-2], device=images.device, dtype=images.dtype).flip(0)[:, None]
    across = torch.arange(images.shape[-1], device=images.device, dtype=images.dtype)
    middle_up, middle_across = ((weight * place).sum((-2, -1)) / total for place in (up, across))
    y, x = up - middle_up[:, None, None], across - middle_across[:, None, None]
    return (weight * y * x).sum((-2, -1)) / (weight * y * y).sum((-2, -1)).clamp_min(tiny)
