"""Products of Gaussian experts: what several conditionals say of one variable, weighed by how sure each is."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from pgm.conditionals import Conditional
from pgm.errors import GraphError, PlanError
from pgm.quick import LogScaleNormal, Together
from pgm.terms import Capabilities
from pgm.variable import by_name


class Product(Conditional):
    """p(child | all parents) proportional to the product of independent Gaussians p_i(child | parents of i).

    Precisions add up, and the mean is that of the means, weighted by precision.

    Args:
        experts: conditionals of one child, each of independent Gaussians; they may belong to another model too.

    Raises:
        GraphError: when they are of several children, or there are none.
        PlanError: when one turns out not to be Gaussian.

    Example:
        >>> from pgm import LinearGaussian, Real, Variable
        >>> z, x, y = (Variable(name, Real()) for name in "zxy")
        >>> both = Product(LinearGaussian(z, [x], [1.0], 0.0, 1.0), LinearGaussian(z, [y], [1.0], 0.0, 0.25))
        >>> made = both.distribution(torch.tensor(0.0), torch.tensor(5.0))  # precisions 1 and 4
        >>> round(made.mean.item(), 6), round(made.variance.item(), 6)
        (4.0, 0.2)

    Reference: Hinton (2002), Training products of experts; Sonderby et al. (2016), Ladder variational autoencoders.
    """

    def __init__(self, *experts: Conditional) -> None:
        children = {expert.child.name for expert in experts}
        if len(children) != 1:
            raise GraphError(f"Product: the experts are of {sorted(children)}, expected one child.")
        parents = by_name(parent for expert in experts for parent in expert.given)
        super().__init__(experts[0].child, list(parents.values()))
        self.places = tuple(tuple(list(parents).index(v.name) for v in expert.given) for expert in experts)
        self.experts, self.shared = experts, nn.ModuleList(experts)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=True, has_log_prob=True)

    def distribution(self, *given: Tensor) -> Distribution:
        made = [
            _normal(expert, *(given[place] for place in places))
            for expert, places in zip(self.experts, self.places, strict=True)
        ]
        whole = reduce(_both, made)
        axes = len(self.child.shape)
        return Together(whole, axes) if axes else whole


def _both(one: Normal, other: Normal) -> Normal:
    """The product of two densities, normalised: scales s t / sqrt(s^2 + t^2), of which no square can vanish."""
    whole = torch.hypot(one.scale, other.scale)
    share, rest = other.scale / whole, one.scale / whole
    return LogScaleNormal(one.loc * share**2 + other.loc * rest**2, (one.scale * share).log())


def _normal(expert: Conditional, *given: Tensor) -> Normal:
    made = expert.distribution(*given)
    while isinstance(made, Independent):
        made = made.base_dist
    if not isinstance(made, Normal):
        raise PlanError(f"Product: {expert!r} is a {type(made).__name__}, expected independent Gaussians.")
    return made
