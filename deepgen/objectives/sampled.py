"""Gradients through draws that have none of their own, such as states and bits: by the score of the guide."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import torch
from torch import Tensor

from pgm.errors import PlanError
from pgm.model import Model

from .weighted import weighted

Observed = Mapping[str, Tensor]


def reinforce(
    model: Model, guide: Model, observed: Observed, particles: int = 2, baseline: Tensor | float = 0.0
) -> Tensor:
    """The evidence lower bound with the score-function gradient, `[*batch]`, in nats: for draws of any kind.

    The guide's gradient is E (log w_k - b_k) d log q(z_k | x), with w_k = p(x, z_k) / q(z_k | x). What is taken off,
    b_k, changes nothing on average and much of the noise: the mean of the other draws where there are several, and the
    baseline given for a single one.

    Args:
        model, guide, observed, particles: as for `log_weights`.
        baseline: what to take off a single draw, `[*batch]` or one number, such as a running mean.

    Raises:
        PlanError: when a variable is neither observed nor drawn, or without a particle.

    Example:
        >>> from pgm import Tabular, Variable
        >>> z, x = Variable("z"), Variable("x")
        >>> model = Model(Tabular(z, [], [0.5, 0.5]), Tabular(x, [z], [[0.9, 0.1], [0.2, 0.8]]))
        >>> guide = Model(Tabular(z, [x], [[9 / 11, 2 / 11], [1 / 9, 8 / 9]]))  # the exact posterior
        >>> reinforce(model, guide, {"x": torch.tensor([0, 1])}).exp().detach()
        tensor([0.5500, 0.4500], dtype=torch.float64)

    Reference: Williams (1992), Simple statistical gradient-following algorithms; Mnih and Gregor (2014), Neural
    variational inference and learning in belief networks; Kool, van Hoof and Welling (2019), Buy 4 REINFORCE samples,
    get a baseline for free.
    """
    drawn = weighted(model, guide, observed, particles, "reinforce", moving=False)
    logs = drawn.logs.detach()
    others = (logs.sum(0) - logs) / (particles - 1) if particles > 1 else baseline
    surrogate = (drawn.log_p + (logs - others) * drawn.log_q).mean(0)
    return surrogate + (logs.mean(0) - surrogate).detach()


def vimco(model: Model, guide: Model, observed: Observed, particles: int = 5) -> Tensor:
    """The importance weighted bound with the score-function gradient, each draw judged by the others, `[*batch]`.

    The signal of draw k is how much the bound L exceeds what it would be with the geometric mean of the others' weights
    in place of its own: L - log (1/K) (sum_{j != k} w_j + exp mean_{j != k} log w_j).

    Args, Raises: as for `log_weights`; two particles or more.

    Example:
        >>> from pgm import Tabular, Variable
        >>> z, x = Variable("z"), Variable("x")
        >>> model = Model(Tabular(z, [], [0.5, 0.5]), Tabular(x, [z], [[0.9, 0.1], [0.2, 0.8]]))
        >>> guide = Model(Tabular(z, [x], [[9 / 11, 2 / 11], [1 / 9, 8 / 9]]))
        >>> vimco(model, guide, {"x": torch.tensor([0, 1])}).exp().detach()
        tensor([0.5500, 0.4500], dtype=torch.float64)

    Reference: Mnih and Rezende (2016), Variational inference for Monte Carlo objectives.
    """
    if particles < 2:
        raise PlanError(f"vimco: particles is {particles}, expected 2 or more; each draw is judged by the others.")
    drawn = weighted(model, guide, observed, particles, "vimco", moving=False)
    logs, bound = drawn.logs.detach(), drawn.bound.detach()
    means = (logs.sum(0) - logs) / (particles - 1)
    swapped = torch.where(_diagonal(logs), means.unsqueeze(1), logs.unsqueeze(0))  # [left out, particles, *batch]
    without = swapped.logsumexp(1) - log(particles)
    surrogate = (drawn.shares * drawn.logs + (bound - without) * drawn.log_q).sum(0)
    return surrogate + (bound - surrogate).detach()


def _diagonal(logs: Tensor) -> Tensor:
    """Where a draw stands for itself, `[particles, particles, 1 for each axis of the batch]`."""
    count = len(logs)
    own = torch.eye(count, dtype=torch.bool, device=logs.device)
    return own.reshape(count, count, *[1] * (logs.dim() - 1))
