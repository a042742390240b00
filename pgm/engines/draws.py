"""Answers made of draws: what is numeric from the draws themselves, what is finite exactly given each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

import torch
from torch import Tensor

from ..moments import Moments
from ..plan import Plan
from ..posterior import Answers, Beyond, Posterior
from ..samples import Samples
from .joint import Joint, Values
from .question import Question, Target


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to one row of evidence.

    Args:
        question: what was asked.
        plan: how the finite variables were summed.
        flat: probabilities of the finite targets, end to end.
        log_evidence: in nats.
        moments: of the numeric targets, by the names in their scopes.
        samples: the draws, without weights.
        diagnostics: how far to trust it, by name.
    """

    question: Question
    plan: Plan
    flat: Tensor
    log_evidence: float
    moments: Mapping[tuple[str, ...], Moments]
    samples: Samples
    diagnostics: Mapping[str, Any]


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Torch's own randomness from this seed, and a generator; what the caller had is put back afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield torch.Generator(device).manual_seed(seed)


def answer(
    question: Question,
    joint: Joint,
    values: Values,
    log_weights: Tensor,
    log_evidence: float,
    diagnostics: Mapping[str, Any],
    generator: torch.Generator,
) -> Answer:
    """The answer that weighted draws give.

    Args:
        question: what is asked.
        joint: the product of all terms.
        values: draws of the latent variables, `[draws, *event]` by name.
        log_weights: shape `[draws]`, up to a constant.
        log_evidence, diagnostics: for the record.
        generator: for the draws of finite variables and the resampling.
    """
    weights, rows = log_weights.softmax(0), len(log_weights)
    possible = torch.isfinite(log_weights)  # where a draw is not, another takes its place, with no weight
    if not bool(possible.any()):
        return _unanswered(question, joint, diagnostics)
    instead = torch.where(possible, torch.arange(rows, device=weights.device), possible.int().argmax())
    values = {name: value[instead] for name, value in values.items()}
    states = joint.draw(values, rows, generator)
    everything = {**values, **states, **joint.computed({**values, **states}, rows)}
    flat = _probabilities(question, joint, values, weights)
    moments = {tuple(v.name for v in t): _moments(question, t, everything, weights) for t in _numeric(question)}
    chosen = torch.multinomial(weights, rows, replacement=True, generator=generator)
    if bool((log_weights == log_weights[0]).all()):
        chosen = torch.arange(rows, device=weights.device)
    variables = tuple(question.unknown.values())
    samples = Samples(variables, tuple(everything[v.name][chosen] for v in variables), rows)
    plan = joint.plan("marginal", _free(question))
    return Answer(question, plan, flat, log_evidence, moments, samples, diagnostics)


def _unanswered(question: Question, joint: Joint, diagnostics: Mapping[str, Any]) -> Answer:
    """What is said of evidence of probability 0: NaN."""
    lone = {v.name: torch.full((1, *v.shape), torch.nan, dtype=torch.float64) for v in question.unknown.values()}
    one = torch.full((1,), torch.nan, dtype=torch.float64)
    moments = {tuple(v.name for v in t): _moments(question, t, lone, one) for t in _numeric(question)}
    flat = torch.full((sum(prod(v.size for v in target) for target in _finite(question)),), torch.nan)
    plan = joint.plan("marginal", _free(question))
    return Answer(question, plan, flat.double(), -torch.inf, moments, Samples((), (), 0), diagnostics)


def gathered(answers: Sequence[Answer], batched: bool, engine: str) -> Posterior:
    """The posterior of one row, or of many."""
    first = answers[0]
    targets = tuple(_finite(first.question))
    places = (0, *accumulate(prod(v.size for v in target) for target in targets))
    record = Answers(targets, places, first.plan, engine)
    if not batched:
        beyond = Beyond(first.moments, first.samples, first.diagnostics)
        return Posterior(record, first.flat.cpu().numpy(), first.log_evidence, beyond)
    moments = {
        names: Moments(
            each.variables,
            torch.stack([answer.moments[names].flat for answer in answers]),
            torch.stack([answer.moments[names].covariance for answer in answers]),
        )
        for names, each in first.moments.items()
    }
    diagnostics = {name: [answer.diagnostics[name] for answer in answers] for name in first.diagnostics}
    flat = torch.stack([answer.flat for answer in answers]).cpu().numpy()
    totals = torch.tensor([answer.log_evidence for answer in answers], dtype=torch.float64).numpy()
    return Posterior(record, flat, totals, Beyond(moments, None, diagnostics))


def _finite(question: Question) -> list[Target]:
    return [target for target in question.targets if target[0].finite]


def _numeric(question: Question) -> list[Target]:
    return [target for target in question.targets if not target[0].finite]


def _free(question: Question) -> list[Target]:
    """The finite targets without what is observed, those that are left."""
    free = [tuple(v for v in target if v.name not in question.known) for target in _finite(question)]
    return list(dict.fromkeys(target for target in free if target))


def _probabilities(question: Question, joint: Joint, values: Values, weights: Tensor) -> Tensor:
    """Probabilities of the finite targets, averaged over the draws, zeros beside observed states."""
    free, pieces = _free(question), [torch.zeros(0, dtype=torch.float64, device=weights.device)]
    found: dict[Target, Tensor] = {}
    if free:
        flat = joint.probabilities(values, free)
        mean = weights @ flat if len(flat) == len(weights) else flat[0]
        sizes = [prod(v.size for v in target) for target in free]
        found = dict(zip(free, mean.split(sizes), strict=True))
    for target in _finite(question):
        left = tuple(v for v in target if v.name not in question.known)
        table = torch.zeros([v.size for v in target], dtype=torch.float64, device=weights.device)
        place = tuple(int(question.known[v.name]) if v.name in question.known else slice(None) for v in target)
        table[place] = found[left].reshape([v.size for v in left]) if left else 1.0
        pieces.append(table.reshape(-1))
    return torch.cat(pieces)


def _moments(question: Question, scope: Target, values: Values, weights: Tensor) -> Moments:
    columns = []
    for variable in scope:
        seen = question.known.get(variable.name)
        value = values[variable.name] if seen is None else seen.expand([len(weights), *variable.shape])
        columns.append(value.reshape(len(weights), -1).to(torch.float64))
    flat = torch.cat(columns, 1)
    mean = weights @ flat
    centred = flat - mean
    return Moments(scope, mean, (centred * weights[:, None]).mT @ centred)
