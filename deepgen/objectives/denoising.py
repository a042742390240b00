"""Denoising: explain what is from what is left of it after corruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pgm.errors import PlanError
from pgm.model import Model

from .bound import Draws, batch_of, conditional_of, log_product

Corruption = Callable[[Tensor], Tensor]


def denoising(
    model: Model, guide: Model, observed: Mapping[str, Tensor], corrupt: Corruption, particles: int = 1
) -> Tensor:
    """E[log p(x, z) - log q(z | x~)] over corruptions x~ of x and codes z drawn from the guide, one number a row.

    The guide looks at what is corrupted, the model explains what is not. For an autoencoder this is the log-likelihood
    of x given the code of x~; for a variational one a lower bound on log p(x), looser than that without corruption.

    Args:
        model: any model.
        guide: as for `elbo`.
        observed: tensors `[*batch, *event]` by name.
        corrupt: takes `[*particles, *batch, *event]` and returns it corrupted: `noisy(0.3)`, `masked(0.5)`. It is
            applied to every variable that the model explains, not to labels.
        particles: corruptions and draws a row, averaged.

    Returns:
        `[*batch]`, in nats.

    Raises:
        PlanError: as for `elbo`, and without a particle.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.autoencoder import linear_autoencoder
        >>> pair = linear_autoencoder(Variable("x", Real(5)), codes=2)
        >>> denoising(pair.model, pair.guide, {"x": torch.randn(3, 5)}, noisy(0.3)).shape
        torch.Size([3])

    Reference: Vincent, Larochelle, Bengio and Manzagol (2008), Extracting and composing robust features with denoising
    autoencoders; Im, Ahn, Memisevic and Bengio (2017), Denoising criterion for variational auto-encoding framework.
    """
    if particles < 1:
        raise PlanError(f"denoising: particles is {particles}, expected 1 or more.")
    draws = Draws(batch_of(model, observed, "denoising"), particles, dict(observed))
    for name, value in observed.items():
        if name in model.conditionals:
            draws.values[name] = corrupt(value.expand(*draws.rows, *model[name].shape))
    for name in guide.graph.topological:
        if name not in observed:
            draws.add(conditional_of(model, guide, name, "denoising"))
    draws.values.update(observed)  # the model explains what is not corrupted
    pieces = draws.against(model)
    return draws.mean(sum(pieces.values(), log_product(model, draws.values, draws.rows, "denoising", draws.counted)))


def noisy(deviation: float) -> Corruption:
    """Gaussian noise is added.

    Args:
        deviation: its standard deviation, in the units of x, 0 or more.

    Raises:
        PlanError: when it is negative.

    Example:
        >>> round(noisy(0.5)(torch.zeros(100_000)).std().item(), 1)
        0.5
    """
    if not deviation >= 0:
        raise PlanError(f"noisy: deviation is {deviation!r}, expected 0 or more, in the units of x.")
    return lambda x: x + deviation * torch.randn_like(x)


def masked(share: float) -> Corruption:
    """Some numbers, each drawn on its own, are set to 0.

    Args:
        share: how many of them, from 0 to 1.

    Raises:
        PlanError: when it is no share.

    Example:
        >>> round(masked(0.3)(torch.ones(100_000)).mean().item(), 1)
        0.7
    """
    if not 0 <= share <= 1:
        raise PlanError(f"masked: share is {share!r}, expected 0 to 1.")
    return lambda x: x * (torch.rand_like(x) >= share)
