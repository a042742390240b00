"""Posteriors and log evidence of models with numeric variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..engines.exact import Exact
from ..errors import GraphError
from ..evidence import Evidence, check_possible
from ..moments import Moments
from ..plan import Plan, Query
from ..posterior import Answers, Beyond, Posterior
from .cases import Case
from .explaining import plan
from .leaves import Center
from .prepare import Scope, known_cases, like, prepared, query_of, reads_of
from .problem import Problem, reduced
from .run import Belief, marginals, upward
from .tables import by_tables

if TYPE_CHECKING:
    from ..model import Model


def answer(model: Model, targets: tuple[Scope, ...], evidence: Evidence, engine: Exact, impossible: str) -> Posterior:
    """The posterior of targets by number; a numeric one is answered by its moments.

    Raises:
        PlanError: when a term that matters is neither a table nor linear and Gaussian in what is not observed.
        GraphError: when a joint target mixes finite and numeric variables.
        EvidenceError: when a row of evidence has probability 0, unless `impossible` is 'nan'.
    """
    variables = model.variables
    finite = tuple(t for t in targets if all(variables[v].finite for v in t))
    numeric = tuple(t for t in targets if not any(variables[v].finite for v in t))
    mixed = next((t for t in targets if t not in finite and t not in numeric), None)
    if mixed is not None:
        names = tuple(variables[v].name for v in mixed)
        raise GraphError(f"targets: {names} mixes finite and numeric variables; ask for joints of one kind.")
    places = (0, *accumulate(prod(variables[v].size for v in t) for t in finite))
    empty = like(model, engine)
    totals, flat = empty.new_zeros(evidence.rows), empty.new_zeros(evidence.rows, places[-1])
    certain = {t for t in numeric if all(v in evidence.real and not bool(evidence.real[v].isnan().any()) for v in t)}
    moments = {t: _blank(model, t, evidence.rows, empty, t in certain) for t in numeric}
    made = None
    for case in known_cases(model, evidence, empty):
        found = _answered(model, case, engine, targets)
        totals[case.rows], made = found.total, found.plan
        for t, low, high in zip(finite, places, places[1:], strict=False):
            flat[case.rows, low:high] = found.states[t].reshape(len(case.rows), -1)
        for t in numeric:
            moments[t][0][case.rows] = found.moments[t][0]
            if t not in certain:
                moments[t][1][case.rows] = found.moments[t][1]
    check_possible(totals.cpu().numpy(), evidence, model.variables, impossible, "infer")
    bad = ~(totals > -torch.inf)
    flat[bad] = torch.nan
    for t in numeric:
        moments[t][0][bad] = torch.nan
        if t not in certain:
            moments[t][1][bad] = torch.nan
    made = made or plan(model, Query("marginal", targets), engine)
    return _posterior(model, finite, places, evidence, totals, flat, moments, made)


def _blank(model: Model, target: Scope, rows: int, empty: Tensor, certain: bool) -> tuple[Tensor, Tensor]:
    """Room for the mean and the covariance of a numeric target; one covariance, 0, for all rows when it is certain."""
    n = sum(prod(model.variables[v].shape) for v in target)
    return empty.new_zeros(rows, n), empty.new_zeros(1 if certain else rows, n, n).expand(rows, n, n)


def _posterior(
    model: Model,
    finite: tuple[Scope, ...],
    places: tuple[int, ...],
    evidence: Evidence,
    totals: Tensor,
    flat: Tensor,
    moments: dict[Scope, tuple[Tensor, Tensor]],
    plan: Plan,
) -> Posterior:
    variables, pick = model.variables, slice(None) if evidence.batched else 0
    named = {tuple(variables[v] for v in t): pair for t, pair in moments.items()}
    beyond = {tuple(v.name for v in t): Moments(t, mean[pick], cov[pick]) for t, (mean, cov) in named.items()}
    answers = Answers(tuple(tuple(variables[v] for v in t) for t in finite), places, plan, "Exact")
    log_evidence, table = (each.double().cpu().numpy()[pick] for each in (totals, flat))
    return Posterior(answers, table, log_evidence, Beyond(beyond))


@dataclass(frozen=True, eq=False)
class Found:
    """The answers of one case: log evidence, tables of finite targets, means and covariances of numeric ones."""

    total: Tensor
    states: dict[Scope, Tensor]
    moments: dict[Scope, tuple[Tensor, Tensor]]
    plan: Plan


@torch.no_grad()
def _answered(model: Model, case: Case, engine: Exact, targets: Sequence[Scope]) -> Found:
    problem = reduced(model, case, {v for t in targets for v in t}, like(model, engine))
    reads = reads_of(targets, case)
    center: Center = {}
    quick = by_tables(problem, engine, reads)
    if quick is None:
        run = prepared(problem, engine, query_of("marginal", targets, case), reads)
        total, found = marginals(run.program, run.factors(), reads, run.rows)
        center, made = run.center, run.program.plan
    else:
        total, found, made = quick
    beliefs = dict(zip(reads, found, strict=True))
    states, moments = {}, {}
    for t in targets:
        belief = beliefs.get(tuple(v for v in t if not case.knows(v)))
        if model.variables[t[0]].finite:
            states[t] = _widened(belief.states if belief else torch.ones_like(total), t, model, case)
        else:
            moments[t] = _whole(belief, t, problem, center)
    return Found(total, states, moments, made)


def _widened(values: Tensor, target: Scope, model: Model, case: Case) -> Tensor:
    """Probabilities `[rows, *unobserved]` with an axis for observed variables too."""
    for axis, v in enumerate(target, 1):
        if v in case.hard:
            point = torch.nn.functional.one_hot(case.hard[v], model.variables[v].size).to(values)
            ones = [1] * values.dim()
            shape = [len(point), *ones[1:axis], point.shape[1], *ones[axis:]]
            values = values.unsqueeze(axis) * point.reshape(shape)
    return values


def _whole(belief: Belief | None, target: Scope, problem: Problem, center: Center) -> tuple[Tensor, Tensor]:
    """Mean and covariance of all numbers of a target: what is observed has no variance."""
    case, rows, like = problem.case, len(problem.case.rows), problem.like
    lows = (0, *accumulate(prod(problem.model.variables[v].shape) for v in target))
    mean, covariance = like.new_zeros(rows, lows[-1]), like.new_zeros(rows if belief else 1, lows[-1], lows[-1])
    for v, low, high in zip(target, lows, lows[1:], strict=False):
        if v in case.values:
            mean[:, low:high] = case.values[v].detach().to(like)
    if belief:
        hidden = [low + i for v, low in zip(target, lows, strict=False) for i in case.hidden[v]]
        own = torch.tensor(hidden, device=like.device)
        mean[:, own] = torch.cat([center[v].expand(rows, -1) for v in target if case.hidden[v]], -1) + belief.mean
        covariance[:, own[:, None], own] = belief.covariance
    return mean, covariance


def evidence_of(model: Model, evidence: Evidence, engine: Exact) -> Tensor:
    """The log evidence `[*batch]`, differentiable in all parameters and in the observed numbers."""
    empty = like(model, engine)
    totals, rows = [empty], [np.zeros(0, dtype=np.int64)]
    for case in known_cases(model, evidence, empty):
        run = prepared(reduced(model, case, (), empty), engine, query_of("log_evidence", (), case))
        totals.append(upward(run.program, run.factors()).total.expand(run.rows))
        rows.append(case.rows)
    total = torch.cat(totals)[torch.from_numpy(np.concatenate(rows).argsort())]
    return total if evidence.batched else total[0]
