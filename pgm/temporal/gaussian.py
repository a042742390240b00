"""Answers about templates whose hidden variables are linear-Gaussian: Kalman filters and smoothers."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..moments import Moments
from . import kalman
from .beliefs import Beliefs, Paths
from .kalman import States, System
from .linear import Layout, layout, plain_log_prob, system, width
from .sequences import Sequences, require_possible
from .template import Template, now


def log_likelihood(template: Template, data: Sequences, parallel: bool) -> Tensor:
    """The log density of the data of each row, `[rows]`."""
    known = layout(template, data, "log_likelihood")
    return kalman.log_density(system(template, known), parallel) + plain_log_prob(known)


def filtering(template: Template, data: Sequences, parallel: bool) -> Beliefs:
    """Each step given the data up to it."""
    known = layout(template, data, "filtering")
    states, totals = kalman.filtered(system(template, known), parallel)
    return _beliefs(known, states, totals + plain_log_prob(known), data, "filtering")


def smoothing(template: Template, data: Sequences, parallel: bool) -> Beliefs:
    """Each step given all data."""
    known = layout(template, data, "smoothing")
    states, totals = kalman.smoothed(system(template, known), parallel)
    return _beliefs(known, states, totals + plain_log_prob(known), data, "smoothing")


def prediction(template: Template, data: Sequences, steps: int, parallel: bool) -> Beliefs:
    """Steps after the last one, given all data."""
    later = data.ahead(steps, {v.name for v in (*template.carried, *template.inputs)})
    known = layout(template, later, "prediction")
    made = system(template, known)
    if not data.steps:
        totals = torch.zeros(later.rows, dtype=torch.float64, device=made.mean.device)
        return _beliefs(known, kalman.ahead(made, *_first(made)), totals, later, "prediction")
    here = layout(template, data, "prediction")
    ends, totals = kalman.filtered(system(template, here), parallel)
    states = kalman.ahead(made, *_last(known, here, ends))
    rest = replace(later, steps=steps, lengths=later.lengths - 1)
    states = States(states.mean[:, 1:], states.covariance[:, 1:], states.cross[:, 1:])
    return _beliefs(known, states, totals + plain_log_prob(here), rest, "prediction")


def viterbi(template: Template, data: Sequences) -> Paths:
    """The smoothed means, which are the most probable path, and the log density of path and data."""
    found = smoothing(template, data, False)
    known = layout(template, data, "viterbi")
    path = data.with_values({v.name: found[v.name].mean for v in found.variables})
    inner = {v.name for v in known.state}
    first, later = (
        tuple(t for t in terms if {now(v).name for v in t.scope} <= inner | data.values.keys())
        for terms in (template.first, template.later)
    )
    full = replace(known, plain=(first, later), data=path)
    values = {v.name: found[v.name].mean for v in found.variables if v in template.carried}
    return Paths(tuple(v for v in found.variables if v.name in values), values, plain_log_prob(full))


def _first(made: System) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the first state of each row."""
    rows, _, length = made.shape
    return made.mean.expand(rows, length), (made.root @ made.root.mT).expand(rows, length, length)


def _last(known: Layout, here: Layout, ends: States) -> tuple[Tensor, Tensor]:
    """What is known at the last step, as mean and covariance of the state that the steps ahead have."""
    rows, data = torch.arange(len(ends.mean), device=ends.mean.device), known.data
    last = here.data.lengths - 1
    mean, covariance = ends.mean[rows, last], ends.covariance[rows, last]
    into = mean.new_zeros(known.length, here.length)
    start = mean.new_zeros(len(rows), known.length)
    for v in known.state:
        place, n = known.places[v.name, False], width(v)
        if v in here.state:
            into[place : place + n, here.places[v.name, False] :][:, :n] = torch.eye(n, dtype=mean.dtype)
        elif v.name in data.values:
            start[:, place : place + n] = data.values[v.name][:, 0].reshape(-1, n)
    return start + (into @ mean.unsqueeze(-1)).squeeze(-1), into @ covariance @ into.mT


def _beliefs(known: Layout, states: States, totals: Tensor, data: Sequences, subject: str) -> Beliefs:
    """The moments of each variable."""
    require_possible(totals, data, subject)
    outside, found = ~data.inside, {}
    variables = tuple(v for v in known.state if v not in known.unsure or subject == "prediction")
    for v in variables:
        place = known.places[v.name, False]
        part = slice(place, place + width(v))
        mean = states.mean[..., part].masked_fill(outside[..., None], torch.nan)
        found[v.name] = Moments(
            (v,), mean, states.covariance[..., part, part].masked_fill(outside[..., None, None], torch.nan)
        )
    return Beliefs(variables, found, totals)
