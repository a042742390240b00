"""The expected statistics of sequences: what each conditional would have seen, summed over all steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from ..conditionals import Tabular
from ..gaussians import GaussianConditional
from ..learn.count import Beliefs as Rows
from ..learn.count import Numbers, part_of
from ..learn.statistics import Counts, Part, Tied
from ..terms import Local
from ..variable import Variable
from . import chain as chains
from . import kalman
from .kalman import States
from .linear import Layout, layout, plain_log_prob, system, width
from .sequences import Sequences, require_possible
from .slices import assemble, log_tables, roles, zeros
from .template import Template, looks_back, now

Parts = dict[int, Part]  # by the identity of the parameters


def finite_statistics(template: Template, data: Sequences, wanted: Iterable[Local]) -> tuple[Parts, Tensor]:
    """Expected statistics where what is hidden is finite, and the log-likelihood of each sequence.

    Both are gradients of the log-likelihood: in the logarithm of a table it is the expected count of each entry, in the
    logarithm of a density at each step it is the posterior of the hidden variables of its scope.

    Args:
        template, data: the model and what was observed.
        wanted: the conditionals whose statistics are asked for.

    Reference: Baum, Petrie, Soules and Weiss (1970), A maximization technique occurring in the statistical analysis of
    probabilistic functions of Markov chains.
    """
    known = roles(template, data, "fit_sequences")
    wanted = [t for t in dict.fromkeys(wanted) if any(t in terms for terms in known.terms)]
    scopes = {t: tuple(v for v in t.scope if now(v).name in known.hidden) for t in wanted if not isinstance(t, Tabular)}
    with torch.enable_grad():
        tables = {term: table.detach().requires_grad_() for term, table in log_tables(sum(known.terms, ())).items()}
        probes = {scope: zeros(scope, data) for scope in dict.fromkeys(scopes.values()) if scope}
        totals = chains.log_total(assemble(replace(known, probes=probes), tables), False)
        require_possible(totals, data, "fit_sequences")
        leaves = [*tables.values(), *probes.values()]
        found = torch.autograd.grad(totals.sum(), leaves, allow_unused=True) if leaves else ()
    gradients = {id(x): torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found, strict=True)}
    parts: Parts = {}
    for term in wanted:
        if isinstance(term, Tabular):
            _add(parts, term, Counts(gradients[id(tables[term])].cpu()))
            continue
        states = {scopes[term]: gradients[id(probes[scopes[term]])]} if scopes[term] else {}
        for late, (start, stop) in enumerate(((0, 1), (1, data.steps))):
            if term in known.terms[late]:
                _add(parts, term, part_of(Tied(term, (term,)), _rows(data, term, start, stop, known.gaps, states)))
    return parts, totals.detach()


def linear_statistics(template: Template, data: Sequences, wanted: Iterable[Local]) -> tuple[Parts, Tensor]:
    """Expected statistics where what is hidden is linear-Gaussian, and the log-likelihood of each sequence.

    Args:
        template, data, wanted: as for `finite_statistics`.

    Reference: Shumway and Stoffer (1982), An approach to time series smoothing and forecasting using the EM algorithm.
    """
    known = layout(template, data, "fit_sequences", fill=True)
    with torch.no_grad():
        states, totals = kalman.smoothed(system(template, known), False)
        totals = totals + plain_log_prob(known)
    require_possible(totals, data, "fit_sequences")
    finite = {v.name for v in template.variables if v.finite}  # a numeric one with gaps is part of the state
    parts: Parts = {}
    for term in dict.fromkeys(wanted):
        for late, (start, stop) in enumerate(((0, 1), (1, data.steps))):
            if term in (*known.terms[late].values(), *known.plain[late]):
                rows = _rows(data, term, start, stop, finite, {})
                if isinstance(term, GaussianConditional):
                    rows = replace(rows, numbers={term.scope: _numbers(known, states, term, start, stop)})
                _add(parts, term, part_of(Tied(term, (term,)), rows))
    return parts, totals


def _add(parts: Parts, term: Local, part: Part) -> None:
    key = id(term._parameters)
    parts[key] = parts[key] + part if key in parts else part  # type: ignore[operator]  # both of one kind


def _rows(
    data: Sequences,
    term: Local,
    start: int,
    stop: int,
    gaps: Collection[str],
    states: dict[tuple[Variable, ...], Tensor],
) -> Rows:
    """Each step of each sequence as a row: what was seen of the scope of a term, and the posterior of the rest.

    A row whose child is missing does not count, if the child is among `gaps`.
    """
    there, child = data.inside[:, start:stop], term.scope[-1]
    if child.name in data.values and child.name in gaps:
        there = there & data.seen(child)[:, start:stop]
    seen = {}
    for v in term.scope:
        if now(v).name in data.values:
            back = looks_back(v)
            seen[v.name] = data.filled(now(v))[:, start - back : stop - back].flatten(0, 1).detach().cpu()
    posteriors = {scope: p[:, start:stop].flatten(0, 1).flatten(1).cpu() for scope, p in states.items()}
    return Rows(there.flatten().double().cpu(), seen, posteriors)


def _numbers(known: Layout, states: States, term: GaussianConditional, start: int, stop: int) -> Numbers:
    """Mean and covariance of the regressors and the child of a term at each step of each sequence."""
    scope = (*term.real, term.child)
    length, rows = sum(map(width, scope)), known.data.rows * (stop - start)
    mean, spread = (
        torch.zeros(rows, length, dtype=torch.float64),
        torch.zeros(rows, length, length, dtype=torch.float64),
    )
    both_mean, both = _neighbours(states, start, stop)
    inner, place = {v.name for v in known.state}, 0
    where: list[int] = []
    from_: list[int] = []
    for v in scope:
        part = range(place, place + width(v))
        if now(v).name in inner:
            first = known.places[now(v).name, False] + (0 if looks_back(v) else known.length)
            where += part
            from_ += range(first, first + width(v))
        else:
            back = looks_back(v)
            value = known.data.filled(now(v))[:, start - back : stop - back]
            mean[:, part.start : part.stop] = value.reshape(rows, width(v)).double().cpu()
        place += width(v)
    mean[:, where] = both_mean[:, from_]
    spread[:, torch.tensor(where).unsqueeze(1), where] = both[:, torch.tensor(from_).unsqueeze(1), from_]
    return Numbers(mean.unsqueeze(1), spread.unsqueeze(1))


def _neighbours(states: States, start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the states before and at each step side by side, `[rows, 2 length]`; 0 before all."""
    mean, covariance = states.mean.cpu(), states.covariance.cpu()
    here, wide = mean[:, start:stop], covariance[:, start:stop]
    last, narrow, cross = torch.zeros_like(here), torch.zeros_like(wide), torch.zeros_like(wide)
    if start:
        last, narrow, cross = mean[:, : stop - 1], covariance[:, : stop - 1], states.cross.cpu()
    top, low = torch.cat([narrow, cross], -1), torch.cat([cross.mT, wide], -1)
    return torch.cat([last, here], -1).flatten(0, 1), torch.cat([top, low], -2).flatten(0, 1)
