"""Generators that look ahead: at the discriminator as it will be after a few more steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from pgm.errors import PlanError

from .gan import Gan
from .penalties import Scores, Values


@dataclass(frozen=True)
class Unrolled:
    """Steps of gradient descent that the generator foresees of the discriminator.

    theta_0 = theta, theta_{k+1} = theta_k - rate * grad L(theta_k); the generator's gradient goes through all of them.

    Args:
        steps: how many; each costs about three times as much as a plain step of the generator.
        rate: of the descent.

    Raises:
        PlanError: when there is no step, or the rate is not above 0.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.adversarial import adversarial, gan
        >>> adversarial(gan(Variable("x", Real(2)), 2), unrolled=Unrolled(5, 0.1))[1]
        Phase(generator: moves generator, 1 step a turn)

    Reference: Metz, Poole, Pfau and Sohl-Dickstein (2017), Unrolled generative adversarial networks.
    """

    steps: int = 5
    rate: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.rate > 0:
            raise PlanError(f"{self}: expected 1 step or more and a rate above 0.")

    def ahead(self, gan: Gan, loss: Callable[[Scores], Tensor]) -> Scores:
        """The scores of the discriminator after these steps, differentiable in all rows that it scored on the way.

        Args:
            gan: whose discriminator; its own weights stay, and what its norms know of past batches.
            loss: what it pays, `[]`, as a function of scores.
        """
        weights = {name: p.detach().requires_grad_() for name, p in gan.discriminator.named_parameters()}
        others = {name: b.clone() for name, b in gan.discriminator.named_buffers()}  # layers write to them
        for _ in range(self.steps):
            scores = scores_with(gan, weights | others)
            slopes = torch.autograd.grad(loss(scores), list(weights.values()), create_graph=True)
            weights = {n: w - self.rate * slope for (n, w), slope in zip(weights.items(), slopes, strict=True)}
        return scores_with(gan, weights | others)


def scores_with(gan: Gan, weights: dict[str, Tensor]) -> Scores:
    """The scores of a discriminator with other weights and buffers, by name."""
    seen = [v.name for v in gan.discriminator.given]

    def scores(values: Values) -> Tensor:
        found: Tensor = functional_call(gan.discriminator, weights, tuple(values[name] for name in seen))
        return found

    return scores
