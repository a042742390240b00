"""Sums over weighted draws, portion by portion: probabilities, moments and their errors without keeping the draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ...compiled.tally import tally
from ...variable import Variable
from .draws import Draws

Target = tuple[Variable, ...]


@dataclass(frozen=True, eq=False)
class Moment:
    """The weighted mean of numbers, and their products around it.

    Args:
        mean: shape `[rows, length]`.
        scatter: sums of weighted products, `[rows, length, length]`.
    """

    mean: Tensor
    scatter: Tensor


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the draws w_i of each row, as multiples of exp(peak).

    Args:
        count: how many draws, `[rows]`.
        peak: the largest log weight, `[rows]`.
        total, squares: sums of w and of w^2, `[rows]`.
        first, second: the same over the draws in each state of the finite targets, end to end, `[rows, states]`.
        moments: of the numeric targets.

    Reference: Geweke (1989), Bayesian inference in econometric models using Monte Carlo integration; Kong (1992), A
    note on importance sampling using standardized weights.
    """

    count: Tensor
    peak: Tensor
    total: Tensor
    squares: Tensor
    first: Tensor
    second: Tensor
    moments: tuple[Moment, ...]

    def plus(self, other: Sums) -> Sums:
        """The sums over the draws of both."""
        peak = torch.maximum(self.peak, other.peak)
        a, b = ((each.peak - peak).exp().nan_to_num(0.0) for each in (self, other))  # without weight all sums are 0
        parts = [(a**k * x, b**k * y) for k, x, y in ((1, self.total, other.total), (2, self.squares, other.squares))]
        (mine, others), (total, squares) = parts[0], (x + y for x, y in parts)
        share = torch.where(total > 0, others / total, 0.0)
        first = a[:, None] * self.first + b[:, None] * other.first
        second = (a**2)[:, None] * self.second + (b**2)[:, None] * other.second
        moments = tuple(_merged(x, y, a, b, mine, share) for x, y in zip(self.moments, other.moments, strict=True))
        return Sums(self.count + other.count, peak, total, squares, first, second, moments)

    @property
    def effective(self) -> Tensor:
        """The effective number of draws, (sum w)^2 / sum w^2, `[rows]`; 0 where no draw has weight."""
        return torch.where(self.total > 0, self.total**2 / self.squares, 0.0)

    @property
    def log_evidence(self) -> Tensor:
        """The logarithm of the mean weight, `[rows]`; NaN where no draw has weight, which proves nothing."""
        return torch.where(self.total > 0, self.peak + self.total.log() - self.count.log(), torch.nan)

    @property
    def log_evidence_error(self) -> Tensor:
        """Its standard error, sqrt(1 / effective - 1 / count), as if one more draw had had no weight, `[rows]`."""
        return ((1 / self.effective - 1 / self.count).clamp_min(0.0) + 1 / self.effective**2).sqrt()

    @property
    def probabilities(self) -> Tensor:
        """sum over draws in the state of w / sum w, `[rows, states]`."""
        return self.first / self.total[:, None]

    @property
    def errors(self) -> Tensor:
        """Their standard errors, sqrt(sum w^2 (f - mean)^2) / sum w, as if one more draw had been in the other state.

        That draw, of the weight 1 / effective, is what keeps states that were never seen from being called certain.
        """
        mean, total = self.probabilities, self.total[:, None]
        spread = self.second * (1 - 2 * mean) + mean**2 * self.squares[:, None]
        return (spread.clamp_min(0.0) / total**2 + 1 / self.effective[:, None] ** 2).sqrt()

    def mean(self, number: int) -> Tensor:
        """The mean of a numeric target, `[rows, length]`; NaN where no draw has weight."""
        return torch.where(self.total[:, None] > 0, self.moments[number].mean, torch.nan)

    def covariance(self, number: int) -> Tensor:
        """The covariance of a numeric target, `[rows, length, length]`."""
        return self.moments[number].scatter / self.total[:, None, None]


def stacked(parts: Sequence[Sums]) -> Sums:
    """The sums of many rows, one after the other."""

    moments = tuple(
        Moment(torch.cat([m.mean for m in each]), torch.cat([m.scatter for m in each]))
        for each in zip(*(part.moments for part in parts), strict=True)
    )
    names = ("count", "peak", "total", "squares", "first", "second")
    count, peak, total, squares, first, second = (torch.cat([getattr(part, n) for part in parts]) for n in names)
    return Sums(count, peak, total, squares, first, second, moments)


def _merged(x: Moment, y: Moment, a: Tensor, b: Tensor, weight: Tensor, share: Tensor) -> Moment:
    """The moments of two sets of draws, which are to be multiplied by a and b; the second has that share of all."""
    gap = y.mean - x.mean
    between = (weight * share)[:, None, None] * gap[:, :, None] * gap[:, None, :]
    scatter = a[:, None, None] * x.scatter + b[:, None, None] * y.scatter + between
    return Moment(x.mean + share[:, None] * gap, scatter)


def summed(draws: Draws, targets: Sequence[Target]) -> Sums:
    """The sums over some draws.

    Args:
        draws: weighted.
        targets: scopes of variables that are all finite or all numeric.
    """
    logs = draws.logs
    peak = logs.amax(1)
    weights = (logs - peak.nan_to_num(neginf=0.0)[:, None]).exp()
    finite = [_counted(draws, target, weights) for target in targets if target[0].finite]
    nothing = weights.new_zeros(len(weights), 0)
    first, second = (torch.cat([nothing, *(pair[k] for pair in finite)], 1) for k in (0, 1))
    moments = tuple(_moment(draws, target, weights) for target in targets if not target[0].finite)
    return Sums(
        peak.new_full(peak.shape, logs.shape[1]), peak, weights.sum(1), (weights**2).sum(1), first, second, moments
    )


def _counted(draws: Draws, target: Target, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of w and of w^2 in each joint state of a finite target, `[rows, states]`."""
    sizes = [variable.size for variable in target]
    strides = [prod(sizes[k + 1 :]) for k in range(len(sizes))]
    columns = [draws.columns[variable.name] for variable in target]
    counted = compiled_counts if weights.device.type == "cpu" else torch_counts
    return counted(columns, strides, weights, prod(sizes))


def compiled_counts(columns: list[Tensor], strides: list[int], weights: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The same by the compiled loop."""
    states = columns[0][None] if len(columns) == 1 else torch.stack(columns)
    first, second = tally(states.numpy(), np.array(strides), weights.numpy(), width)
    return torch.from_numpy(first), torch.from_numpy(second)


def torch_counts(columns: list[Tensor], strides: list[int], weights: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The same by torch, on any device."""
    rows = torch.arange(len(weights), device=weights.device)[:, None]
    place = rows * width + sum(stride * column for stride, column in zip(strides, columns, strict=True))
    flat = place.reshape(-1)
    first, second = (torch.bincount(flat, w.reshape(-1), len(weights) * width) for w in (weights, weights**2))
    return first.reshape(-1, width), second.reshape(-1, width)


def _moment(draws: Draws, target: Target, weights: Tensor) -> Moment:
    """The weighted moments of the numbers of a numeric target; those of draws without weight may be anything."""
    columns = [draws.columns[v.name].reshape(*weights.shape, -1).to(weights) for v in target]
    values = torch.where(weights[..., None] > 0, torch.cat(columns, -1), 0.0)  # [rows, draws, length]
    total = weights.sum(1).clamp_min(torch.finfo(weights.dtype).tiny)
    mean = torch.einsum("rn,rnl->rl", weights, values) / total[:, None]
    centred = values - mean[:, None]
    return Moment(mean, torch.einsum("rn,rnl,rnm->rlm", weights, centred, centred))
