"""Linear-Gaussian chains: filtering, smoothing and the density of what was observed, on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import log, pi

import numpy as np
import torch
from torch import Tensor

from ..compiled import kalman as loops
from ..gradient import all_differentiable, differentiable
from .scan import Elements, reversed_scan, scan


@dataclass(frozen=True, eq=False)
class System:
    """A linear-Gaussian chain; an axis of length 1 is shared by all rows or steps.

    state_0 = mean + root noise, state_t = step state_t-1 + shift + spread noise, and what is observed
    gaps_t = looks state_t + noise noise; every noise is N(0, I).

    Args:
        mean, root: `[rows or 1, length]` and `[rows or 1, length, length]`.
        step, shift, spread: `[rows or 1, steps - 1 or 1, length, length]`, `[..., length]` and `[..., length, noises]`.
        looks, noise: `[rows or 1, steps or 1, numbers, length]` and `[..., numbers, numbers]`.
        gaps: observed minus constant part, NaN where missing, `[rows, steps, numbers]`.
        lengths: steps of each row, `[rows]`.
    """

    mean: Tensor
    root: Tensor
    step: Tensor
    shift: Tensor
    spread: Tensor
    looks: Tensor
    noise: Tensor
    gaps: Tensor
    lengths: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All but the lengths."""
        return tuple(getattr(self, each.name) for each in fields(self)[:-1])

    def made_of(self, tensors: Sequence[Tensor]) -> System:
        """The same with other tensors in place of `tensors`."""
        names = (each.name for each in fields(self)[:-1])
        return replace(self, **dict(zip(names, tensors, strict=True)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, steps, length of the state."""
        return self.gaps.shape[0], self.gaps.shape[1], self.step.shape[-1]


@dataclass(frozen=True, eq=False)
class States:
    """Gaussians of the states of each step.

    Args:
        mean: shape `[rows, steps, length]`.
        covariance: shape `[rows, steps, length, length]`.
        cross: covariance of each smoothed state with the next one, `[rows, steps - 1, length, length]`.
    """

    mean: Tensor
    covariance: Tensor
    cross: Tensor


def log_density(system: System, parallel: bool) -> Tensor:
    """The log density of what was observed, `[rows]`, differentiable in all tensors.

    The gradient is that of the parallel form; it needs noise in every observed direction.
    """
    if parallel:
        return _filtered(system)[2]
    value = _looped(system)[2].to(system.mean.device)
    return differentiable(value, lambda tensors: _filtered(system.made_of(tensors))[2], system.tensors)


def filtered(system: System, parallel: bool) -> tuple[States, Tensor]:
    """Each state given what was observed up to it, and the log density; differentiable as `log_density`."""
    if parallel:
        mean, covariance, totals = _filtered(system)
    else:
        mean, root, totals = (x.to(system.mean.device) for x in _looped(system))
        values = mean, root @ root.mT, totals
        mean, covariance, totals = all_differentiable(
            values, lambda tensors: _filtered(system.made_of(tensors)), system.tensors
        )
    return States(mean, covariance, covariance[:, 1:]), totals


def smoothed(system: System, parallel: bool) -> tuple[States, Tensor]:
    """Each state given everything, with the covariances of neighbours, and the log density; differentiable likewise."""
    if parallel:
        *states, totals = _filtered_and_smoothed(system)
    else:
        *states, totals = all_differentiable(
            _looped_back(system), lambda tensors: _filtered_and_smoothed(system.made_of(tensors)), system.tensors
        )
    return States(*states), totals


def ahead(system: System, mean: Tensor, covariance: Tensor) -> States:
    """States that nothing observed bears on, from the moments of the first one, by prefix products."""
    spread = system.spread @ system.spread.mT
    rows, steps, length = system.shape
    moves = (x.expand(rows, steps - 1, *x.shape[2:]) for x in (system.step, system.shift, spread))
    start = covariance.new_zeros(rows, length, length), mean, covariance
    elements = tuple(torch.cat([x.unsqueeze(1), y], 1) for x, y in zip(start, moves, strict=True))
    _, means, covariances = scan(lambda early, late: _followed(late, early), elements)
    return States(means, covariances, covariances[:, 1:])


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().double().numpy(force=True))


def _looped(system: System) -> tuple[Tensor, Tensor, Tensor]:
    """Filtered means, roots of covariances and log densities by the compiled loop."""
    rows, steps, length = system.shape
    made = np.zeros((rows, steps, length)), np.zeros((rows, steps, length, length)), np.zeros(rows)
    loops.forward(*map(_array, system.tensors), system.lengths.numpy(force=True), *made)
    mean, root, totals = map(torch.from_numpy, made)
    return mean, root, totals


def _looped_back(system: System) -> tuple[Tensor, ...]:
    """Smoothed means, covariances, those of neighbours and log densities by the compiled loops."""
    mean, root, totals = _looped(system)
    cross = torch.zeros_like(root[:, 1:])
    arrays = [_array(x) for x in (system.step, system.shift, system.spread)]
    loops.backward(*arrays, system.lengths.numpy(force=True), mean.numpy(), root.numpy(), cross.numpy())
    return tuple(x.to(system.mean.device) for x in (mean, root @ root.mT, cross, totals))


def _moves(system: System) -> Tensor:
    """Which steps from one state to the next lie inside their row, `[rows, steps - 1, 1, 1]`."""
    places = torch.arange(1, system.shape[1], device=system.lengths.device)
    return (places < system.lengths.unsqueeze(1))[..., None, None]


def _observations(system: System) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """looks, covariance of the noise and gaps, where a missing number is one of noise alone; which are seen."""
    inside = torch.arange(system.shape[1], device=system.lengths.device) < system.lengths.unsqueeze(1)
    seen = ~torch.isnan(system.gaps) & inside.unsqueeze(-1)
    covariance = system.noise @ system.noise.mT
    both = seen.unsqueeze(-1) & seen.unsqueeze(-2)
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    return (
        torch.where(seen.unsqueeze(-1), system.looks, 0.0),
        torch.where(both, covariance, eye),
        torch.where(seen, torch.nan_to_num(system.gaps), 0.0),
        seen,
    )


def _filtered(system: System) -> tuple[Tensor, Tensor, Tensor]:
    """Filtered means, covariances and log densities by prefix products.

    Reference: Sarkka and Garcia-Fernandez (2021), Temporal parallelization of Bayesian smoothers.
    """
    looks, noise, gaps, seen = _observations(system)
    first = _updated(system.mean, system.root @ system.root.mT, looks[:, 0], noise[:, 0], gaps[:, 0])
    moves = _moves(system)
    spread = torch.where(moves, system.spread @ system.spread.mT, 0.0)
    eye = torch.eye(system.shape[2], dtype=spread.dtype, device=spread.device)
    step, shift = torch.where(moves, system.step, eye), torch.where(moves[..., 0], system.shift, 0.0)
    elements = _elements(step, shift, spread, looks[:, 1:], noise[:, 1:], gaps[:, 1:])
    zero = torch.zeros_like(first[1])
    started = zero, first[0], first[1], torch.zeros_like(first[0]), zero
    joined = tuple(torch.cat([x.unsqueeze(1), y], 1) for x, y in zip(started, elements, strict=True))
    _, mean, covariance, _, _ = scan(_combined, joined)
    before_mean = (step @ mean[:, :-1].unsqueeze(-1)).squeeze(-1) + shift
    before = step @ covariance[:, :-1] @ step.mT + spread
    later = _density(before_mean, before, looks[:, 1:], noise[:, 1:], gaps[:, 1:], seen[:, 1:]).sum(1)
    start = _density(system.mean, system.root @ system.root.mT, looks[:, 0], noise[:, 0], gaps[:, 0], seen[:, 0])
    return mean, covariance, start + later


def _updated(mean: Tensor, covariance: Tensor, looks: Tensor, noise: Tensor, gaps: Tensor) -> tuple[Tensor, Tensor]:
    """A Gaussian conditioned on an observation, in Joseph's form."""
    gain = torch.linalg.solve(looks @ covariance @ looks.mT + noise, looks @ covariance).mT
    mean = mean + (gain @ (gaps - (looks @ mean.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)).squeeze(-1)
    left = torch.eye(covariance.shape[-1], dtype=gain.dtype, device=gain.device) - gain @ looks
    return mean, left @ covariance @ left.mT + gain @ noise @ gain.mT


def _elements(step: Tensor, shift: Tensor, spread: Tensor, looks: Tensor, noise: Tensor, gaps: Tensor) -> Elements:
    """Each later step as a Gaussian of its state given the one before, and what its observation says about that."""
    mean, covariance = _updated(shift, spread, looks, noise, gaps)
    weighted = torch.linalg.solve(looks @ spread @ looks.mT + noise, looks)
    told = (gaps - (looks @ shift.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)
    eye = torch.eye(step.shape[-1], dtype=step.dtype, device=step.device)
    kept = (eye - spread @ looks.mT @ weighted) @ step
    back = step.mT @ weighted.mT
    return kept, mean, covariance, (back @ told).squeeze(-1), back @ looks @ step


def _combined(one: Elements, two: Elements) -> Elements:
    """Two runs of steps as one."""
    (a, b, c, e, j), (a2, b2, c2, e2, j2) = one, two
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    onward = torch.linalg.solve(eye + c @ j2, a2, left=False)
    back = torch.linalg.solve(eye + j2 @ c, a.mT, left=False)
    mean = (onward @ (b + (c @ e2.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)).squeeze(-1) + b2
    told = (back @ (e2 - (j2 @ b.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)).squeeze(-1) + e
    return onward @ a, mean, _even(onward @ c @ a2.mT) + c2, told, _even(back @ j2 @ a) + j


def _even(matrix: Tensor) -> Tensor:
    return (matrix + matrix.mT) / 2


def _density(mean: Tensor, covariance: Tensor, looks: Tensor, noise: Tensor, gaps: Tensor, seen: Tensor) -> Tensor:
    """The log density of the observed numbers of each step."""
    root = torch.linalg.cholesky(looks @ covariance @ looks.mT + noise)
    residual = torch.where(seen, gaps - (looks @ mean.unsqueeze(-1)).squeeze(-1), 0.0)
    solved = torch.linalg.solve_triangular(root, residual.unsqueeze(-1), upper=False).squeeze(-1)
    logs = root.diagonal(dim1=-2, dim2=-1).log()
    return -(0.5 * solved.square() + logs + 0.5 * log(2 * pi) * seen.to(logs)).sum(-1)


def _filtered_and_smoothed(system: System) -> tuple[Tensor, ...]:
    """Smoothed means, covariances, those of neighbours and log densities by suffix products."""
    mean, covariance, totals = _filtered(system)
    moves, step = _moves(system), system.step
    before = step @ covariance[:, :-1] @ step.mT + system.spread @ system.spread.mT
    gain = covariance[:, :-1] @ step.mT @ torch.linalg.pinv(before, hermitian=True)
    gain = torch.where(moves, gain, 0.0)
    guess = (step @ mean[:, :-1].unsqueeze(-1)).squeeze(-1) + system.shift
    base = mean[:, :-1] - (gain @ guess.unsqueeze(-1)).squeeze(-1)
    left = _even(covariance[:, :-1] - gain @ before @ gain.mT)
    ends = torch.zeros_like(covariance[:, :1]), mean[:, -1:], covariance[:, -1:]
    elements = tuple(torch.cat([x, y], 1) for x, y in zip((gain, base, left), ends, strict=True))
    _, smooth, spread = reversed_scan(_followed, elements)
    return smooth, spread, gain @ spread[:, 1:], totals


def _followed(one: Elements, two: Elements) -> Elements:
    (e, g, c), (e2, g2, c2) = one, two
    return e @ e2, (e @ g2.unsqueeze(-1)).squeeze(-1) + g, e @ c2 @ e.mT + c
