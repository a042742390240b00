"""Bounds from several weighted draws a row: tighter the more there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import log

import torch
from torch import Size, Tensor, nn
from torch.func import functional_call

from pgm.errors import PlanError
from pgm.model import Model
from pgm.quick import pathwise

from .bound import batch_of, computed, conditional_of, log_product

Observed = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Weighted:
    """Draws from a guide, and what both models say of them.

    Args:
        values: everything observed and drawn, by name; draws `[particles, *batch, *event]`.
        log_p: log p(x, z), `[particles, *batch]`.
        log_q: log q(z | x), `[particles, *batch]`.
    """

    values: Mapping[str, Tensor]
    log_p: Tensor
    log_q: Tensor

    @property
    def logs(self) -> Tensor:
        """log p(x, z) - log q(z | x), `[particles, *batch]`."""
        return self.log_p - self.log_q

    @property
    def shares(self) -> Tensor:
        """The weights divided by their sum, `[particles, *batch]`, without a gradient."""
        return self.logs.detach().softmax(0)

    @property
    def bound(self) -> Tensor:
        """The log of the mean weight, `[*batch]`."""
        return self.logs.logsumexp(0) - log(len(self.log_p))


def weighted(
    model: Model, guide: Model, observed: Observed, particles: int, subject: str, moving: bool = True
) -> Weighted:
    """Draws from a guide with both densities; finite variables that it leaves out are summed exactly.

    Args: as for `drawn`.
    """
    values, log_q = drawn(model, guide, observed, particles, subject, moving)
    return Weighted(values, log_product(model, values, log_q.shape, subject).expand(log_q.shape), log_q)


def drawn(
    model: Model, guide: Model, observed: Observed, particles: int, subject: str, moving: bool = True
) -> tuple[dict[str, Tensor], Tensor]:
    """What is observed and drawn from a guide, parents first, by name; and log q of the draws, `[particles, *batch]`.

    Args:
        model, guide, observed: as for `elbo`; what the guide has a conditional of is drawn.
        particles: draws a row.
        subject: how error messages begin.
        moving: whether draws carry a gradient where they can.
    """
    if particles < 1:
        raise PlanError(f"{subject}: particles is {particles}, expected 1 or more.")
    shape = Size((particles, *batch_of(model, observed, subject)))
    values, log_q = dict(observed), torch.zeros(())
    for name in guide.graph.topological:
        if name in observed:
            continue
        conditional = conditional_of(model, guide, name, subject)
        if computed(conditional):
            values[name] = conditional.draw(*(values[v.name] for v in conditional.given))
            continue
        made = conditional.distribution(*(values[v.name] for v in conditional.given))
        made = made if made.batch_shape == shape else made.expand(shape)
        if moving and made.has_rsample:
            values[name], density = pathwise(made)
            log_q = log_q + density()
        else:
            values[name] = made.sample()
            log_q = log_q + made.log_prob(values[name])
    return values, log_q.expand(shape)


def log_weights(model: Model, guide: Model, observed: Observed, particles: int = 1) -> Tensor:
    """log p(x, z_k) - log q(z_k | x) of independent draws z_k from the guide, `[particles, *batch]`.

    Their log mean is the bound of `iwae`; many draws of a good guide estimate log p(x). Draws carry a gradient where
    the guide is reparameterised.

    Args:
        model: any model.
        guide: a conditional of each variable that is not observed; finite ones that it leaves out are summed exactly.
        observed: tensors `[*batch, *event]` by name.
        particles: draws a row.

    Raises:
        PlanError: when a variable is neither observed nor drawn, or without a particle.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Real, Variable
        >>> z, x = Variable("z", Real()), Variable("x", Real())
        >>> model = Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
        >>> guide = Model(LinearGaussian(z, [x], [0.5], 0.0, 0.5))  # the exact posterior: all weights are p(x)
        >>> log_weights(model, guide, {"x": torch.tensor([0.0, 2.0])}, 2).detach()
        tensor([[-1.2655, -2.2655],
                [-1.2655, -2.2655]], dtype=torch.float64)

    Reference: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders.
    """
    return weighted(model, guide, observed, particles, "log_weights").logs


def iwae(model: Model, guide: Model, observed: Observed, particles: int = 5) -> Tensor:
    """The importance weighted bound E log (1/K) sum_k p(x, z_k) / q(z_k | x), `[*batch]`, in nats.

    It lies between the evidence lower bound (K = 1) and log p(x), and rises with K.

    Args, Raises: as for `log_weights`.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Real, Variable
        >>> z, x = Variable("z", Real()), Variable("x", Real())
        >>> model = Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
        >>> guide = Model(LinearGaussian(z, [x], [0.5], 0.0, 0.5))
        >>> iwae(model, guide, {"x": torch.tensor([0.0, 2.0])}, particles=5).detach()
        tensor([-1.2655, -2.2655], dtype=torch.float64)

    Reference: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders.
    """
    return weighted(model, guide, observed, particles, "iwae").bound


def dreg(model: Model, guide: Model, observed: Observed, particles: int = 5) -> Tensor:
    """The value of `iwae` with a gradient of the guide whose signal does not fade as there are more draws, `[*batch]`.

    The gradient in the guide's parameters is E sum_k w_k^2 (d log w_k / d z_k) (d z_k / d phi), w_k the weights divided
    by their sum: the score of q, which is 0 on average, is left out. That in the model's is that of `iwae`.

    Args, Raises: as for `log_weights`; every variable drawn has to be reparameterised.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Real, Variable
        >>> z, x = Variable("z", Real()), Variable("x", Real())
        >>> model = Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
        >>> guide = Model(LinearGaussian(z, [x], [0.5], 0.0, 0.5))
        >>> dreg(model, guide, {"x": torch.tensor(2.0)}).backward()
        >>> [abs(p.grad).max().item() < 1e-12 for p in guide.parameters()]  # at the posterior there is no noise either
        [True, True, True]

    Reference: Tucker, Lawson, Gu and Maddison (2019), Doubly reparameterized gradient estimators for Monte Carlo
    objectives.
    """
    found = weighted(model, guide, observed, particles, "dreg")
    shares: list[Tensor] = []  # known once the densities are, needed when the gradient comes back

    def shrunk(name: str) -> Tensor:
        value = found.values[name]
        if not value.requires_grad:
            return value
        leaf = value.view_as(value)
        leaf.register_hook(lambda gradient: gradient * _over(shares[0], gradient))
        return leaf

    for name in found.values:
        if name not in observed and not guide.conditionals[name].capabilities.reparameterised:
            raise PlanError(f"dreg: node {name!r} is not reparameterised. Use vimco or reweighted_wake.")
    values = {name: shrunk(name) if name not in observed else value for name, value in found.values.items()}
    fixed = {name: parameter.detach() for name, parameter in guide.named_parameters(prefix="guide")}
    log_q = functional_call(_Density(guide), fixed, (values, set(observed)))
    log_w = log_product(model, values, found.log_p.shape, "dreg") - log_q
    shares.append(log_w.detach().softmax(0))
    surrogate = (shares[0] * log_w).sum(0)
    return surrogate + (found.bound - surrogate).detach()


class _Density(nn.Module):
    """log q(z | x) of a guide as a module's forward, so that other parameters can be put in its place."""

    def __init__(self, guide: Model) -> None:
        super().__init__()
        self.guide = guide

    def forward(self, values: Mapping[str, Tensor], observed: set[str]) -> Tensor:
        """The log density of what was drawn."""
        return log_density(self.guide, values, observed)


def log_density(guide: Model, values: Mapping[str, Tensor], known: Collection[str]) -> Tensor:
    """log q of the variables that are not known; what the guide computes is computed anew.

    Args:
        guide: conditionals.
        values: of all variables that the guide draws or looks at, by name.
        known: names of those that were not drawn.
    """
    found, total = dict(values), torch.zeros(())
    for name in guide.graph.topological:
        conditional = guide.conditionals.get(name)
        if conditional is None or name in known:
            continue
        given = [found[v.name] for v in conditional.given]
        if computed(conditional):
            found[name] = conditional.draw(*given)
        else:
            total = total + conditional.log_prob(*given, found[name])
    return total


def _over(shares: Tensor, gradient: Tensor) -> Tensor:
    """Shares `[particles, *batch]` with axes of length 1 for the event."""
    return shares.reshape(*shares.shape, *[1] * (gradient.dim() - shares.dim())).to(gradient)
