"""From a template and finite sequences to a chain: each step contracted to the states that it hands on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import reduce
from math import prod

import torch
from torch import Tensor

from ..conditionals import Conditional
from ..errors import EvidenceError, PlanError
from ..semiring import LOG_SUM
from ..terms import Local
from ..variable import Variable, quoted
from . import chain as chains
from .chain import Chain
from .sequences import Sequences
from .template import Template, before, children, looks_back, now

STATES_AT_MOST = 2**13  # joint states of a chain: half a gigabyte for the pairs of one step
Tables = Mapping[Local, Tensor]  # the logarithms of the tables of terms over finite variables


@dataclass(frozen=True, eq=False)
class Piece:
    """The logarithm of a non-negative function of hidden variables: `[rows or 1, steps or 1, *states of the scope]`."""

    scope: tuple[Variable, ...]
    logs: Tensor


@dataclass(frozen=True, eq=False)
class Roles:
    """What each variable does, given what was observed.

    Args:
        chain: hidden variables that the next step looks back at; their joint states make the chain.
        hidden: the names of all hidden variables, those with gaps that other terms depend on among them.
        gaps: names of observed variables with gaps that only their own conditional mentions: a gap says nothing.
        unsure: observed variables with gaps that other terms depend on: hidden, with evidence where it is there.
        terms: those of the first step and of later ones that say something.
        observed: the sequences.
        probes: for chosen scopes a tensor of zeros `[rows, steps, *states]` that is added to the logarithms; the
            gradient of the total with respect to it is the posterior.
    """

    chain: tuple[Variable, ...]
    hidden: frozenset[str]
    gaps: frozenset[str]
    unsure: tuple[Variable, ...]
    terms: tuple[tuple[Local, ...], tuple[Local, ...]]
    observed: Sequences
    probes: Mapping[tuple[Variable, ...], Tensor] = field(default_factory=dict)


def roles(template: Template, data: Sequences, subject: str, wanted: Iterable[str] = ()) -> Roles:
    """Sort the variables, and leave out the conditionals of hidden variables that nothing depends on.

    Args:
        template, data: the model and what was observed.
        subject: how error messages begin.
        wanted: hidden variables that are kept even so.

    Raises:
        PlanError: when the joint states are too many.
        EvidenceError: when a numeric variable with gaps has terms that depend on it.
    """
    gaps = {v.name for v in template.variables if v.name in data.values and not data.full(v)}
    owned = {name for name in gaps if not depended_on(name, (*template.first, *template.later))}
    unsure = tuple(v for v in template.variables if v.name in gaps - owned)
    for v in template.variables:
        if v.name in gaps and not v.finite:
            _check_gaps(v, data, v.name in owned, subject)
    hidden = {v.name for v in template.variables if v.name not in data.values} | {v.name for v in unsure}
    chain = tuple(v for v in template.carried if v.name in hidden)
    kept = {*wanted, *(v.name for v in (*chain, *unsure))}
    terms = informative(template, data, hidden - kept)
    size = prod(v.size for v in chain)
    if size > STATES_AT_MOST:
        raise PlanError(
            f"{subject}: {quoted(v.name for v in chain)} have {size} joint states (limit {STATES_AT_MOST}); observe "
            "one of them, or unroll a few steps and use infer, whose plan factorises."
        )
    return Roles(chain, frozenset(hidden), frozenset(owned), unsure, terms, data)


def log_tables(terms: Iterable[Local]) -> dict[Local, Tensor]:
    """The logarithms of the tables of all terms over finite variables; a 0 has no gradient, so it stays one."""
    found = {}
    for term in dict.fromkeys(terms):
        if term.enumerable:
            found[term] = chains.log(term.factor().ordered(term.scope))
    return found


def assemble(known: Roles, tables: Tables) -> Chain:
    """The chain that the sequences make.

    Args:
        known: what `roles` returns.
        tables: what `log_tables` returns, or tensors that take their place.
    """
    data, ends = known.observed, tuple(before(v) for v in known.chain)
    first = _pieces(known, tables, 0, 1)
    initial = joined(_without(first, known.chain), known.chain, data.lengths.device)[:, 0]  # [rows, *states]
    left = _without(_pieces(known, tables, 1, data.steps), (*ends, *known.chain))
    moving = [piece for piece in left if any(map(looks_back, piece.scope))]
    still = [piece for piece in left if not any(map(looks_back, piece.scope))]
    size = prod(v.size for v in known.chain)
    step = joined(moving, (*ends, *known.chain), data.lengths.device)
    emission = joined(still, known.chain, data.lengths.device)
    return Chain(
        initial.reshape(len(initial), size),
        step.reshape(*step.shape[:2], size, size),
        emission.reshape(*emission.shape[:2], size),
        data.lengths,
        data.steps,
    )


def piece(term: Local, known: Roles, tables: Tables, start: int, stop: int) -> Piece:
    """What one term says about the hidden variables of its scope in the steps from `start` to `stop`."""
    hidden = [v for v in term.scope if now(v).name in known.hidden]
    seen = [v for v in term.scope if now(v).name not in known.hidden]
    values = {v: known.observed.filled(now(v))[:, start - looks_back(v) : stop - looks_back(v)] for v in seen}
    if term.enumerable:
        table = tables[term].permute([term.scope.index(v) for v in (*seen, *hidden)])
        logs = table[tuple(values[v] for v in seen)] if seen else table[None, None]
    else:
        logs = _log_prob(term, hidden, values)
    if isinstance(term, Conditional) and term.child.name in known.gaps:
        there = known.observed.seen(term.child)[:, start:stop]
        logs = torch.where(there.reshape(*there.shape, *[1] * len(hidden)), logs, 0.0)
    return Piece(tuple(hidden), logs)


def grid(term: Local, hidden: Sequence[Variable], values: Mapping[Variable, Tensor]) -> list[Tensor]:
    """A value for each variable of the scope, that broadcast to `[rows, steps, *states of the hidden ones]`."""
    found = []
    for v in term.scope:
        if v in values:
            value = values[v]
            found.append(value.reshape(*value.shape[:2], *[1] * len(hidden), *value.shape[2:]))
        else:
            axis = hidden.index(v)
            shape = [1] * (2 + len(hidden))
            shape[2 + axis] = v.size
            device = next((value.device for value in values.values()), None)
            found.append(torch.arange(v.size, device=device).reshape(shape))
    return found


def _log_prob(term: Local, hidden: Sequence[Variable], values: Mapping[Variable, Tensor]) -> Tensor:
    rows, steps = torch.broadcast_shapes(*(value.shape[:2] for value in values.values()))
    if not hidden:  # one batch axis, as layers want it
        return term.log_prob(*(values[v].flatten(0, 1) for v in term.scope)).reshape(rows, steps)
    logs = term.log_prob(*grid(term, hidden, values))
    return logs.expand(rows, steps, *(v.size for v in hidden))


def _pieces(known: Roles, tables: Tables, start: int, stop: int) -> list[Piece]:
    """All pieces of some steps, which are the first one or all later ones."""
    found = [piece(term, known, tables, start, stop) for term in known.terms[start > 0]]
    for v in known.unsure:
        found.append(Piece((v,), evidence(v, known.observed)[:, start:stop]))
    here = [scope for scope in known.probes if start > 0 or not any(map(looks_back, scope))]
    return found + [Piece(scope, known.probes[scope][:, start:stop]) for scope in here]


def zeros(scope: Sequence[Variable], data: Sequences) -> Tensor:
    """A probe: zeros `[rows, steps, *states of the scope]` that remember their gradient."""
    sizes = [v.size for v in scope]
    found = torch.zeros(data.rows, data.steps, *sizes, dtype=torch.float64, device=data.lengths.device)
    return found.requires_grad_()


def evidence(variable: Variable, data: Sequences) -> Tensor:
    """0 for the states that a variable with gaps may have, -inf for the others, `[rows, steps, states]`."""
    states = torch.arange(variable.size, device=data.lengths.device)
    other = data.filled(variable).unsqueeze(-1) != states
    return torch.zeros(other.shape, dtype=torch.float64, device=other.device).masked_fill(
        other & data.seen(variable).unsqueeze(-1), -torch.inf
    )


def _without(pieces: list[Piece], kept: Sequence[Variable]) -> list[Piece]:
    """The pieces with all variables summed out that are not kept, the cheapest first."""
    while True:
        left = dict.fromkeys(v for each in pieces for v in each.scope if v not in kept)
        if not left:
            return pieces
        scopes = {v: _scope(each for each in pieces if v in each.scope) for v in left}
        v = min(left, key=lambda v: prod(each.size for each in scopes[v]))
        touched = [each for each in pieces if v in each.scope]
        rest = tuple(each for each in scopes[v] if each != v)
        summed = LOG_SUM.total(joined(touched, (*rest, v)), (-1,))
        pieces = [each for each in pieces if v not in each.scope] + [Piece(rest, summed)]


def _scope(pieces: Iterable[Piece]) -> tuple[Variable, ...]:
    return tuple(dict.fromkeys(v for each in pieces for v in each.scope))


def joined(pieces: Sequence[Piece], scope: Sequence[Variable], device: torch.device | None = None) -> Tensor:
    """The sum of the logarithms, float64, `[rows or 1, steps or 1, *states of the scope]`; zeros without pieces."""
    parts = []
    for each in pieces:
        logs = each.logs.permute(0, 1, *(each.scope.index(v) + 2 for v in scope if v in each.scope))
        shape = iter(logs.shape[2:])
        sizes = [next(shape) if v in each.scope else 1 for v in scope]
        parts.append(logs.double().reshape(*logs.shape[:2], *sizes))
    empty = torch.zeros([1] * (2 + len(scope)), dtype=torch.float64, device=device)
    total = reduce(torch.add, parts) if parts else empty
    return total.expand(*total.shape[:2], *(v.size for v in scope))


def depended_on(name: str, terms: Iterable[Local]) -> bool:
    """Whether any term but its own conditional mentions a variable."""
    return any(
        name in {now(v).name for v in (term.scope[:-1] if isinstance(term, Conditional) else term.scope)}
        for term in terms
    )


def informative(template: Template, data: Sequences, free: Set[str]) -> tuple[tuple[Local, ...], tuple[Local, ...]]:
    """The terms of the first step and of later ones that say something.

    Left out are the conditionals of what is computed, and of `free` variables that no other term mentions: they sum to
    one.
    """
    first, later, barren = template.first, template.later, set(data.computed)
    while True:
        first, later = (tuple(t for t in terms if owner(t) not in barren) for terms in (first, later))
        barren = {name for name in free & children(later).keys() if not depended_on(name, (*first, *later))}
        if not barren:
            return first, later


def owner(term: Local) -> str:
    """The name of the child; '' for a potential."""
    return term.child.name if isinstance(term, Conditional) else ""


def _check_gaps(variable: Variable, data: Sequences, owned: bool, subject: str) -> None:
    missing = torch.isnan(data.values[variable.name])
    partly = missing.any(-1) & ~missing.all(-1) if variable.shape else missing & ~missing
    if owned and not bool((partly & data.inside.reshape(*partly.shape[:2], *[1] * (partly.dim() - 2))).any()):
        return
    raise EvidenceError(
        f"{subject}: {variable.name!r} has a missing value "
        + ("beside others of the same step" if owned else "but other terms depend on it")
        + "; give all numbers of a step"
        + (" or none." if owned else ".")
    )
