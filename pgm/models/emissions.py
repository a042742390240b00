"""What a class, a mixture component or a hidden state emits: the conditional that fits the domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ..conditionals import Conditional, Tabular
from ..counts import IndependentBernoulli, Multinomial
from ..domains import Binary, Count, Finite
from ..errors import ShapeError
from ..gaussians import ConditionalLinearGaussian
from ..variable import Variable

Form = Literal["full", "diagonal", "spherical"]


def uniform(child: Variable, given: Sequence[Variable] = ()) -> Tabular:
    """All states equally probable, to be fitted."""
    return Tabular(child, given, torch.full([v.size for v in (*given, child)], 1 / child.size, dtype=torch.float64))


def emission(
    child: Variable, given: Sequence[Variable], covariance: Form = "diagonal", tied: bool = False
) -> Conditional:
    """p(child | finite parents) of the usual family for the child's domain, the same for all states, to be fitted.

    `Finite`: a table. `Real`: Gaussians. `Binary`: independent Bernoullis. `Count`: multinomials.

    Args:
        child: what is emitted.
        given: finite parents.
        covariance: of Gaussians: 'full', 'diagonal' or 'spherical' (one variance).
        tied: whether one covariance serves all states of the parents.

    Raises:
        ShapeError: when the covariance is none of these.

    Example:
        >>> from pgm import Binary, Variable
        >>> emission(Variable("pixels", Binary(784)), [Variable("digit", 10)])
        IndependentBernoulli(pixels | digit)
    """
    if isinstance(child.domain, Finite):
        return uniform(child, given)
    rows = torch.ones(*(parent.size for parent in given), *child.shape, dtype=torch.float64)
    if isinstance(child.domain, Binary):
        return IndependentBernoulli(child, given, rows / 2)
    if isinstance(child.domain, Count):
        return Multinomial(child, given, rows / child.domain.length)
    noise = identity(child, covariance)
    sizes = [1 if tied else parent.size for parent in given]
    return ConditionalLinearGaussian(child, given, None, 0 * rows, noise.expand(*sizes, *noise.shape))


def identity(child: Variable, covariance: Form) -> Tensor:
    """Unit variances in the form asked for."""
    one = torch.ones((), dtype=torch.float64)
    forms = {
        "full": one.expand(child.shape).diag_embed() if len(child.shape) == 1 else one.expand(child.shape),
        "diagonal": one.expand(child.shape),
        "spherical": one,
    }
    if covariance not in forms:
        raise ShapeError(f"emission({child.name}): covariance is {covariance!r}, expected one of {', '.join(forms)}.")
    return forms[covariance]
