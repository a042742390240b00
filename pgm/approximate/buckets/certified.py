"""Intervals that certainly hold a probability, from bounds of the evidence with and without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, product

import numpy as np
import torch

from ...evidence import Evidence
from ...fields.answers import Scope, Settings, Solved, answered
from ...fields.field import Field
from ...model import Model
from ...posterior import Answers, Beyond, Posterior
from ...variable import Variable

ROUNDING = 1e-9  # by which an estimate may leave its interval

Solve = Callable[[Field], Solved]


def certified(
    settings: Settings, model: Model, targets: tuple[Scope, ...], evidence: Evidence, impossible: str, solve: Solve
) -> Posterior:
    """The posterior of targets, each probability with an interval in `diagnostics["bounds"]`.

    p(x | e) = Z(x, e) / (Z(x, e) + sum of the other Z(x', e)), and each Z has a lower and an upper bound.
    """
    base = answered(settings, model, (), evidence, impossible, solve)
    columns, bounds = [], {}
    for scope in targets:
        names, sizes = tuple(model.variables[v].name for v in scope), tuple(model.variables[v].size for v in scope)
        lower, upper = _conditioned(settings, model, scope, evidence, solve)
        columns.append(_estimate(lower, upper))
        interval = torch.from_numpy(np.stack(_interval(lower, upper), -1)).reshape(evidence.rows, *sizes, 2)
        bounds[names[0] if len(names) == 1 else names] = interval if evidence.batched else interval[0]
    flat = np.concatenate([np.zeros((evidence.rows, 0)), *columns], 1)
    places = (0, *accumulate(column.shape[1] for column in columns))
    record = Answers(
        tuple(tuple(model.variables[v] for v in scope) for scope in targets), places, None, settings.engine
    )
    beyond = Beyond(diagnostics={**base.diagnostics, "bounds": bounds})
    totals = base.log_evidence.numpy()
    return Posterior(
        record, flat if evidence.batched else flat[0], totals if evidence.batched else float(totals), beyond
    )


def _conditioned(
    settings: Settings, model: Model, scope: Scope, evidence: Evidence, solve: Solve
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the log evidence together with each joint state of a scope, `[rows, states]` each."""
    worlds = np.array(list(product(*(range(model.variables[v].size) for v in scope))))
    count, hard = len(worlds), {v: np.repeat(states, len(worlds)) for v, states in evidence.hard.items()}
    given = {v: np.tile(worlds[:, k], evidence.rows) for k, v in enumerate(scope)}
    clash = np.zeros(evidence.rows * count, dtype=bool)
    for v, states in given.items():
        clash |= (hard[v] >= 0) & (hard[v] != states) if v in hard else False
    soft = {v: np.repeat(vectors, count, 0) for v, vectors in evidence.soft.items()}
    asked = replace(evidence, hard=hard | given, soft=soft, rows=evidence.rows * count, batched=True)
    post = answered(settings, model, (), asked, "nan", solve)
    shape = evidence.rows, count
    lower = np.where(clash, -np.inf, _said(post, "log_evidence_lower")).reshape(shape)
    return lower, np.where(clash, -np.inf, _said(post, "log_evidence_upper")).reshape(shape)


def _interval(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest share of each entry `[rows, states]` when entries lie between bounds of their logs."""
    low, high = np.zeros_like(lower), np.ones_like(upper)
    for state in range(lower.shape[1]):
        others = [k for k in range(lower.shape[1]) if k != state]
        most, least = _total(upper[:, others]), _total(lower[:, others])
        low[:, state] = np.where(np.isneginf(most), 1.0, _share(lower[:, state], most))
        high[:, state] = np.where(np.isneginf(least), 1.0, _share(upper[:, state], least))
    return np.where(np.isneginf(upper), 0.0, low), np.where(np.isneginf(upper), 0.0, high)


def _total(logs: np.ndarray) -> np.ndarray:
    """log sum exp over the states, -inf where there is none."""
    return np.logaddexp.reduce(logs, axis=1, initial=-np.inf)


def _share(one: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """exp(one) / (exp(one) + exp(rest))."""
    with np.errstate(invalid="ignore", over="ignore"):
        found: np.ndarray = 1.0 / (1.0 + np.exp(rest - one))
    return found


def _estimate(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Geometric means of the bounds, normalised: inside the intervals. Upper bounds alone where a lower one is 0."""
    bounded = (np.isfinite(lower) | np.isneginf(upper)).all(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        logs = np.where(np.isneginf(upper), -np.inf, np.where(bounded, (lower + upper) / 2, upper))
        logs = logs - logs.max(1, keepdims=True)
        found: np.ndarray = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    return found


def held(post: Posterior, certain: Posterior, targets: Sequence[tuple[Variable, ...]]) -> Posterior:
    """An estimate held to bounds: where a target of a row leaves its intervals, the estimate inside them is taken."""
    bounds, columns = certain.diagnostics.get("bounds", {}), [np.zeros((*post.batch, 0))]
    for target in targets:
        names = tuple(v.name for v in target)
        value = post[names]
        if bounds:
            low, high = bounds[names[0] if len(names) == 1 else names].unbind(-1)
            fine = ((low - ROUNDING <= value) & (value <= high + ROUNDING)).flatten(len(post.batch)).all(-1)
            value = torch.where(fine.reshape(*post.batch, *[1] * len(names)), value, certain[names])
        columns.append(value.flatten(len(post.batch)).numpy())
    places = (0, *accumulate(column.shape[-1] for column in columns[1:]))
    low_total, high_total = (_said(certain, f"log_evidence_{side}") for side in ("lower", "upper"))
    said = post.log_evidence.numpy()
    total = np.clip(np.where(np.isfinite(said), said, low_total), low_total, high_total)
    beyond = Beyond(diagnostics={**post.diagnostics, **certain.diagnostics})
    return Posterior(Answers(tuple(targets), places, None, post.engine), np.concatenate(columns, -1), total, beyond)


def _said(post: Posterior, name: str) -> np.ndarray:
    """A bound of each row; the log evidence itself where everything is observed and nothing had to be bounded."""
    total = post.log_evidence.numpy()
    said = post.diagnostics.get(name)
    values = said if isinstance(said, list) else [said] * total.size
    filled = [t if value is None else value for t, value in zip(total.reshape(-1), values, strict=True)]
    return np.array(filled).reshape(total.shape)
