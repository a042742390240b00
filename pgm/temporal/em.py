"""Expectation maximisation over sequences, from one start and from several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isnan

import torch
from torch import Generator, Tensor

from ..errors import EvidenceError
from ..gaussians import GaussianConditional
from ..learn.closed_form import least_share, log_prior, write
from ..learn.em import NOTHING, ROUNDING, Climb, Limits, Progress
from ..learn.priors import Priors
from ..learn.starts import indistinct, random_start
from ..learn.statistics import Part, Scatter, Statistics, Tied, learnable
from ..model import Model
from .expected import finite_statistics, linear_statistics
from .questions import hidden_kind
from .sequences import Sequences
from .template import Template


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned from what.

    Args:
        work: the template whose parameters are changed.
        data: the sequences.
        prior: of the parameters.
        model: the template unrolled; its terms share their parameters with it.
        hidden: the names in it of what is never seen.
    """

    work: Template
    data: Sequences
    prior: Priors
    model: Model
    hidden: frozenset[str]

    def expected(self) -> tuple[list[tuple[Tied, Part]], float, float]:
        """The expected statistics of what says something, the log-likelihood, and that plus the log prior."""
        ties = {id(tie.original._parameters): tie for tie in learnable(self.model)}
        wanted = [term for term in (*self.work.first, *self.work.later) if id(term._parameters) in ties]
        numeric = hidden_kind(self.work, self.data, "fit_sequences") == "numeric"
        parts, totals = (linear_statistics if numeric else finite_statistics)(self.work, self.data, wanted)
        likelihood = float(totals.sum())
        found = [(tie, parts[key]) for key, tie in ties.items() if key in parts]
        return found, likelihood, likelihood + log_prior(self.model, self.prior)


def task(work: Template, data: Sequences, prior: Priors) -> Task:
    """Three steps show what every conditional does to a step and to the next one."""
    unseen = {v.name for v in work.variables if v.name not in data.values or not bool(data.seen(v).any())}
    hidden = frozenset(f"{name}[{t}]" for name in unseen for t in range(2))
    return Task(work, data, prior, work.unroll(3), hidden)


def best_climb(task: Task, restarts: int, limits: Limits, seed: int, progress: Progress | None) -> Climb:
    """The best of several climbs; its parameters are those of the template in the end.

    Raises:
        EvidenceError: when no start leads to parameters under which the data have a finite density.
    """
    generator, first, best, state, done = Generator().manual_seed(seed), _state(task), Climb((), -inf, False), None, 0

    def report(iterations: int, height: float) -> None:
        if progress is not None:
            progress(done + iterations, max(height, best.height))

    for start in range(restarts):
        task.work.load_state_dict(first)
        try:
            if start or indistinct(task.model, task.hidden):
                _scatter(task, generator)
            found = _climb(task, limits, report)
        except EvidenceError:
            if start == restarts - 1 and state is None:
                raise
            continue
        done += len(found.history)
        if state is None or found.height > best.height:
            best, state = found, _state(task)
        if found.stopped:
            best = replace(best, converged=False, stopped=found.stopped)
            break
    assert state is not None  # otherwise the last start has raised
    task.work.load_state_dict(state)
    return best


def _climb(task: Task, limits: Limits, report: Callable[[int, float], object]) -> Climb:
    found, likelihood, height = task.expected()
    history, state, converged, stopped = list[float](), _state(task), False, ""
    try:
        while len(history) < limits.iterations and not converged:
            before, spread = height, _spread(task, found)
            for tie, part in found:
                write(tie.original, part, task.prior)
            _require_spread(spread, _spread(task, found))
            found, risen, height = task.expected()
            _require_rise(before, height)
            converged = height - before <= limits.tolerance * abs(height)
            likelihood, state = risen, _state(task)
            history.append(height)
            report(len(history), height)
    except KeyboardInterrupt:
        stopped = "interrupted"
        task.work.load_state_dict(state)
    return Climb(tuple(history), likelihood, converged, stopped)


def _scatter(task: Task, generator: Generator) -> None:
    """Parameters in which the states of what is never seen are alike but for chance."""
    found, _, _ = task.expected()
    known = {id(tie.original._parameters) for tie, _ in found}
    said = Model(*(term for term in task.model.terms if id(term._parameters) in known))
    random_start(said, Statistics(tuple(part for _, part in found), 0.0), task.prior, task.hidden, generator)


def _state(task: Task) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in task.work.state_dict().items()}


@torch.no_grad()
def _spread(task: Task, found: list[tuple[Tied, Part]]) -> dict[str, float]:
    """For each regression the least variance of its noise, as a share of the variance of its child."""
    names = {id(term._parameters): term.subject for term in (*task.work.first, *task.work.later)}
    return {
        names[id(tie.original._parameters)]: least_share(tie.original, part)
        for tie, part in found
        if isinstance(tie.original, GaussianConditional) and isinstance(part, Scatter)
    }


def _require_spread(before: dict[str, float], now: dict[str, float]) -> None:
    for name, share in now.items():
        if share <= NOTHING < before[name]:
            raise EvidenceError(
                f"fit_sequences: the likelihood has no bound: the covariance of {name} shrank to 0 around few steps; "
                "give a prior such as NormalInverseWishart(scale), use fewer states, or share the covariance among "
                "them."
            )


def _require_rise(before: float, now: float) -> None:
    if isnan(now):
        raise EvidenceError("fit_sequences: the likelihood is no number; look for variances of 0 to begin with.")
    if now < before - ROUNDING * max(1.0, abs(before)):
        raise RuntimeError(f"fit_sequences: EM went down from {before!r} to {now!r}; a mistake in the library.")
