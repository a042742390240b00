"""What chains say of a field: probabilities, standard errors, and whether the chains agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from ..unseen import least_effective, unsure, unsure_jointly, widened
from .merge import Merged

ROUNDING = 1e-12  # spreads of probabilities below it are rounding
NOTICED = 1e-6  # standard deviations of probabilities below it do not count as disagreement


@dataclass(frozen=True, eq=False)
class Half:
    """Sums over one half of a run.

    Args:
        sweeps: how many.
        sums: conditional probabilities of all states, `[rows, chains, states]`.
        squares: the sums of their squares over all chains as well, `[rows, states]`.
    """

    sweeps: int
    sums: Tensor
    squares: Tensor

    def plus(self, sweeps: int, sums: Tensor, squares: Tensor) -> Half:
        """With some more sweeps; squares are of each chain, `[rows, chains, states]`."""
        return Half(self.sweeps + sweeps, self.sums + sums, self.squares + squares.sum(1))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Averages over chains, each a sequence of conditional probabilities (Rao-Blackwell).

    Args:
        halves: of the run; the second may be empty.
        kept: states of the chains, `[rows, chains, kept, clusters]`.
        merged: what the chains are in.

    Reference: Gelfand and Smith (1990), Sampling-based approaches to calculating marginal densities; Gelman et al.
    (2013), Bayesian Data Analysis, section 11.4.
    """

    halves: tuple[Half, Half]
    kept: Tensor
    merged: Merged

    @cached_property
    def means(self) -> Tensor:
        """The probabilities of all states by each chain alone, `[rows, chains, states]`."""
        first, second = self.halves
        return self.merged.probabilities((first.sums + second.sums) / (first.sweeps + second.sweeps))

    @cached_property
    def states(self) -> Tensor:
        """What was kept of the chains, `[rows, chains, kept, variables]`."""
        return self.merged.states(self.kept)

    @property
    def marginals(self) -> Tensor:
        """`[rows, states]`."""
        return self.means.mean(1)

    @property
    def errors(self) -> Tensor:
        """Standard errors of the marginals, `[rows, states]`: the spread of the chains, and what they may have missed.

        The chains are independent, but their spread says nothing of states that none of them came by.
        """
        return widened(spread(self.means), self._least(self._sweeps), self._unsure)

    def joint(self, scope: tuple[int, ...]) -> Tensor:
        """The share of each joint state of a scope among what was kept, `[rows, *sizes]`."""
        return self._shares(scope).mean(1)

    def joint_errors(self, scope: tuple[int, ...]) -> Tensor:
        """Standard errors of those, `[rows, *sizes]`."""
        possible = self.merged.probabilities((~self.merged.field.unary.isneginf()).double()) > 0
        open_ = unsure_jointly(possible, self.merged.plain, scope)
        return widened(spread(self._shares(scope)), self._least(self.kept.shape[2]), open_)

    @property
    def _sweeps(self) -> int:
        return sum(half.sweeps for half in self.halves)

    @property
    def _unsure(self) -> Tensor:
        """States whose probabilities depend on draws, `[rows, states]`."""
        having = self.merged.probabilities(unsure(self.merged.field).double())  # how many states of its cluster
        plain = self.merged.plain
        owner = torch.repeat_interleave(torch.arange(plain.variables, device=having.device), plain.sizes)
        whole = torch.zeros(len(having), plain.variables, dtype=having.dtype, device=having.device)
        return (having > 0) & (having < whole.index_add(1, owner, having)[:, owner])

    def _least(self, times: int) -> Tensor:
        """The effective draws of the slowest state, at most those made at so many times, `[rows]`."""
        return least_effective(self.marginals, spread(self.means), times * self.means.shape[1])

    def _shares(self, scope: tuple[int, ...]) -> Tensor:
        """By each chain alone, `[rows, chains, *sizes]`."""
        states, sizes = self.states, [int(self.merged.plain.sizes[v]) for v in scope]
        place = torch.zeros_like(states[..., 0], dtype=torch.long)  # [rows, chains, kept]
        for v, size in zip(scope, sizes, strict=True):
            place = place * size + states[..., v]
        counts = self.halves[0].sums.new_zeros(*place.shape[:2], prod(sizes))
        counts.scatter_add_(2, place, torch.ones_like(place, dtype=counts.dtype))
        return counts.reshape(*place.shape[:2], *sizes) / place.shape[2]

    @property
    def r_hat(self) -> Tensor:
        """Split R-hat, the worst of all states of clusters: near 1 when halves of chains agree, `[rows]`.

        sqrt(((n - 1) / n W + B) / W) with n sweeps a half, W the mean variance inside the halves and B the variance of
        their means.
        """
        parts = [half for half in self.halves if half.sweeps]
        means = torch.cat([half.sums / half.sweeps for half in parts], 1)  # [rows, halves, states]
        total = sum(half.sweeps for half in parts) * self.halves[0].sums.shape[1]
        weighted = torch.cat([half.sums**2 / half.sweeps for half in parts], 1).sum(1)
        within = (sum(half.squares for half in parts) - weighted) / max(total - means.shape[1], 1)
        shrunk = 1 - means.shape[1] / total
        pooled = shrunk * within.clamp_min(0.0) + means.var(1)
        ratio = (pooled / within.clamp_min(NOTICED**2)).sqrt()
        return torch.where(pooled > NOTICED**2, ratio, 1.0).amax(1)

    @property
    def effective_samples(self) -> Tensor:
        """How many independent draws would give the same standard errors, for the worst of all states, `[rows]`."""
        p, error = self.marginals, spread(self.means)
        return torch.where(error > ROUNDING, p * (1 - p) / error**2, torch.inf).amin(1)


def spread(means: Tensor) -> Tensor:
    """The standard error of the mean over independent chains, `[rows, chains, ...]`."""
    return means.std(1) / means.shape[1] ** 0.5
