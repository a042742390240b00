"""Jeffrey's rule: soft evidence that fixes the posterior of some variables instead of multiplying a likelihood in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .engines.exact import Exact
from .errors import EvidenceError
from .evidence import Evidence, Likelihood, read_evidence
from .model import Model

TOLERANCE = 1e-12  # largest difference between a posterior and what it must be
ROUNDS = 1000


def with_jeffrey(model: Model, evidence: Evidence, wanted: Likelihood, engine: Exact) -> Evidence:
    """The evidence with the likelihoods that give each variable the distribution asked for.

    Iterative proportional fitting: lambda_v <- lambda_v q_v / p(v | evidence, lambda), until p equals q.

    Args:
        model: the model.
        evidence: everything else that is known.
        wanted: for each variable its posterior distribution, `[states]` or `[rows, states]`; sums to 1.
        engine: options.

    Raises:
        EvidenceError: when a distribution does not sum to 1, gives weight to what is impossible, or is out of reach.

    Reference: Jeffrey (1983), The Logic of Decision; Valtorta, Kim and Vomlel (2002).
    """
    asked = read_evidence(model.graph, None, wanted, "jeffrey")
    _check(model, evidence, asked)
    if evidence.batched and asked.batched and evidence.rows != asked.rows:
        raise EvidenceError(f"jeffrey: {asked.rows} rows of distributions for {evidence.rows} rows of evidence.")
    rows = evidence.rows if evidence.batched else asked.rows
    names = {v: model.graph.names[v] for v in asked.soft}
    goal = {v: np.broadcast_to(q, (rows, q.shape[1])) for v, q in asked.soft.items()}
    factors = {v: np.ones_like(q) for v, q in goal.items()}
    known = Evidence(
        {v: np.broadcast_to(states, (rows,)) for v, states in evidence.hard.items()},
        {v: np.broadcast_to(vector, (rows, vector.shape[1])) for v, vector in evidence.soft.items()},
        rows,
        evidence.batched or asked.batched,
        {v: value.expand(rows, *value.shape[1:]) for v, value in evidence.real.items()},
    )
    for _ in range(ROUNDS):
        gap = 0.0
        for v, q in goal.items():
            both = replace(known, soft=known.soft | factors)
            p = engine.answer(model, ((v,),), both, "raise")[names[v]].numpy().reshape(rows, -1)
            if ((p == 0) & (q > 0)).any():
                raise EvidenceError(f"jeffrey: {names[v]!r} is given weight on a state that the evidence excludes.")
            gap = max(gap, float(np.abs(p - q).max()))
            factors[v] = np.where(q > 0, factors[v] * q / np.where(p > 0, p, 1.0), 0.0)
            factors[v] = factors[v] / factors[v].max(axis=1, keepdims=True)
        if gap <= TOLERANCE:
            return replace(known, soft=known.soft | factors)
    raise EvidenceError(
        f"jeffrey: no distribution over {list(names.values())} fits (off by {gap:.2g} after {ROUNDS} rounds)."
    )


def _check(model: Model, evidence: Evidence, asked: Evidence) -> None:
    for v, q in asked.soft.items():
        name = model.graph.names[v]
        if v in evidence.hard or v in evidence.soft:
            raise EvidenceError(f"jeffrey: {name!r} is also observed or has a likelihood; give one of them.")
        if np.abs(q.sum(axis=1) - 1).max() > 1e-9:
            raise EvidenceError(f"jeffrey: the distribution of {name!r} sums to {q.sum(axis=1)[0]:.6g}, expected 1.")
