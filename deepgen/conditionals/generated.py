"""What a generator draws, or the data hold: the node of a model that has a sampler and no density."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from pgm.conditionals import Conditional
from pgm.domains import Real
from pgm.errors import GraphError, PlanError, ShapeError
from pgm.terms import Capabilities
from pgm.variable import Variable

from ..networks.network import Network
from .features import Seeing

FAKE, REAL = 0, 1
SOURCES = ("fake", "real")  # the states of y


class Generated(Conditional):
    """p(x | y, z, ...): where y is 'fake' what a network makes of the others, where it is 'real' a row of the data.

    Neither has a density. Given all its parents a fake x is certain; what is not known is what it was made of.

    Args:
        child: x, a variable of real numbers.
        flag: y, with the states 'fake' and 'real'.
        given: what the network sees: latent variables, labels, other images.
        network: makes it, such as `mlp(128, 128)`.

    Raises:
        GraphError: when x is not `Real`, y has other states or its name is taken, or the network would see nothing.

    Example:
        >>> y, z, x = Variable("y", SOURCES), Variable("z", Real(2)), Variable("x", Real(3))
        >>> from deepgen.networks import mlp
        >>> generated = Generated(x, y, [z], mlp(8))
        >>> generated.generate(torch.zeros(5, 2)).shape
        torch.Size([5, 3])

    Reference: Goodfellow et al. (2014), Generative adversarial nets; Hu, Yang, Salakhutdinov and Xing (2018), On
    unifying deep generative models, for y.
    """

    def __init__(self, child: Variable, flag: Variable, given: Sequence[Variable], network: Network) -> None:
        if flag.name in {v.name for v in (child, *given)}:
            raise GraphError(
                f"Generated({child.name}): {flag.name!r} says whether rows are fake or real, and another variable has "
                "this name too; give that one another."
            )
        super().__init__(child, [flag, *given])
        if not isinstance(child.domain, Real):
            raise GraphError(f"{self.subject}: {child.name!r} is {child.domain!r}, expected Real.")
        if not flag.finite or flag.states != SOURCES:
            raise GraphError(f"{self.subject}: {flag.name!r} is {flag!r}, expected the states 'fake' and 'real'.")
        if not given:
            raise GraphError(f"{self.subject}: a generator of nothing makes one point; give it a latent variable.")
        self.net = Seeing(given, network(given, child.shape))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=True, has_log_prob=False)

    @property
    def enumerable(self) -> bool:
        return False

    def distribution(self, *given: Tensor) -> Distribution:
        raise PlanError(
            f"{self.subject}: {self.child.name!r} has no log_prob, a network makes it without a density. Infer what it "
            "was made of (bigan), put Gaussian noise around it and anneal (blurred), or take a family that has a "
            "density, such as vae or flow_matching."
        )

    def generate(self, *given: Tensor) -> Tensor:
        """What the network makes, `[*batch, *event]`: x where y is 'fake'.

        Args:
            given: values of the parents without y, in the order of the graph.

        Raises:
            ShapeError: when the network makes something of another shape than x.
        """
        found: Tensor = self.net(*given)
        if found.shape[found.dim() - len(self.child.shape) :] != self.child.shape:
            raise ShapeError(
                f"{self.subject}: the network makes {list(found.shape)}, expected rows of {list(self.child.shape)}."
            )
        return found

    def draw(self, *given: Tensor, shape: Sequence[int] = ()) -> Tensor:
        flag, *others = given
        if bool((flag != FAKE).any()):
            raise PlanError(
                f"{self.subject}: rows of {self.child.name!r} whose {self.given[0].name!r} is 'real' are those of the "
                f"data, which a model does not hold; give {self.given[0].name!r} as 'fake', or take rows of the data."
            )
        axes = [len(parent.shape) for parent in self.given[1:]]
        batch = torch.broadcast_shapes(flag.shape, *(v.shape[: v.dim() - n] for v, n in zip(others, axes, strict=True)))
        wide = [v.expand([*batch, *v.shape[v.dim() - n :]]) for v, n in zip(others, axes, strict=True)]
        return self.generate(*wide).expand([*shape, *batch, *self.child.shape])
