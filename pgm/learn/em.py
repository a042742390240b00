"""Expectation maximisation: expected statistics and the parameters that fit them best, in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan

import torch
from torch import Tensor, nn

from ..errors import EvidenceError
from ..gaussians import GaussianConditional
from ..model import Model
from .closed_form import least_share, log_prior, write
from .priors import Priors
from .starts import indistinct, random_start
from .statistics import Part, Scatter, Tied

Progress = Callable[[int, float], object]
ROUNDING = 1e-9  # of the sum, by which it may fall between two iterations
NOTHING = 1e-14  # share of a variance below which nothing is left of it


@dataclass(frozen=True)
class Climb:
    """How one start went: what was maximised after each iteration, and the log-likelihood in the end."""

    history: tuple[float, ...]
    log_likelihood: float
    converged: bool
    stopped: str = ""

    @property
    def height(self) -> float:
        """What was reached."""
        return self.history[-1] if self.history else -inf


Found = Sequence[tuple[Tied, Part]]  # conditionals with a closed form, and their expected statistics


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be bettered.

    Args:
        subject: how messages begin.
        holder: the module whose parameters are bettered, in place.
        model: those parameters as a model.
        hidden: the names in it of what is never seen.
        prior: of the parameters.
        expected: computes the expected statistics of all data, and their log-likelihood.
    """

    subject: str
    holder: nn.Module
    model: Model
    hidden: frozenset[str]
    prior: Priors
    expected: Callable[[], tuple[Found, float]]

    def state(self) -> dict[str, Tensor]:
        """A copy of the parameters."""
        return {name: tensor.clone() for name, tensor in self.holder.state_dict().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take the parameters back."""
        self.holder.load_state_dict(state)


@dataclass(frozen=True)
class Limits:
    """When a climb ends: after so many iterations, or when the sum grows by less than this share of itself."""

    iterations: int
    tolerance: float


def expectation_maximisation(
    problem: Problem, restarts: int, limits: Limits, seed: int, progress: Progress | None
) -> Climb:
    """The best of several climbs; its parameters are those of the problem in the end.

    Raises:
        EvidenceError: when no start leads to parameters under which the data have a finite density.
    """
    generator, first = torch.Generator().manual_seed(seed), problem.state()
    best, state, done, stopped = None, first, 0, ""
    for start in range(restarts):
        problem.restore(first)
        try:
            if start or indistinct(problem.model, problem.hidden):
                random_start(problem.expected()[0], problem.prior, problem.hidden, generator)
            found = climb(problem, limits, _reporter(progress, done, best))
        except EvidenceError:
            if start == restarts - 1 and best is None:
                raise
            continue
        except KeyboardInterrupt:  # before this start has got anywhere
            if best is None:
                raise
            stopped = "interrupted"
            break
        done += len(found.history)
        if best is None or found.height > best.height:
            best, state = found, problem.state()
        stopped = found.stopped
        if stopped:
            break
    assert best is not None  # otherwise the last start has raised
    problem.restore(state)
    return replace(best, converged=best.converged and not stopped, stopped=stopped)


def _reporter(progress: Progress | None, done: int, best: Climb | None) -> Callable[[Sequence[float]], None]:
    """Tells `progress` how many iterations there were so far, and the greatest sum."""

    def report(history: Sequence[float]) -> None:
        if progress is not None:
            progress(done + len(history), max(history[-1], -inf if best is None else best.height))

    return report


def climb(problem: Problem, limits: Limits, report: Callable[[Sequence[float]], object]) -> Climb:
    """Better the parameters in place until the sum of log-likelihood and log prior grows no more.

    Raises:
        RuntimeError: when the sum falls by more than rounding, which would be a mistake in this library.
    """
    found, log_likelihood = problem.expected()
    before, state = log_likelihood + log_prior(problem.model, problem.prior), problem.state()
    history: list[float] = []
    converged, stopped = False, ""
    try:
        while len(history) < limits.iterations and not converged:
            spread = _shares(found)
            for tie, part in found:
                write(tie.original, part, problem.prior)
            _require_spread(problem.subject, spread, _shares(found))
            found, likelihood = problem.expected()
            now = likelihood + log_prior(problem.model, problem.prior)
            _require_rise(problem.subject, before, now)
            converged = now - before <= limits.tolerance * abs(now)
            before, log_likelihood, state = now, likelihood, problem.state()
            history.append(now)
            report(history)
    except KeyboardInterrupt:
        stopped = "interrupted"
        problem.restore(state)
    return Climb(tuple(history), log_likelihood, converged, stopped)


def _require_rise(subject: str, before: float, now: float) -> None:
    if isnan(now):
        raise EvidenceError(
            f"{subject}: the likelihood is no number; look for variances of 0 among the parameters to begin with."
        )
    if now < before - ROUNDING * max(1.0, abs(before)):
        raise RuntimeError(f"{subject}: EM went down from {before!r} to {now!r}; this is a mistake in the library.")


def _shares(found: Found) -> dict[str, float]:
    """For each regression the least variance of its noise, as a share of the variance of its child in all rows."""
    return {
        tie.original.subject: least_share(tie.original, part)
        for tie, part in found
        if isinstance(tie.original, GaussianConditional) and isinstance(part, Scatter)
    }


def _require_spread(subject: str, before: dict[str, float], now: dict[str, float]) -> None:
    """Raise an `EvidenceError` that names what shrinks to a point, where the likelihood has no bound."""
    for name, share in now.items():
        if share <= NOTHING < before[name]:
            raise EvidenceError(
                f"{subject}: the likelihood has no bound: the covariance of {name} shrank to 0 around few rows; give a "
                "prior such as NormalInverseWishart(scale), use fewer states, or share the covariance among them."
            )
