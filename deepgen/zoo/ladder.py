"""Ladder variational autoencoders: latent variables inferred from the top down."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from pgm.conditionals import Conditional
from pgm.model import Model
from pgm.neural import Family
from pgm.variable import Variable

from ..conditionals import Product, Standard, features, neural
from ..networks import Network, mlp
from ..pair import Pair
from .hierarchical import LINK, stacked

HEAD = mlp()


def ladder_vae(
    x: Variable,
    latents: Sequence[int | Sequence[int]] = (32, 16, 8, 4, 2),
    *,
    upward: int | Sequence[int | Sequence[int]] = 200,
    label: Variable | None = None,
    encoder: Network = LINK,
    decoder: Network = LINK,
    heads: Network = HEAD,
    combine: Literal["precision", "network"] = "precision",
    family: Family | None = None,
) -> Pair:
    """The chain p(zT) prod p(z_{t-1} | z_t) p(x | z1) with a guide that knows the model and goes the same way.

    Features d1, ..., dT are computed from x upwards; then q(zT | dT), and further down either
    q(z_t | z_{t+1}, d_t) proportional to p(z_t | z_{t+1}) N(z_t; heads(d_t)), or any function of both.

    Args:
        x: what is observed: `Binary` pixels, or `Real` numbers.
        latents: how many numbers each level has, from z1 up; or a shape of each.
        upward: how many features each level has; or one number or shape for each level.
        label: a variable that every level but the prior of the top is conditioned on.
        encoder, decoder: make the networks of each level.
        heads: makes what reads q off the features.
        combine: 'precision' weighs the model's opinion and that of the features by how sure they are; the guide then
            holds the model's own conditionals. 'network' has `encoder` look at both.
        family: of p(x | z1), when it is not the one that x suggests.

    Example:
        >>> from pgm import Binary
        >>> pair = ladder_vae(Variable("image", Binary(28, 28)), [32, 16, 8])
        >>> pair, pair.guide.conditionals["z2"]
        (Pair(image explained by z3, z2, z1), Product(z2 | z3, d2))

    Reference: Sonderby, Raiko, Maaloe, Sonderby and Winther (2016), Ladder variational autoencoders.
    """
    also = [label] if label is not None else []
    zs = stacked("z", latents)
    ds = stacked("d", [upward] * len(zs) if isinstance(upward, int) else upward)
    downwards = [neural(zs[t], [zs[t + 1], *also], decoder) for t in range(len(zs) - 1)]
    pixels = neural(x, [zs[0], *also], decoder, family)
    model = Model(Standard(zs[-1]), *reversed(downwards), pixels, name="ladder VAE")

    def inferred(prior: Conditional, d: Variable) -> Conditional:
        if combine == "precision":
            return Product(prior, neural(prior.child, [d, *also], heads))
        return neural(prior.child, [d, *prior.given], encoder)

    climbed = [features(upper, [lower, *also], encoder) for lower, upper in pairwise([x, *ds])]
    top = neural(zs[-1], [ds[-1], *also], heads)
    below = [inferred(prior, d) for prior, d in zip(downwards, ds, strict=False)]
    return Pair(model, Model(*climbed, top, *reversed(below), name="guide of the ladder VAE"))
