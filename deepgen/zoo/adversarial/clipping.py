"""Critics kept smooth by short weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer

from pgm.errors import PlanError

from ...training.phase import Make


def clamped(optimiser: Make, limit: float = 0.01) -> Make:
    """Makes an optimiser after each of whose steps all parameters are cut to [-limit, limit].

    The simplest way to a critic with a Lipschitz constant, for `wasserstein()`: `critic={"optimiser": clamped(...)}`.
    It keeps nothing of its own, so that runs resume as they would without it.

    Args:
        optimiser: makes the optimiser, such as `adam(5e-5)`.
        limit: c.

    Raises:
        PlanError: when the limit is not above 0.

    Example:
        >>> from deepgen.training.phase import sgd
        >>> weight = nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.tensor([1.0, -0.001])
        >>> clamped(sgd(1.0))([weight]).step()
        >>> weight.tolist() == torch.tensor([-0.01, 0.001]).tolist()
        True

    Reference: Arjovsky, Chintala and Bottou (2017), Wasserstein generative adversarial networks.
    """
    if not limit > 0:
        raise PlanError(f"clamped: limit is {limit!r}, expected a number above 0.")

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        held = list(parameters)
        made = optimiser(held)

        @torch.no_grad()
        def cut(*_: object) -> None:
            for parameter in held:
                parameter.clamp_(-limit, limit)

        made.register_step_post_hook(cut)
        return made

    return make
