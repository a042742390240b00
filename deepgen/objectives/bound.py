"""The evidence lower bound, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Independent, Normal

from pgm.conditionals import Conditional, Deterministic
from pgm.errors import PlanError, ShapeError
from pgm.model import Model
from pgm.quick import LogScaleNormal, pathwise
from pgm.variable import Variable

if TYPE_CHECKING:
    from pgm.engines.joint import Joint


def elbo(model: Model, guide: Model, observed: Mapping[str, Tensor], particles: int = 1) -> Tensor:
    """The evidence lower bound, E_q[log p(x, z) - log q(z | x)], one number a row.

    z are the variables that are not observed, drawn from the guide q by reparameterisation, parents first. Where q(z)
    and p(z) are both independent Gaussians and nothing that p(z) depends on was drawn after z, that part is
    -KL(q(z) || p(z)) in closed form. A finite variable that the guide has a conditional for is summed over its states,
    weighted by the guide; one that it has not is summed exactly in the model. Torch's own randomness is used.

    Args:
        model: any model; with potentials it is the bound of an unnormalised density.
        guide: conditionals of the variables that are not observed, given observed ones and each other; it may compute
            features of its own by `Deterministic`s of numbers.
        observed: tensors `[*batch, *event]` by name, state numbers `[*batch]` for finite variables.
        particles: draws a row, averaged.

    Returns:
        `[*batch]`, in nats, differentiable in the parameters of both.

    Raises:
        PlanError: when a variable is neither observed nor drawn nor finite, or cannot be drawn by reparameterisation,
            or without a particle.
        ShapeError: when a value is no tensor, or does not have its variable's event shape.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Real, Variable
        >>> z, x = Variable("z", Real()), Variable("x", Real())
        >>> model = Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
        >>> guide = Model(LinearGaussian(z, [x], [0.5], 0.0, 0.5))  # the exact posterior: the bound is log N(x; 0, 2)
        >>> elbo(model, guide, {"x": torch.tensor([0.0, 2.0])}, particles=10_000).shape
        torch.Size([2])

    Reference: Kingma and Welling (2014), Auto-encoding variational Bayes; Sohn, Lee and Yan (2015) for conditional
    models; Kingma, Mohamed, Rezende and Welling (2014), Semi-supervised learning, for the sum over states.
    """
    draws, pieces, rest = _pieces(model, guide, observed, particles)
    return draws.mean(sum(pieces.values(), rest))


@dataclass(frozen=True, eq=False)
class Terms:
    """What an evidence lower bound is made of, in nats.

    Args:
        reconstruction: E_q[log p(x | z)], and whatever else belongs to no single variable that was drawn, `[*batch]`.
        divergence: E_q[log q(z_i | ...) - log p(z_i | ...)] of each variable that was drawn, by name, `[*batch]`.
    """

    reconstruction: Tensor
    divergence: Mapping[str, Tensor]

    def bound(self, beta: float = 1.0, free: float = 0.0) -> Tensor:
        """The reconstruction less the divergences, `[*batch]`.

        Args:
            beta: a weight of all divergences: below 1 while warming up, above 1 for fewer entangled variables.
            free: nats of each variable's divergence, averaged over the batch, that cost nothing.

        Reference: Higgins et al. (2017), beta-VAE; Kingma et al. (2016), Improving variational inference with inverse
        autoregressive flow, for free bits.
        """
        total = self.reconstruction
        for each in self.divergence.values():
            cost = each if free == 0.0 else each + (free - each.mean()).clamp_min(0.0)
            total = total.sub(cost, alpha=beta)
        return total


def elbo_terms(model: Model, guide: Model, observed: Mapping[str, Tensor], particles: int = 1) -> Terms:
    """The evidence lower bound in parts: how well the observed is explained, and what each variable costs.

    Args, Raises: as for `elbo`.

    Example:
        >>> from pgm import Gaussian, LinearGaussian, Real, Variable
        >>> z, x = Variable("z", Real()), Variable("x", Real())
        >>> model = Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
        >>> guide = Model(LinearGaussian(z, [x], [0.5], 0.0, 0.5))
        >>> found = elbo_terms(model, guide, {"x": torch.tensor([0.0, 2.0])})
        >>> found.divergence["z"].detach()  # of N(x / 2, 1/2) from N(0, 1)
        tensor([0.0966, 0.5966], dtype=torch.float64)
    """
    draws, pieces, rest = _pieces(model, guide, observed, particles)
    return Terms(draws.mean(rest), {name: -draws.mean(piece) for name, piece in pieces.items()})


def _pieces(
    model: Model, guide: Model, observed: Mapping[str, Tensor], particles: int
) -> tuple[Draws, dict[str, Tensor], Tensor]:
    """Draws, log p - log q of each variable drawn, and the log of all other terms."""
    if particles < 1:
        raise PlanError(f"elbo: particles is {particles}, expected 1 or more.")
    draws = Draws(batch_of(model, observed), particles, dict(observed))
    for name in guide.graph.topological:
        if name not in observed:
            draws.add(conditional_of(model, guide, name))
    pieces = draws.against(model)
    return draws, pieces, log_product(model, draws.values, draws.rows, "elbo", draws.counted)


@dataclass(eq=False)
class Draws:
    """Draws from a guide, parents first. Batch axes are `[*states summed, particles if several, *batch]`.

    Args:
        batch: the shape of the rows.
        particles: draws a row.
        values: the observed values, and then the draws, by name.
        made: the guide's distribution of each draw, by name.
        log_weights: log q of each state of the finite draws, by name.
        densities: what computes log q of each other draw, by name.
        counted: the terms of the model that need no further attention, by id.
    """

    batch: Size
    particles: int
    values: dict[str, Tensor]
    made: dict[str, Distribution] = field(default_factory=dict)
    log_weights: dict[str, Tensor] = field(default_factory=dict)
    densities: dict[str, Callable[[], Tensor]] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)

    @property
    def rows(self) -> Size:
        """The shape of the draws, states apart."""
        return Size((self.particles, *self.batch)) if self.particles > 1 else self.batch

    def add(self, conditional: Conditional) -> None:
        """Compute the child, draw it, or lay out its states along a new axis."""
        child, name = conditional.child, conditional.child.name
        if computed(conditional):
            self.values[name] = conditional.draw(*(self.values[v.name] for v in conditional.given))
            return
        made = self.made[name] = conditional.distribution(*(self.values[v.name] for v in conditional.given))
        if made.has_rsample:
            shape = joined(made.batch_shape, self.rows)
            self.values[name], self.densities[name] = pathwise(
                made if made.batch_shape == shape else made.expand(shape)
            )
        elif child.finite:
            states = torch.arange(child.size, device=next((v.device for v in self.values.values()), None))
            axes = len(self.log_weights) + len(self.rows)
            self.values[name] = states.reshape([-1] + [1] * axes)
            self.log_weights[name] = made.log_prob(self.values[name])
        else:
            raise PlanError(
                f"elbo: node {name!r} is not reparameterised and has no finite states to sum. Use another objective, "
                f"or make {name!r} finite."
            )

    def against(self, model: Model) -> dict[str, Tensor]:
        """log p - log q of each draw, by name; -KL where p depends on nothing drawn later and both are Gaussian."""
        earlier, found = set[str](), dict[str, Tensor]()
        for name in self.values:  # what was observed, then draws and what was computed from them, in order
            if name not in self.made:
                earlier.add(name)
                continue
            q, prior = self.made[name], model.conditionals.get(name)
            ready = prior is not None and all(v.name in self.values for v in prior.given)
            p = prior.distribution(*(self.values[v.name] for v in prior.given)) if ready and prior is not None else None
            if p is not None:
                self.counted.add(id(prior))
            first = prior is not None and earlier.issuperset(v.name for v in prior.given)
            found[name] = self._against(name, q, p, first)
            earlier.add(name)
        return found

    def _against(self, name: str, q: Distribution, p: Distribution | None, first: bool) -> Tensor:
        closed = minus_kl(q, p) if p is not None and first else None
        if closed is not None:
            return closed
        log_q = self.log_weights[name] if name in self.log_weights else self.densities[name]()
        return -log_q if p is None else p.log_prob(self.values[name]) - log_q

    def mean(self, total: Tensor) -> Tensor:
        """The mean over states, as the guide weighs them, and over particles, `[*batch]`."""
        if self.log_weights:
            weights = sum(self.log_weights.values(), torch.zeros(())).exp()
            shape = joined(total.shape, weights.shape, self.rows)
            safe = total.expand(shape).masked_fill(weights == 0, 0.0)
            total = (weights * safe).sum(tuple(range(len(self.log_weights))))
        if total.shape != self.rows:
            total = total.expand(joined(total.shape, self.rows))
        return total.mean(0) if self.particles > 1 else total


def minus_kl(q: Distribution, p: Distribution) -> Tensor | None:
    """-KL(q || p) of independent Gaussians, `[*batch]`; None for other distributions.

    Args:
        q, p: distributions of one event shape.

    Example:
        >>> minus_kl(Normal(torch.tensor(1.0), 1.0), Normal(torch.tensor(0.0), 1.0))
        tensor(-0.5000)
    """
    one, other = _normal(q), _normal(p)
    if one is None or other is None:
        return None
    log_ratio = 2 * (_log_scale(one) - _log_scale(other))
    found = log_ratio - log_ratio.exp() - ((one.loc - other.loc) / other.scale).square()
    event = tuple(range(-len(q.event_shape), 0))
    return 0.5 * ((found.sum(event) if event else found) + q.event_shape.numel())


def _normal(made: Distribution) -> Normal | None:
    while isinstance(made, Independent):
        made = made.base_dist
    return made if isinstance(made, Normal) else None


def _log_scale(made: Normal) -> Tensor:
    """As it was computed, where it was: a scale that is 0 in short floats has a finite log."""
    return made.log_scale if isinstance(made, LogScaleNormal) else made.scale.log()


def batch_of(model: Model, observed: Mapping[str, Tensor], subject: str = "elbo") -> Size:
    """The shape of the rows."""
    if not observed:
        raise PlanError(
            f"{subject}: nothing is observed; expected values of one or more of {', '.join(model.graph.names)}."
        )
    shapes = []
    for name in model.graph.require(observed, subject):
        value, event = observed[name], model[name].shape
        if not isinstance(value, Tensor):
            raise ShapeError(f"{subject}: {name!r} is a {type(value).__name__}, expected a tensor.")
        split = value.dim() - len(event)
        if tuple(value.shape[split:]) != event:
            expected = ", ".join(map(str, ("*batch", *event)))
            raise ShapeError(f"{subject}: {name!r} has shape {tuple(value.shape)}, expected [{expected}].")
        shapes.append(value.shape[:split])
    return joined(*shapes)


def joined(*shapes: Size) -> Size:
    """What shapes broadcast to; torch's own function is slower."""
    return shapes[0] if len(set(shapes)) == 1 else Size(np.broadcast_shapes(*shapes))


def conditional_of(model: Model, guide: Model, name: str, subject: str = "elbo") -> Conditional:
    """What the guide draws a variable from, or computes one of its own by."""
    found = guide.conditionals.get(name)
    if found is None and not guide.potentials:
        raise PlanError(
            f"{subject}: the guide looks at {name!r}, which is neither observed nor drawn. Give its values, or give "
            "the guide a conditional of it."
        )
    own = name not in model.graph.by_name and not (found is not None and computed(found))
    if found is None or guide.potentials or own:
        raise PlanError(
            f"{subject}: the guide is {guide!r}; expected a conditional of each of its variables that is not observed, "
            f"all of them variables of the model unless computed, and no potentials; look at {name!r}."
        )
    return found


def computed(conditional: Conditional) -> bool:
    """Whether the child is a function of its parents, with nothing to be drawn."""
    return isinstance(conditional, Deterministic) and not conditional.enumerable


def log_product(
    model: Model, known: Mapping[str, Tensor], rows: Size, subject: str, counted: Collection[int] = ()
) -> Tensor:
    """The log of the product of all terms; finite variables that are not known are summed exactly.

    Args:
        model: any model.
        known: values by name.
        rows: the shape of the draws.
        subject: how error messages begin.
        counted: terms to leave out, by id.

    Raises:
        PlanError: when a variable is neither known nor computed nor finite.
    """
    values, counted = dict(known), {*counted}
    left, certain = _left(model, values, counted, subject)
    total = torch.zeros(())
    for term in model.terms:
        if id(term) not in counted and not any(v.name in left or v.name in certain for v in term.scope):
            total = total + term.log_prob(*(values[v.name] for v in term.scope))
    return total + _summed(model, left, certain, values, rows).to(total) if left else total


def _left(
    model: Model, values: dict[str, Tensor], counted: set[int], subject: str
) -> tuple[dict[str, Variable], dict[str, Conditional]]:
    """The finite variables to be summed in the model, and the functions of them; functions of the rest are computed."""
    left: dict[str, Variable] = {}
    certain: dict[str, Conditional] = {}
    for name in model.graph.topological:
        variable, conditional = model.graph.by_name[name], model.conditionals.get(name)
        if name in values:
            continue
        if variable.finite:
            left[name] = variable
        elif not isinstance(conditional, Deterministic):
            raise PlanError(
                f"{subject}: node {name!r} is neither observed nor drawn, and has no finite states to sum. Give the "
                f"guide a conditional of it, or observe {name!r}."
            )
        elif all(v.name in values for v in conditional.given):
            values[name] = conditional.draw(*(values[v.name] for v in conditional.given))
            counted.add(id(conditional))
        else:
            certain[name] = conditional
    return left, certain


def _summed(
    model: Model,
    left: Mapping[str, Variable],
    certain: Mapping[str, Conditional],
    values: Mapping[str, Tensor],
    rows: Size,
) -> Tensor:
    """The log of the product of the terms with finite variables left, summed over these."""

    def make() -> Joint:
        from pgm.engines.joint import Joint  # compiled loops, which most bounds do without

        own = {id(conditional) for conditional in certain.values()}
        terms = [t for t in model.terms if id(t) not in own and any(v.name in {**left, **certain} for v in t.scope)]
        return Joint(terms, certain, {}, {}, list(left.values()))

    joint: Joint = model.sessions.get(("elbo", *left), make)
    needed = {v.name: v for t in (*joint.terms, *certain.values()) for v in t.scope if v.name in values}
    splits = {name: values[name].dim() - len(v.shape) for name, v in needed.items()}
    shape = joined(rows, *(values[name].shape[:n] for name, n in splits.items()))
    flat = {name: values[name].expand([*shape, *v.shape]).reshape([-1, *v.shape]) for name, v in needed.items()}
    return joint.log_prob(flat).expand(shape.numel()).reshape(shape)
