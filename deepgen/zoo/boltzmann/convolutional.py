"""Convolutional restricted Boltzmann machines: features that are the same all over an image."""

from __future__ import annotations

from pgm.domains import Binary, Real
from pgm.errors import ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Bias, Convolved, Exclusive, Layered, Width
from .machine import Machine


def convolutional_rbm(
    x: Variable,
    filters: int = 16,
    size: int = 5,
    *,
    pooling: int = 1,
    deviation: float = 0.01,
    temperature: float = 1.0,
) -> Machine:
    """A convolutional RBM, p(x, h) proportional to exp(c sum_i x_i + sum_k h_k . (w_k * x) + sum_k b_k sum_j h_kj).

    Args:
        x: what is seen: `Binary` or `Real` (with deviations of 1) images, `(height, width)` or `(channels, height,
            width)`.
        filters: maps of binary units, each with a filter and a bias.
        size: of the filters, in pixels a side.
        pooling: at most one unit of each block of so many pixels a side is on: probabilistic max pooling.
        deviation: of the weights at first.
        temperature: above 0.

    Raises:
        ShapeError: when filters are larger than the image, or the maps are no whole number of blocks.

    Example:
        >>> machine = convolutional_rbm(Variable("image", Binary(28, 28)), 40, 5, pooling=2)
        >>> machine.model["h"].shape
        (40, 24, 24)

    Reference: Lee, Grosse, Ranganath and Ng (2009), Convolutional deep belief networks for scalable unsupervised
    learning of hierarchical representations.
    """
    height, width = (side - size + 1 for side in x.shape[-2:])
    if min(height, width) < 1:
        raise ShapeError(f"convolutional_rbm: size is {size}, expected at most the sides of {x.name!r}, {x.shape}.")
    h = Variable("h", Binary(filters, height, width))
    terms: list[Layered] = [Bias(layer, temperature, alike=2) for layer in (x, h)]
    terms += [Convolved(x, h, deviation, temperature)]
    terms += [Width(x)] if isinstance(x.domain, Real) else []
    terms += [Exclusive(h, pooling)] if pooling > 1 else []
    return Machine(Model(*terms, variables=(x, h), name="convolutional RBM"), (x,))
