"""Hierarchical variational autoencoders: chains of latent variables, inferred from the data upwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from pgm.conditionals import Conditional
from pgm.domains import Real
from pgm.model import Model
from pgm.neural import Family
from pgm.variable import Variable

from ..conditionals import Standard, neural
from ..networks import Network, mlp
from ..pair import Pair

LINK = mlp(200)
Link = Callable[[Variable, Sequence[Variable]], Conditional]
"""Makes the conditional of a variable given the one next to it in a chain, and the label where there is one."""


def markovian_hierarchical_vae(
    x: Variable,
    latents: Sequence[int | Sequence[int]] = (32, 16, 8, 4, 2),
    *,
    label: Variable | None = None,
    encoder: Network = LINK,
    decoder: Network = LINK,
    family: Family | None = None,
) -> Pair:
    """A VAE with a chain of latent variables z1, ..., zT, of which z1 is next to x and zT = N(0, I) the top.

    p(x, z) = p(zT) p(x | z1) prod_t p(z_{t-1} | z_t) and q(z | x) = q(z1 | x) prod_t q(z_t | z_{t-1}).

    Args:
        x: what is observed: `Binary` pixels, or `Real` numbers.
        latents: how many numbers each level has, from z1 up; or a shape of each.
        label: a variable that every level but the prior of the top is conditioned on.
        encoder, decoder: make the networks of each level.
        family: of p(x | z1), when it is not the one that x suggests.

    Example:
        >>> from pgm import Binary
        >>> markovian_hierarchical_vae(Variable("image", Binary(28, 28)), [32, 16, 8])
        Pair(image explained by z3, z2, z1)

    Reference: Rezende, Mohamed and Wierstra (2014), Stochastic backpropagation; Luo (2022), Understanding diffusion
    models, for the name.
    """

    def up(child: Variable, given: Sequence[Variable]) -> Conditional:
        return neural(child, given, encoder)

    def down(child: Variable, given: Sequence[Variable]) -> Conditional:
        return neural(child, given, decoder, family if child is x else None)

    return markovian_hierarchy([x, *stacked("z", latents)], up, down, label)


def markovian_hierarchy(levels: Sequence[Variable], up: Link, down: Link, label: Variable | None = None) -> Pair:
    """A chain of variables with any conditional between neighbours: what hierarchical VAEs and diffusion are made of.

    p = N(top; 0, I) prod down(lower | upper) and q = prod up(upper | lower).

    Args:
        levels: what is observed, and the latent variables from there to the top.
        up: makes the guide's conditional of an upper level given the lower one.
        down: makes the model's conditional of a lower level given the upper one.
        label: one more parent of all of these.

    Example:
        >>> from pgm import LinearGaussian
        >>> x, z1, z2 = (Variable(name, Real()) for name in ["x", "z1", "z2"])
        >>> pair = markovian_hierarchy(
        ...     [x, z1, z2],
        ...     up=lambda child, given: LinearGaussian(child, given, [0.8], 0.0, 0.36),
        ...     down=lambda child, given: LinearGaussian(child, given, [0.8], 0.0, 0.36),
        ... )
        >>> pair.model.conditionals["x"], pair.guide.conditionals["z2"]
        (LinearGaussian(x | z1), LinearGaussian(z2 | z1))
    """
    also = [label] if label is not None else []
    downwards = [down(lower, [upper, *also]) for lower, upper in pairwise(levels)]
    upwards = [up(upper, [lower, *also]) for lower, upper in pairwise(levels)]
    model = Model(Standard(levels[-1]), *reversed(downwards), name="hierarchical VAE")
    return Pair(model, Model(*upwards, name="guide of the hierarchical VAE"))


def stacked(name: str, sizes: Sequence[int | Sequence[int]]) -> list[Variable]:
    """Variables of real numbers, numbered from 1.

    Args:
        name: what their names begin with.
        sizes: how many numbers each has, or its shape.

    Example:
        >>> [(v.name, v.shape) for v in stacked("z", [8, (4, 7, 7)])]
        [('z1', (8,)), ('z2', (4, 7, 7))]
    """
    shapes = [(size,) if isinstance(size, int) else tuple(size) for size in sizes]
    return [Variable(f"{name}{number}", Real(*shape)) for number, shape in enumerate(shapes, 1)]
