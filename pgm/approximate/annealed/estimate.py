"""What weighted chains say: the mean of weights, probabilities, and the standard errors of both."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, prod

import torch
from torch import Tensor

from ...fields.field import Field
from ..unseen import unsure_jointly, widened


@dataclass(frozen=True, eq=False)
class Mean:
    """The mean of weights given as logarithms, `[rows, chains]`, each row by itself.

    Args:
        log: the logarithm of the mean, `[rows]`; -inf where all weights are zero.
        error: the standard error of that logarithm, by the delta method.
        effective: (sum w)^2 / sum w^2, how many equal weights these are worth; 0 where all are zero.
        shares: the weights, which sum to 1 in each row, `[rows, chains]`; NaN where all are zero.

    Reference: Kong, Liu and Wong (1994), Sequential imputations and Bayesian missing data problems.
    """

    log: Tensor
    error: Tensor
    effective: Tensor
    shares: Tensor


def log_mean(logs: Tensor) -> Mean:
    """The mean of weights from their logarithms `[rows, chains]`."""
    chains = logs.shape[1]
    total = logs.logsumexp(1)
    shares = (logs - total[:, None]).exp()
    effective = 1 / (shares**2).sum(1)
    error = ((chains / effective - 1).clamp_min(0) / (chains - 1)).sqrt()
    return Mean(total - log(chains), error, effective.nan_to_num(), shares)


def weighted(shares: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard errors of what each chain has seen, `[rows, chains, numbers]`.

    The error is the spread between chains over the root of the effective number less one: it grows without bound as
    one chain takes all the weight.
    """
    live = torch.where(shares[:, :, None] == 0, 0.0, seen)  # what a chain without weight saw may be anything
    mean = (shares[:, :, None] * live).sum(1)
    spread = (shares[:, :, None] * (live - mean[:, None]) ** 2).sum(1)
    left = 1 / (shares**2).sum(1) - 1
    return mean, (spread / left[:, None].clamp_min(torch.finfo(shares.dtype).tiny)).sqrt()


@dataclass(frozen=True, eq=False)
class Joints:
    """Joint probabilities from the states of weighted chains.

    Args:
        field: the field.
        shares: weights of chains, `[rows, chains]`.
        states: state numbers at several times, `[rows, chains, times, variables]`.
        least: how many draws the slowest state is worth, `[rows]`.
    """

    field: Field
    shares: Tensor
    states: Tensor
    least: Tensor

    def mean(self, scope: tuple[int, ...]) -> Tensor:
        """`[rows, *sizes]`."""
        return self._seen(scope)[0]

    def error(self, scope: tuple[int, ...]) -> Tensor:
        """The standard errors, `[rows, *sizes]`."""
        open_ = unsure_jointly(~self.field.unary.isneginf(), self.field, scope)
        return widened(self._seen(scope)[1], self.least, open_)

    def _seen(self, scope: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        sizes = self.field.sizes[list(scope)].tolist()
        place = torch.zeros_like(self.states[..., 0], dtype=torch.long)
        for v, size in zip(scope, sizes, strict=True):
            place = place * size + self.states[..., v]
        shape = (*place.shape[:2], prod(sizes))
        share = self.shares.new_full(place.shape, 1 / place.shape[2])
        mean, error = weighted(self.shares, self.shares.new_zeros(shape).scatter_add(2, place, share))
        return mean.unflatten(1, sizes), error.unflatten(1, sizes)
