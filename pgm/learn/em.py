"""Expectation maximisation: expected statistics and the parameters that fit them best, in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import inf, isnan
from operator import add

import torch
from torch import Tensor

from ..errors import EvidenceError
from ..gaussians import GaussianConditional
from ..model import Model
from .closed_form import least_share, log_prior, maximise
from .count import part_of
from .expect import Expectation
from .priors import Priors
from .starts import indistinct, random_start
from .statistics import Scatter, Statistics, learnable

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


@dataclass(frozen=True, eq=False)
class Starts:
    """How many starts, which variables are never seen, and the source of random ones."""

    hidden: frozenset[str]
    number: int
    generator: torch.Generator


@dataclass(frozen=True)
class Limits:
    """When a climb ends: after so many iterations, or when the sum grows by less than this share of itself."""

    iterations: int
    tolerance: float


@torch.no_grad()
def expected(model: Model, tasks: Sequence[Expectation]) -> tuple[Statistics, float]:
    """The expected statistics of all rows, and their log-likelihood."""
    found, log_likelihood, ties = [], 0.0, learnable(model)
    for task in tasks:
        beliefs, logs = task.run()
        weights = beliefs.weights
        found.append(Statistics(tuple(part_of(tie, beliefs) for tie in ties), float(weights.sum())))
        log_likelihood += float((weights * logs)[weights > 0].sum())
    return reduce(add, found), log_likelihood


def expectation_maximisation(
    work: Model,
    tasks: Sequence[Expectation],
    prior: Priors,
    starts: Starts,
    limits: Limits,
    progress: Progress | None,
) -> Climb:
    """The best of several climbs; its parameters are those of `work` in the end.

    Raises:
        EvidenceError: when no start leads to parameters under which the data have a finite density.
    """
    first, best, state, done, stopped = _state(work), None, _state(work), 0, ""
    for start in range(starts.number):
        work.load_state_dict(first)
        try:
            if start or indistinct(work, starts.hidden):
                random_start(work, expected(work, tasks)[0], prior, starts.hidden, starts.generator)
            found = climb(work, tasks, prior, limits, _reporter(progress, done, best))
        except EvidenceError:
            if start == starts.number - 1 and best is None:
                raise
            continue
        except KeyboardInterrupt:  # before this start has got anywhere
            if best is None:
                raise
            stopped = "interrupted"
            break
        done += len(found.history)
        if best is None or found.height > best.height:
            best, state = found, _state(work)
        stopped = found.stopped
        if stopped:
            break
    assert best is not None  # otherwise the last start has raised
    work.load_state_dict(state)
    return replace(best, converged=best.converged and not stopped, stopped=stopped)


def _reporter(progress: Progress | None, done: int, best: Climb | None) -> Callable[[Sequence[float]], None]:
    """Tells `progress` how many iterations there were so far, and the greatest sum."""

    def report(history: Sequence[float]) -> None:
        if progress is not None:
            progress(done + len(history), max(history[-1], -inf if best is None else best.height))

    return report


def climb(
    work: Model,
    tasks: Sequence[Expectation],
    prior: Priors,
    limits: Limits,
    report: Callable[[Sequence[float]], object],
) -> Climb:
    """Better the parameters of `work` in place until the sum of log-likelihood and log prior grows no more.

    Raises:
        RuntimeError: when the sum falls by more than rounding, which would be a mistake in this library.
    """
    found, log_likelihood = expected(work, tasks)
    before, state = log_likelihood + log_prior(work, prior), _state(work)
    history: list[float] = []
    converged, stopped = False, ""
    try:
        while len(history) < limits.iterations and not converged:
            spread = _shares(work, found)
            maximise(work, found, prior)
            _require_spread(spread, _shares(work, found))
            found, likelihood = expected(work, tasks)
            now = likelihood + log_prior(work, prior)
            _require_rise(before, now)
            converged = now - before <= limits.tolerance * abs(now)
            before, log_likelihood, state = now, likelihood, _state(work)
            history.append(now)
            report(history)
    except KeyboardInterrupt:
        stopped = "interrupted"
        work.load_state_dict(state)
    return Climb(tuple(history), log_likelihood, converged, stopped)


def _state(model: Model) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def _require_rise(before: float, now: float) -> None:
    if isnan(now):
        raise EvidenceError(
            "fit: the likelihood is no number; look for variances of 0 among the parameters to begin with."
        )
    if now < before - ROUNDING * max(1.0, abs(before)):
        raise RuntimeError(f"fit: EM went down from {before!r} to {now!r}; this is a mistake in the library.")


def _shares(work: Model, statistics: Statistics) -> dict[str, float]:
    """For each regression the least variance of its noise, as a share of the variance of its child in all rows."""
    pairs = [(tie.original, part) for tie, part in zip(learnable(work), statistics.parts, strict=True)]
    return {
        term.subject: least_share(term, part)
        for term, part in pairs
        if isinstance(term, GaussianConditional) and isinstance(part, Scatter)
    }


def _require_spread(before: dict[str, float], now: dict[str, float]) -> None:
    """Raise an `EvidenceError` that names what shrinks to a point, where the likelihood has no bound."""
    for name, share in now.items():
        if share <= NOTHING < before[name]:
            raise EvidenceError(
                f"fit: the likelihood has no bound: the covariance of {name} shrank to 0 around few rows; give a prior "
                "such as NormalInverseWishart(scale), use fewer states, or share the covariance among them."
            )
