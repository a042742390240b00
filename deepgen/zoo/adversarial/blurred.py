"""Gaussian noise around what a generator makes: a density, so that networks of a game can be measured by log p(x)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from pgm.conditionals import Conditional
from pgm.model import Model
from pgm.neural import Neural
from pgm.terms import Capabilities
from pgm.variable import Variable

from ...conditionals.point import Isotropic
from ...evaluate.rows import place
from ...pair import Pair
from .gan import Gan


def blurred(gan: Gan, deviation: float) -> Pair:
    """p(x) = E_{p(z)} N(x; G(z), deviation^2 I): the rows of a generator with noise around them, as a pair.

    It has the generator's own parameters. Its guide is the prior, whatever x is, from which `annealed` starts chains;
    finite latent variables are left to exact sums. What it says depends on the deviation, which is to be named with it
    and chosen on rows that are not measured.

    Args:
        gan: whose generator it is.
        deviation: of the noise, in the units of x.

    Raises:
        ShapeError: when the deviation is not above 0.

    Example:
        >>> from pgm import Real
        >>> from deepgen.data.data import Data
        >>> from deepgen.evaluate.annealed import annealed
        >>> from deepgen.zoo.adversarial import gan
        >>> found = blurred(gan(Variable("x", Real(2)), latents=1), 0.5)
        >>> found
        Pair(x explained by z)
        >>> print(annealed(found, Data({"x": torch.zeros(9, 2)}), temperatures=9, leapfrog=1, start="prior")[1])
        log p(x) ~ ... in [...] nats (AIS from the prior, ..., there and back, 100 rows drawn from the model)

    Reference: Wu, Burda, Salakhutdinov and Grosse (2017), On the quantitative analysis of decoder-based generative
    models.
    """
    made, priors = gan.generator, gan.pair.model.conditionals
    parents = made.given[1:]
    with place(made):  # where the network is, on which `Neural` tries it
        noisy = Neural(gan.x, parents, Isotropic(deviation, learned=False), made.net.net)
    kept = [each for name, each in priors.items() if name not in (gan.flag.name, gan.x.name)]
    numbers = [each for each in kept if not each.child.finite]
    guide = Model(*(Regardless(each, [gan.x, *gan.given]) for each in numbers), name="prior as guide")
    return Pair(Model(*kept, noisy, name="blurred generator"), guide)


class Regardless(Conditional):
    """q(z | x, ...) = p(z): a prior as the guess of a guide that looks at x and learns nothing from it.

    Args:
        prior: p(z), possibly given other latent variables.
        seen: what makes no difference.
    """

    def __init__(self, prior: Conditional, seen: Sequence[Variable]) -> None:
        super().__init__(prior.child, [*prior.given, *seen])
        self.prior = prior

    @property
    def capabilities(self) -> Capabilities:
        return self.prior.capabilities

    def distribution(self, *given: Tensor) -> Distribution:
        known = len(self.prior.given)
        made, x = self.prior.distribution(*given[:known]), given[known]
        rows = x.shape[: x.dim() - len(self.given[known].shape)]
        return made.expand(Size(torch.broadcast_shapes(made.batch_shape, rows)))
