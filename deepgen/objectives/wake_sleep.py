"""Wake and sleep: the model learns from what the guide makes of data, the guide from what the model dreams."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgm.conditionals import Conditional
from pgm.errors import PlanError
from pgm.model import Model

from .bound import log_product
from .weighted import drawn, log_density, weighted

Observed = Mapping[str, Tensor]


def wake(model: Model, guide: Model, observed: Observed, particles: int = 1) -> Tensor:
    """E_q[log p(x, z)] with draws that carry no gradient, `[*batch]`, in nats: what the model learns while awake.

    Only the model has a gradient, that of the evidence lower bound.

    Args, Raises: as for `log_weights`.

    Example:
        >>> from pgm import Tabular, Variable
        >>> z, x = Variable("z"), Variable("x")
        >>> model = Model(Tabular(z, [], [0.5, 0.5]), Tabular(x, [z], [[0.9, 0.1], [0.2, 0.8]]))
        >>> guide = Model(Tabular(z, [x], [[1.0, 0.0], [0.0, 1.0]]))
        >>> wake(model, guide, {"x": torch.tensor([0, 1])}).exp().detach()
        tensor([0.4500, 0.4000], dtype=torch.float64)

    Reference: Hinton, Dayan, Frey and Neal (1995), The wake-sleep algorithm for unsupervised neural networks.
    """
    with torch.no_grad():
        values, log_q = drawn(model, guide, observed, particles, "wake")
    return log_product(model, values, log_q.shape, "wake").expand(log_q.shape).mean(0)


def sleep(model: Model, guide: Model, rows: int, given: Observed | None = None) -> Tensor:
    """log q(z | x) of dreams x, z drawn from the model, `[rows]`, in nats: what the guide learns while asleep.

    Only the guide has a gradient, that of -KL(p(z | x) || q(z | x)) on average over dreams.

    Args:
        model: conditionals, each of which can be drawn from.
        guide: conditionals of some of its variables.
        rows: how many dreams.
        given: what the model's conditionals need and do not draw, such as labels, `[rows, *event]` by name.

    Raises:
        PlanError: when the model has potentials, or lacks a conditional.

    Example:
        >>> from pgm import Tabular, Variable
        >>> z, x = Variable("z"), Variable("x")
        >>> model = Model(Tabular(z, [], [1.0, 0.0]), Tabular(x, [z], [[1.0, 0.0], [0.2, 0.8]]))
        >>> sleep(model, Model(Tabular(z, [x], [[0.25, 0.75], [0.5, 0.5]])), rows=2).exp().detach()
        tensor([0.2500, 0.2500], dtype=torch.float64)

    Reference: Hinton, Dayan, Frey and Neal (1995), The wake-sleep algorithm for unsupervised neural networks.
    """
    values = dream(model, rows, given or {}, "sleep")
    return log_density(guide, values, set(given or ())).expand(rows)


def reweighted_wake(model: Model, guide: Model, observed: Observed, particles: int = 5) -> Tensor:
    """The importance weighted bound, with the gradients of reweighted wake-sleep while awake, `[*batch]`, in nats.

    With w_k the weights divided by their sum, the model follows sum_k w_k d log p(x, z_k), which is the gradient of the
    bound, and the guide sum_k w_k d log q(z_k | x), towards the posterior that the weights stand for. Draws carry no
    gradient, so that they may be of any kind; dreams (`sleep`) can be a second phase of the guide.

    Args, Raises: as for `log_weights`.

    Example:
        >>> from pgm import Tabular, Variable
        >>> z, x = Variable("z"), Variable("x")
        >>> model = Model(Tabular(z, [], [0.5, 0.5]), Tabular(x, [z], [[0.9, 0.1], [0.2, 0.8]]))
        >>> guide = Model(Tabular(z, [x], [[9 / 11, 2 / 11], [1 / 9, 8 / 9]]))
        >>> reweighted_wake(model, guide, {"x": torch.tensor([0, 1])}).exp().detach()
        tensor([0.5500, 0.4500], dtype=torch.float64)

    Reference: Bornschein and Bengio (2015), Reweighted wake-sleep.
    """
    found = weighted(model, guide, observed, particles, "reweighted_wake", moving=False)
    surrogate = (found.shares * (found.log_p + found.log_q)).sum(0)
    return surrogate + (found.bound - surrogate).detach()


@torch.no_grad()
def dream(model: Model, rows: int, given: Observed, subject: str) -> dict[str, Tensor]:
    """Draws of all variables of a model, parents first, `[rows, *event]` by name.

    Raises:
        PlanError: when the model has potentials, or a variable has no conditional and is not given.
    """
    if model.potentials:
        raise PlanError(f"{subject}: {model.potentials[0]!r} cannot be drawn from; a model of conditionals can.")
    values = dict(given)
    for name in model.graph.topological:
        if name not in values:
            values[name] = _drawn(model.conditionals.get(name), name, values, rows, subject)
    return values


def _drawn(conditional: Conditional | None, name: str, values: Mapping[str, Tensor], rows: int, subject: str) -> Tensor:
    if conditional is None:
        raise PlanError(f"{subject}: {name!r} has no conditional to be drawn from; give its values.")
    if not conditional.given:
        return conditional.draw(shape=(rows,))
    return conditional.draw(*(values[v.name] for v in conditional.given))
