"""How pairs learn: the phases of each way, from objectives that are plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from pgm.model import Model

from .objectives import elbo_terms, iwae, reweighted_wake, sleep, wake
from .pair import Pair
from .training.phase import Batch, Moment, Phase
from .training.schedules import Schedule, constant

Objective = Callable[[Model, Model, Mapping[str, Tensor]], Tensor]


def variational(
    pair: Pair,
    *,
    beta: float | Schedule = 1.0,
    free: float = 0.0,
    particles: int = 1,
    **options: Any,
) -> Phase:
    """Both models make the evidence lower bound large, in one phase.

    The history shows the reconstruction and the divergence of each latent variable.

    Args:
        pair: what learns.
        beta: weight of the divergences, or a schedule of it, such as `linear(0, 1, 2000)` to warm up.
        free: nats of each latent variable's divergence that cost nothing.
        particles: draws a row.
        options: `optimiser`, `rate` and `clip` of the phase.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.vae import vae
        >>> variational(vae(Variable("image", Binary(8, 8))))
        Phase(elbo: moves model, guide, 1 step a turn)

    Reference: Kingma and Welling (2014), Auto-encoding variational Bayes.
    """
    weight = beta if callable(beta) else constant(beta)

    def objective(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        terms = elbo_terms(pair.model, pair.guide, pair.seen(batch), particles)
        loss = -terms.bound(weight(moment.step), free)
        costs = {f"kl of {name}": value for name, value in terms.divergence.items()}
        return {"loss": loss, "reconstruction": -terms.reconstruction, **costs}

    return Phase("elbo", pair.modules, objective, **options)


def maximised(pair: Pair, objective: Objective = iwae, **options: Any) -> Phase:
    """Both models make an objective large, in one phase named after it.

    Args:
        pair: what learns.
        objective: a function of model, guide and what is observed, one number a row: `iwae`, `dreg`, `vimco`,
            `reinforce`, `reweighted_wake`, or one of these with options, by `functools.partial`.
        options: of the phase.

    Example:
        >>> from functools import partial
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.vae import vae
        >>> maximised(vae(Variable("image", Binary(8, 8))), partial(iwae, particles=50))
        Phase(iwae: moves model, guide, 1 step a turn)
    """
    name = getattr(objective, "func", objective).__name__
    return Phase(
        name, pair.modules, lambda batch, moment: -objective(pair.model, pair.guide, pair.seen(batch)), **options
    )


def expectation_maximisation(
    pair: Pair, objective: Objective, steps: tuple[int, int] = (1, 1), **options: Any
) -> tuple[Phase, Phase]:
    """Variational expectation maximisation: the guide makes the bound large for a while, then the model.

    Args:
        pair: what learns.
        objective: as for `maximised`, such as `elbo`.
        steps: batches of the guide's turn and of the model's.
        options: of both phases.

    Reference: Neal and Hinton (1998), A view of the EM algorithm that justifies incremental, sparse, and other
    variants.
    """

    loss = _less(pair, objective)
    first = Phase("expectation", {"guide": pair.guide}, loss, steps[0], **options)
    return first, Phase("maximisation", {"model": pair.model}, loss, steps[1], **options)


def wake_sleep(pair: Pair, **options: Any) -> tuple[Phase, Phase]:
    """Awake the model learns from what the guide makes of data, asleep the guide from what the model dreams.

    Args:
        pair: what learns.
        options: of both phases.

    Reference: Hinton, Dayan, Frey and Neal (1995), The wake-sleep algorithm for unsupervised neural networks.
    """
    return Phase("wake", {"model": pair.model}, _less(pair, wake), **options), asleep(pair, **options)


def reweighted_wake_sleep(pair: Pair, particles: int = 5, **options: Any) -> tuple[Phase, Phase]:
    """Awake both learn from weighted draws of the guide, asleep the guide learns from dreams.

    Args:
        pair: what learns.
        particles: draws a row.
        options: of both phases.

    Reference: Bornschein and Bengio (2015), Reweighted wake-sleep.
    """
    awake = _less(pair, partial(reweighted_wake, particles=particles))
    return Phase("wake", pair.modules, awake, **options), asleep(pair, **options)


def asleep(pair: Pair, **options: Any) -> Phase:
    """The guide learns from as many dreams of the model as a batch has rows.

    Args:
        pair: what learns, and what dreams.
        options: of the phase.
    """

    def objective(batch: Batch, moment: Moment) -> Tensor:
        given = {v.name: batch[v.name] for v in pair.given}
        rows = len(next(iter(batch.values())))
        return -sleep(pair.model, pair.guide, rows, given)

    return Phase("sleep", {"guide": pair.guide}, objective, **options)


def _less(pair: Pair, objective: Objective) -> Callable[[Batch, Moment], Tensor]:
    """What a phase makes small."""
    return lambda batch, moment: -objective(pair.model, pair.guide, pair.seen(batch))
