"""Exact answers of models whose variables all have states: evidence in numbers in, records out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .approximate.weighting.forward import draws_forward, forward_samples
from .divorce import NONE, Divorced, Quiet, divorced, effects, kinds
from .engines.exact import Exact
from .evidence import MISSING, Evidence, check_possible, columns_of, patterns
from .explanation import Explanation
from .gradient import differentiable
from .model import Model
from .plan import Query
from .posterior import Answers, Posterior
from .samples import Samples
from .session import Session


def session(model: Model, query: Query, engine: Exact, quiet: Quiet = NONE) -> Session:
    """The compiled question, kept with the model and up to date with its parameters."""
    key = (query, engine, quiet)
    found: Session = model.sessions.get(key, lambda: Session(divorced(model, quiet), query, engine))
    found.refresh()
    return found


def questions(
    model: Model, evidence: Evidence
) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray], dict[int, np.ndarray], Quiet]]:
    """Rows that one plan answers: row numbers, state numbers and likelihoods by variable, and which terms are quiet."""
    for rows, hard, soft in patterns(evidence, model.graph.sizes):
        for part, quiet in kinds(model, hard, rows):
            yield part, hard, soft, quiet


class Quick:
    """The shortest way from labels to a posterior for one pattern of evidence."""

    def __init__(self, model: Model, scopes: tuple[tuple[int, ...], ...], evidence: Evidence, engine: Exact) -> None:
        variables = model.graph.variables
        ((_, quiet),) = kinds(model, evidence.hard, np.arange(1))
        self.session = session(model, Query("marginal", scopes, frozenset(evidence.hard)), engine, quiet)
        self.encoders = [(variables[v].name, dict(variables[v].numbers)) for v in sorted(evidence.hard)]
        order, seen = sorted(evidence.hard), effects(model, evidence.hard)
        self.silent = [(order.index(v), rest, number in quiet) for number, v, rest in seen]
        self.answers = _answers(model, scopes, self.session)
        self.possible = self.session.tape is not None and not self.session.widened

    @property
    def nbytes(self) -> float:
        """Memory that is held between questions."""
        return self.session.nbytes

    def row(self, given: Mapping[str, Any] | None) -> Posterior | None:
        """The posterior of one row of labels, or None when this is not such a row (or has probability 0)."""
        if not self.possible:
            return None
        try:
            states = [numbers[given[name]] for name, numbers in self.encoders]  # type: ignore[index]
        except (KeyError, TypeError):
            return None
        if self.silent and any((states[place] == rest) is not silent for place, rest, silent in self.silent):
            return None
        self.session.refresh()
        if self.session.tape is None:  # it was short thanks to zeros that are none any more
            return None
        if self.answers.plan is not self.session.plan:
            self.answers = replace(self.answers, plan=self.session.plan)
        total, flat = self.session.answer_row(states)
        return Posterior(self.answers, flat, total) if total > -np.inf else None


def posterior(
    model: Model,
    scopes: tuple[tuple[int, ...], ...],
    evidence: Evidence,
    engine: Exact,
    impossible: str,
) -> Posterior:
    """The posterior of targets by number given evidence in numbers."""
    width = sum(prod(model.variables[v].size for v in scope) for scope in scopes)
    totals, flat, last = np.empty(evidence.rows), np.zeros((evidence.rows, width)), None
    for rows, hard, soft, quiet in questions(model, evidence):
        last = session(model, Query("marginal", scopes, frozenset(hard), frozenset(soft)), engine, quiet)
        totals[rows], flat[rows] = last.answers(*columns_of(hard, soft, rows))
    check_possible(totals, evidence, model.variables, impossible, "infer")
    flat[np.isneginf(totals)] = np.nan
    if last is None:
        last = session(model, Query("marginal", scopes), engine)
    answers = _answers(model, scopes, last)
    return Posterior(answers, flat, totals) if evidence.batched else Posterior(answers, flat[0], totals[0])


def evidence_of(model: Model, evidence: Evidence, engine: Exact) -> Tensor:
    """The log evidence `[*batch]`, differentiable in all parameters."""
    value, asks = torch.empty(evidence.rows, dtype=engine.dtype), torch.is_grad_enabled()
    tables: dict[Quiet, list[Tensor]] = {}
    for rows, hard, soft, quiet in questions(model, evidence):
        asked = session(model, Query("log_evidence", (), frozenset(hard), frozenset(soft)), engine, quiet)
        value[rows] = torch.from_numpy(asked.answers(*columns_of(hard, soft, rows))[0]).to(engine.dtype)
        if asks and quiet not in tables:
            tables[quiet] = [factor.values for factor in asked.model.factors()]

    def again(flat: Sequence[Tensor]) -> Tensor:
        """The same from all terms, so that none is dropped and each one gets its gradient."""
        parts, places, left = [], [], iter(flat)
        given = {quiet: list(islice(left, len(known))) for quiet, known in tables.items()}
        for rows, hard, soft, quiet in questions(model, evidence):
            everything = tuple(range(len(divorced(model, quiet).variables)))
            query = Query("log_evidence", (everything,), frozenset(hard), frozenset(soft))
            asked = session(model, query, engine, quiet)
            parts.append(asked.log_evidence(*columns_of(hard, soft, rows), given[quiet]))
            places.append(torch.from_numpy(rows))
        return torch.cat(parts)[torch.cat(places).argsort()].to(value)

    totals = differentiable(value, again, [table for known in tables.values() for table in known])
    return totals if evidence.batched else totals[0]


def explanation(
    model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int, engine: Exact, impossible: str
) -> Explanation:
    """The best joint states of variables by number given evidence in numbers."""
    states = np.full((evidence.rows, k, len(wanted)), -1, dtype=np.int64)
    logs = np.full((evidence.rows, k), -np.inf)
    for rows, hard, soft, quiet in questions(model, evidence):
        whole, names = divorced(model, quiet), model.graph.names
        known = {names[v] for v in (*wanted, *hard)}
        scope = wanted + (whole.determined(known) if isinstance(whole, Divorced) else ())
        asked = session(model, Query("maximum", (scope,), frozenset(hard), frozenset(soft)), engine, quiet)
        some, found = asked.explain(*columns_of(hard, soft, rows), k)
        for column, v in enumerate(wanted):
            if v in hard:
                found[:, :, column] = np.where(np.isneginf(some), -1, hard[v][rows][:, None])
        logs[rows], states[rows] = some, found[..., : len(wanted)]
    check_possible(logs[:, 0], evidence, model.variables, impossible, "mpe")
    variables = tuple(model.graph.variables[v] for v in wanted)
    if not evidence.batched:
        states, logs = states[0], logs[0]
    return Explanation(variables, torch.from_numpy(states), torch.from_numpy(logs))


def draw(model: Model, n: int, wanted: tuple[int, ...], evidence: Evidence, seed: int, engine: Exact) -> Samples:
    """n independent joint samples of variables by number, given one row of evidence."""
    evidence = replace(evidence, hard={v: states for v, states in evidence.hard.items() if states[0] != MISSING})
    if draws_forward(model, evidence, engine):
        return forward_samples(model, n, wanted, evidence, seed)
    query = Query("sample", (wanted,), frozenset(evidence.hard), frozenset(evidence.soft))
    columns = columns_of(evidence.hard, evidence.soft, np.arange(1))
    ((_, quiet),) = kinds(model, evidence.hard, np.arange(1))
    total, states = session(model, query, engine, quiet).draw(*columns, n, seed)
    check_possible(np.array([total]), evidence, model.variables, "raise", "sample")
    for column, v in enumerate(wanted):
        if v in evidence.hard:
            states[:, column] = evidence.hard[v][0]
    return Samples(tuple(model.variables[v] for v in wanted), torch.from_numpy(states).unbind(1), n)


def _answers(model: Model, scopes: tuple[tuple[int, ...], ...], asked: Session) -> Answers:
    """The names of the answers and their places in a row."""
    variables = model.graph.variables
    targets = tuple(tuple(variables[v] for v in scope) for scope in scopes)
    lengths = [prod(v.size for v in target) for target in targets]
    return Answers(targets, (0, *accumulate(lengths)), asked.plan, "Exact")
