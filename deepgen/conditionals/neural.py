"""Neural conditionals whose family follows from the child."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor
from torch.distributions import Distribution, Normal

from pgm.domains import Binary, Real
from pgm.errors import GraphError
from pgm.neural import Family, Neural, bernoulli, categorical, normal
from pgm.variable import Variable

from ..networks.network import Network


def neural(child: Variable, given: Sequence[Variable], network: Network, family: Family | None = None) -> Neural:
    """p(child | given) whose parameters a network computes: Bernoulli for pixels, Gaussian for numbers, else softmax.

    Args:
        child: `Binary`: log odds are computed; `Real`: means and log standard deviations, side by side along the last
            axis of vectors and one before the other along a new first axis of images; finite: unnormalised log
            probabilities.
        given: its parents.
        network: makes the module, such as `mlp(200, 200)`.
        family: another one, of as many numbers as the child has.

    Raises:
        GraphError: when the child has no such family and none is given.

    Example:
        >>> from pgm import Binary, Real
        >>> from deepgen.networks import mlp
        >>> neural(Variable("x", Binary(28, 28)), [Variable("z", Real(2))], mlp(200))
        Neural(x | z)
    """
    if family is not None:
        return Neural(child, given, family, network(given, child.shape))
    if child.finite:
        return Neural(child, given, categorical, network(given, [child.size]))
    if isinstance(child.domain, Binary):
        return Neural(child, given, bernoulli, network(given, child.shape))
    if isinstance(child.domain, Real) and len(child.shape) > 1:  # convolutions see two channels, not one twice as wide
        return Neural(child, given, partial(_normal, len(child.shape)), network(given, [2, *child.shape]))
    if isinstance(child.domain, Real) and child.shape:
        return Neural(child, given, normal, network(given, [2 * child.shape[0]]))
    raise GraphError(
        f"neural({child.name}): {child.domain!r} has no family of its own, expected Binary, states, or Real with a "
        "shape such as Real(1); name a family."
    )


def _normal(axes: int, numbers: Tensor) -> Distribution:
    """Independent Gaussians of arrays with so many axes, from means and log standard deviations before these."""
    mean, log_std = numbers.unbind(-1 - axes)
    return Normal(mean, log_std.exp(), validate_args=False)
