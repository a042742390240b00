"""The fast path of tables: when all that is left is finite, and numbers only weigh the states of single variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..engines.exact import Exact
from ..evidence import Evidence
from ..finite import explanation, posterior
from ..model import Model
from ..plan import Plan
from ..terms import Local
from .canonical import Canonical
from .problem import Problem
from .run import Belief


@dataclass(frozen=True, eq=False)
class FinitePart:
    """A model of the terms that are tables, kept beside the whole one; it holds its own compiled questions."""

    model: Model

    @property
    def nbytes(self) -> float:
        return sum(each.nbytes for each in self.model.sessions.kept.values())


def by_tables(
    problem: Problem, engine: Exact, reads: Sequence[tuple[int, ...]]
) -> tuple[Tensor, list[Belief], Plan] | None:
    """The log evidence `[rows]`, the marginal of each scope, and the plan; None where another way is needed."""
    found = _as_tables(problem)
    if found is None:
        return None
    total, model, evidence = found
    names, number = problem.model.graph.names, model.graph.numbers
    scopes = tuple(tuple(number[names[v]] for v in scope) for scope in reads)
    post = posterior(model, scopes, evidence, engine, "nan")
    if bool(post.log_evidence.isneginf().any()):
        return None  # what was lost in likelihoods, logarithms may rescue
    assert post.plan is not None
    none = total.new_zeros(len(total), 0)
    beliefs = [Belief(post[tuple(names[v] for v in scope)].to(none), none, none.unsqueeze(-1)) for scope in reads]
    return total + post.log_evidence.to(total), beliefs, post.plan


def best_by_tables(problem: Problem, engine: Exact, wanted: Sequence[int], k: int) -> tuple[Tensor, Tensor] | None:
    """Log weights `[rows, k]` and states `[rows, k, wanted]` of the best explanations; None as for `by_tables`."""
    found = _as_tables(problem)
    if found is None or not wanted:
        return None
    total, model, evidence = found
    scope = tuple(model.graph.numbers[problem.model.graph.names[v]] for v in wanted)
    best = explanation(model, scope, evidence, k, engine, "nan")
    if bool(best.log_prob[:, 0].isneginf().any()):
        return None
    return total.unsqueeze(1) + best.log_prob.to(total), best.states.to(total.device)


def _as_tables(problem: Problem) -> tuple[Tensor, Model, Evidence] | None:
    """A logarithm `[rows]`, a finite model and the evidence on it that say the same as the problem.

    Terms with observed numbers that depend on one hidden finite variable at most are likelihoods of it, as in mixtures
    and hidden Markov models; None where a term depends on more, or where numbers are left.
    """
    terms = problem.model.terms
    if problem.blocks:
        return None
    plain = [0 <= place < len(terms) and terms[place].enumerable for place in problem.sources]
    factors = [part.around({}) for part, table in zip(problem.parts, plain, strict=True) if not table]
    if any(len(factor.finite) > 1 for factor in factors):
        return None
    model = _tables_of(problem, [terms[place] for place, table in zip(problem.sources, plain, strict=True) if table])
    total, soft = _likelihoods(problem, factors)
    names, number = problem.model.graph.names, model.graph.numbers
    hard = {number[names[v]]: x.cpu().numpy() for v, x in problem.case.hard.items() if names[v] in number}
    weights = {number[names[v]]: x.double().cpu().numpy() for v, x in soft.items()}
    return total, model, Evidence(hard, weights, len(total), True)


def _likelihoods(problem: Problem, factors: Sequence[Canonical]) -> tuple[Tensor, dict[int, Tensor]]:
    """The factors of each variable as one likelihood with a largest entry of 1, and the logarithm taken out."""
    rows = len(problem.case.rows)
    total, logs = problem.like.new_zeros(rows), dict[int, Tensor]()
    for factor in factors:
        if factor.finite:
            logs[factor.finite[0]] = logs.get(factor.finite[0], 0.0) + factor.constant
        else:
            total = total + factor.constant
    soft = {}
    for v, each in logs.items():
        peak = each.amax(1, keepdim=True).clamp(min=torch.finfo(each.dtype).min)
        total, soft[v] = total + peak.squeeze(1), (each - peak).exp().expand(rows, -1)
    return total, soft


def _tables_of(problem: Problem, terms: Sequence[Local]) -> Model:
    """The model of some terms and of all finite variables that are left, kept with the whole one."""
    finite = dict.fromkeys(v for scope in problem.scopes for v in scope)
    key = ("tables", frozenset(finite), frozenset(map(id, terms)))
    variables = [problem.model.variables[v] for v in finite]
    kept: FinitePart = problem.model.sessions.get(key, lambda: FinitePart(Model(*terms, variables=variables)))
    return kept.model
