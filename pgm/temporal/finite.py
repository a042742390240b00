"""Answers about templates whose hidden variables are finite: messages along the chain of their joint states."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from ..semiring import LOG_SUM
from ..variable import Variable
from . import chain as chains
from .beliefs import Beliefs, Paths
from .chain import Chain
from .sequences import Sequences, require_possible
from .slices import Piece, Roles, assemble, evidence, joined, log_tables, roles, zeros
from .template import Template, children, now


def log_likelihood(template: Template, data: Sequences, parallel: bool) -> Tensor:
    """log p(data) of each row, `[rows]`."""
    return chains.log_total(_chain(roles(template, data, "log_likelihood")), parallel)


def filtering(template: Template, data: Sequences, parallel: bool) -> Beliefs:
    """Each step given the data up to it."""
    known, probes = _probed(template, data, "filtering")
    alpha, totals = chains.filtered(_chain(replace(known, probes={})), parallel)
    require_possible(totals, data, "filtering")
    found = _separate(alpha, known)
    if probes:
        with torch.enable_grad():
            ones = torch.where(data.inside, _one_step_totals(_chain(known), alpha), 0.0).sum()
        found |= _slopes(ones, probes, alpha.requires_grad)
    return _beliefs(template, found, totals, data, data.values)


def smoothing(template: Template, data: Sequences, parallel: bool) -> Beliefs:
    """Each step given all data."""
    found, totals = _smoothed(template, data, "smoothing", parallel)
    return _beliefs(template, found, totals, data, data.values)


def prediction(template: Template, data: Sequences, steps: int, parallel: bool) -> Beliefs:
    """Steps after the last one, given all data."""
    kept = {v.name for v in (*template.carried, *template.inputs)}
    later = data.ahead(steps, kept)
    if not data.steps:
        found, totals = _smoothed(template, later, "prediction", parallel)
        return _beliefs(template, found, totals, later)
    here = roles(template, data, "prediction")
    alpha, totals = chains.filtered(_chain(here), parallel)
    require_possible(totals, data, "prediction")
    last = chains.log(alpha[torch.arange(data.rows), data.lengths - 1])
    start = Piece(here.chain, last.reshape(data.rows, 1, *(v.size for v in here.chain)))
    found, _ = _smoothed(template, later, "prediction", parallel, start)
    rest = replace(later, steps=steps, lengths=later.lengths - 1)
    return _beliefs(template, {name: p[:, 1:] for name, p in found.items()}, totals, rest)


def viterbi(template: Template, data: Sequences) -> Paths:
    """The most probable path of the variables that are carried on; all others are summed out."""
    known = roles(template, data, "viterbi")
    paths, totals = chains.best_path(_chain(known))
    require_possible(totals, data, "viterbi")
    values = {}
    for v in reversed(known.chain):
        values[v.name] = torch.where(data.inside, paths % v.size, -1)
        paths = paths // v.size
    return Paths(known.chain, {v.name: values[v.name] for v in known.chain}, totals)


def _chain(known: Roles) -> Chain:
    return assemble(known, log_tables((*known.terms[0], *known.terms[1])))


def _probed(template: Template, data: Sequences, subject: str) -> tuple[Roles, dict[str, Tensor]]:
    """Roles with a probe for each hidden variable that is asked for and is no part of the chain."""
    asked = [v for v in _askable(template, data) if v not in template.carried]
    known = roles(template, data, subject, [v.name for v in asked])
    probes = {v: zeros([v], data) for v in asked}
    return replace(known, probes={(v,): probe for v, probe in probes.items()}), {v.name: p for v, p in probes.items()}


def _askable(template: Template, data: Sequences) -> list[Variable]:
    """The hidden finite variables that do not depend on hidden numeric ones."""
    terms = (children(template.first), children(template.later))
    left = {v.name: v for v in template.variables if v.name not in data.values}
    numeric = {name for name, v in left.items() if not v.finite}
    while numeric:
        left = {name: v for name, v in left.items() if name not in numeric}
        numeric = {
            name
            for name in left
            if any(
                p.name not in left and p.name not in data.values
                for t in terms
                if name in t
                for p in map(now, t[name].given)
            )
        }
    return list(left.values())


def _smoothed(
    template: Template, data: Sequences, subject: str, parallel: bool, start: Piece | None = None
) -> tuple[dict[str, Tensor], Tensor]:
    """The posterior of each hidden variable: the gradient of the total in the logarithms that it is multiplied by.

    Args:
        start: what takes the place of the terms of the first step.
    """
    known, probes = _probed(template, data, subject)

    def made(known: Roles) -> Chain:
        if start is None:
            return _chain(known)
        seen = [Piece((v,), evidence(v, data)[:, :1]) for v in known.unsure if v in known.chain]
        return replace(_chain(known), initial=joined([start, *seen], known.chain).flatten(1))

    gamma, totals = chains.smoothed(made(replace(known, probes={})), parallel)
    require_possible(totals, data, subject)
    found = _separate(gamma, known)
    if probes:
        with torch.enable_grad():
            total = chains.log_total(made(known), parallel).sum()
        found |= _slopes(total, probes, totals.requires_grad)
    return found, totals


def _slopes(total: Tensor, probes: dict[str, Tensor], higher: bool) -> dict[str, Tensor]:
    """The gradient in each probe, itself with a graph if that is wanted."""
    return dict(zip(probes, torch.autograd.grad(total, list(probes.values()), create_graph=higher), strict=True))


def _one_step_totals(chain: Chain, alpha: Tensor) -> Tensor:
    """For each step the log of p(its data | the data before), `[rows, steps]`, with the step before taken as known."""
    last = chains.log(alpha[:, :-1]).unsqueeze(-1)
    later = LOG_SUM.total(LOG_SUM.total(last + chain.step, (-2,)) + chain.emission, (-1,))
    return torch.cat([LOG_SUM.total(chain.initial, (-1,)).expand(len(alpha)).unsqueeze(1), later], 1)


def _separate(joint: Tensor, known: Roles) -> dict[str, Tensor]:
    """The marginal of each variable of the chain from `[rows, steps, joint states]`."""
    shaped = joint.reshape(*joint.shape[:2], *(v.size for v in known.chain))
    axes = range(2, shaped.dim())
    others = {v.name: [a for a in axes if a != axis] for axis, v in zip(axes, known.chain, strict=True)}
    return {name: shaped.sum(summed) if summed else shaped for name, summed in others.items()}


def _beliefs(
    template: Template, found: dict[str, Tensor], totals: Tensor, data: Sequences, given: Collection[str] = ()
) -> Beliefs:
    """What was found of the variables that were not given."""
    inside = data.inside.unsqueeze(-1)
    variables = tuple(v for v in template.variables if v.name in found and v.name not in given)
    return Beliefs(variables, {v.name: torch.where(inside, found[v.name], torch.nan) for v in variables}, totals)
