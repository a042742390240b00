"""From a template and numeric sequences to a linear-Gaussian chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..conditionals import Conditional
from ..errors import PlanError
from ..gaussians import GaussianConditional
from ..terms import Local
from ..variable import Variable, quoted
from .kalman import System
from .sequences import Sequences
from .slices import depended_on, informative, owner
from .template import Template, children, looks_back, now


@dataclass(frozen=True, eq=False)
class Layout:
    """What each variable does, given what was observed.

    Args:
        state: the hidden variables that make the state, parents first.
        lagged: those of them whose last value is part of the state too, since an observation looks back at it.
        unsure: observed variables with gaps that other terms depend on: part of the state, observed without noise.
        seen: the other observed variables whose conditionals mention the state.
        terms: the conditionals of the state and of `seen`, of the first step and of later ones.
        plain: the terms that mention nothing hidden, of the first step and of later ones.
        data: the sequences.
    """

    state: tuple[Variable, ...]
    lagged: tuple[Variable, ...]
    unsure: tuple[Variable, ...]
    seen: tuple[Variable, ...]
    terms: tuple[dict[str, GaussianConditional], dict[str, GaussianConditional]]
    plain: tuple[tuple[Local, ...], tuple[Local, ...]]
    data: Sequences

    @property
    def places(self) -> dict[tuple[str, bool], int]:
        """Where each variable (and whether one step back) begins in the state."""
        keys = [(v.name, False) for v in self.state] + [(v.name, True) for v in self.lagged]
        starts = accumulate((width(v) for v in (*self.state, *self.lagged)), initial=0)
        return dict(zip(keys, starts, strict=False))

    @property
    def length(self) -> int:
        return sum(width(v) for v in (*self.state, *self.lagged))

    def among(self, block: Tensor, name: str, back: bool = False) -> Tensor:
        """The columns of one variable, `[..., numbers]`, placed among those of the whole state."""
        start = self.places[name, back]
        return pad(block, (start, self.length - start - block.shape[-1]))


@dataclass(frozen=True, eq=False)
class Linear:
    """A vector as by_state @ state + constant + by_noise @ noise, each `[rows or 1, steps or 1, ...]`."""

    by_state: Tensor
    constant: Tensor
    by_noise: Tensor


def width(variable: Variable) -> int:
    """How many numbers a numeric variable has."""
    return prod(variable.shape)


def layout(template: Template, data: Sequences, subject: str, fill: bool = False) -> Layout:
    """Which variables make the state.

    Args:
        template, data: the model and what was observed.
        subject: how error messages begin.
        fill: whether all numeric variables with gaps are part of it.

    Raises:
        PlanError: when a term over a hidden variable is not linear-Gaussian.
    """
    hidden = {v.name for v in template.variables if v.name not in data.values}
    core = informative(template, data, hidden)
    every = (*template.first, *template.later)
    unsure = [v for v in template.variables if v.name in data.values and not data.full(v)]
    unsure = [v for v in unsure if (fill and not v.finite) or depended_on(v.name, every)]
    inner = {now(v).name for terms in core for t in terms for v in t.scope if now(v).name in hidden}
    inner = _with_gaussian_children(template, inner | {v.name for v in unsure}, hidden)
    kept = [
        [t for t in terms if {now(v).name for v in t.scope} & hidden <= inner and owner(t) not in data.computed]
        for terms in (template.first, template.later)
    ]
    touching = [[t for t in terms if any(now(v).name in inner for v in t.scope)] for terms in kept]
    seen = {t.child.name for terms in touching for t in terms if isinstance(t, Conditional)} - inner
    gaussian = [[t for t in terms if t in some or owner(t) in seen] for terms, some in zip(kept, touching, strict=True)]
    plain = [tuple(t for t in terms if t not in some) for terms, some in zip(kept, gaussian, strict=True)]
    lagged = {now(v).name for t in touching[1] if owner(t) in seen for v in t.scope if looks_back(v)} & inner
    return Layout(
        tuple(v for v in template.order if v.name in inner),
        tuple(v for v in template.order if v.name in lagged),
        tuple(unsure),
        tuple(v for v in template.order if v.name in seen),
        (_gaussian(gaussian[0], inner, subject), _gaussian(gaussian[1], inner, subject)),
        (plain[0], plain[1]),
        data,
    )


def system(template: Template, known: Layout) -> System:
    """The linear-Gaussian chain that the sequences make."""
    data, moves = known.data, known.data.steps - 1
    first = _composed(known, template.first_order, known.terms[0], 0, 1)
    later = _composed(known, template.order, known.terms[1], 1, data.steps)
    seen, seen_later = _observed(known, known.terms[0], 0, 1), _observed(known, known.terms[1], 1, data.steps)
    values = [data.values[v.name].double()[:, : data.steps] for v in (*known.seen, *known.unsure)]
    numbers = first.constant.new_zeros(data.rows, data.steps, 0)
    numbers = torch.cat([numbers, *(x.reshape(data.rows, data.steps, -1) for x in values)], -1)
    root = pad(first.by_noise[:, 0], (0, known.length - first.by_noise.shape[-1]))
    return System(
        first.constant[:, 0],
        root,
        later.by_state,
        later.constant,
        later.by_noise,
        _along(seen.by_state, seen_later.by_state, moves),
        _along(seen.by_noise, seen_later.by_noise, moves),
        numbers - _along(seen.constant, seen_later.constant, moves),
        data.lengths,
    )


def plain_log_prob(known: Layout) -> Tensor:
    """The log density of what has nothing to do with the state, `[rows]`."""
    data, total = known.data, torch.zeros(known.data.rows, dtype=torch.float64, device=known.data.lengths.device)
    for terms, start, stop in ((known.plain[0], 0, 1), (known.plain[1], 1, data.steps)):
        for term in terms:
            logs = term.log_prob(*(_value(known, v, start, stop) for v in term.scope))
            there = data.inside[:, start:stop]
            for v in term.scope[-1:]:
                there = there & data.seen(v)[:, start:stop]
            total = total + torch.where(there, logs, 0.0).sum(1)
    return total


def _with_gaussian_children(template: Template, inner: set[str], hidden: set[str]) -> set[str]:
    """Also the hidden variables that nothing observed depends on, as far as they are linear-Gaussian."""
    first, later = children(template.first), children(template.later)
    while True:
        more = {
            name
            for name in hidden - inner
            if all(isinstance(terms[name], GaussianConditional) for terms in (first, later))
            and {now(p).name for terms in (first, later) for p in terms[name].given} & hidden <= inner | {name}
        }
        if not more:
            return inner
        inner = inner | more


def _gaussian(terms: Sequence[Local], inner: set[str], subject: str) -> dict[str, GaussianConditional]:
    found = {}
    for term in terms:
        if not isinstance(term, GaussianConditional):
            names = quoted(dict.fromkeys(now(v).name for v in term.scope if now(v).name in inner))
            raise PlanError(
                f"{subject}: {names} is hidden and numeric, and {term!r} is not linear-Gaussian, so there is no exact "
                "answer. Observe it, make the term LinearGaussian, or unroll a few steps and use another engine."
            )
        found[term.child.name] = term
    return found


def _value(known: Layout, variable: Variable, start: int, stop: int) -> Tensor:
    back = looks_back(variable)
    return known.data.filled(now(variable))[:, start - back : stop - back]


def _regressed(
    known: Layout, term: GaussianConditional, start: int, stop: int
) -> tuple[dict[Variable, Tensor], Tensor, Tensor]:
    """A conditional as a matrix for each parent in the state, a constant, and a square root of its covariance."""
    made = term.regression()
    chosen = tuple(_value(known, v, start, stop) for v in made.finite)
    weights, constant, root = (
        (x[chosen] if chosen else x[None, None]).double() for x in (made.weights, made.bias, made.scale)
    )
    inner, blocks, place = {v.name for v in known.state}, {}, 0
    for parent in made.real:
        block = weights[..., place : place + width(parent), :].mT
        place += width(parent)
        if now(parent).name in inner:
            blocks[parent] = block
        else:
            value = _value(known, parent, start, stop).double()
            constant = constant + (block @ value.reshape(*value.shape[:2], width(parent), 1)).squeeze(-1)
    return blocks, constant, root


def _composed(
    known: Layout, order: Sequence[Variable], terms: Mapping[str, GaussianConditional], start: int, stop: int
) -> Linear:
    """The state as a linear function of the state before and of noise."""
    noises, found = sum(map(width, known.state)), dict[str, Linear]()
    for v in (v for v in order if v in known.state):
        blocks, constant, root = _regressed(known, terms[v.name], start, stop)
        place = known.places[v.name, False]
        by_noise = pad(root, (place, noises - place - width(v)))
        by_state = root.new_zeros(1, 1, width(v), known.length)
        for parent, block in blocks.items():
            if looks_back(parent):
                by_state = by_state + known.among(block, now(parent).name)
            else:
                inner = found[parent.name]
                by_state, by_noise = by_state + block @ inner.by_state, by_noise + block @ inner.by_noise
                constant = constant + (block @ inner.constant.unsqueeze(-1)).squeeze(-1)
        found[v.name] = Linear(by_state, constant, by_noise)
    like = found[known.state[0].name].constant
    return _stacked([*(found[v.name] for v in known.state), *(_last(known, v, noises, like) for v in known.lagged)])


def _last(known: Layout, variable: Variable, noises: int, like: Tensor) -> Linear:
    """What a variable was one step before: a copy, without noise."""
    n = width(variable)
    copied = known.among(torch.eye(n, dtype=like.dtype, device=like.device)[None, None], variable.name)
    return Linear(copied, like.new_zeros(1, 1, n), like.new_zeros(1, 1, n, noises))


def _observed(known: Layout, terms: Mapping[str, GaussianConditional], start: int, stop: int) -> Linear:
    """What is observed as a linear function of the state and of noise."""
    parts = [_regressed(known, terms[v.name], start, stop) for v in known.seen]
    noises, place, rows = sum(map(width, (*known.seen, *known.unsure))), 0, []
    for blocks, constant, root in parts:
        by_state = root.new_zeros(1, 1, root.shape[-1], known.length)
        for parent, block in blocks.items():
            by_state = by_state + known.among(block, now(parent).name, looks_back(parent))
        rows.append(Linear(by_state, constant, pad(root, (place, noises - place - root.shape[-1]))))
        place += root.shape[-1]
    zero = torch.zeros(1, 1, 0, dtype=torch.float64, device=known.data.lengths.device)
    rows += [_last(known, v, noises, zero) for v in known.unsure]
    empty = Linear(zero.new_zeros(1, 1, 0, known.length), zero, zero.new_zeros(1, 1, 0, 0))
    return _stacked(rows) if rows else empty


def _stacked(parts: Sequence[Linear]) -> Linear:
    """Vectors one below the other."""

    def joined(blocks: Sequence[Tensor], axis: int) -> Tensor:
        shape = torch.broadcast_shapes(*(x.shape[:2] for x in blocks))
        return torch.cat([x.expand(*shape, *x.shape[2:]) for x in blocks], axis)

    return Linear(
        joined([x.by_state for x in parts], -2),
        joined([x.constant for x in parts], -1),
        joined([x.by_noise for x in parts], -2),
    )


def _along(first: Tensor, later: Tensor, moves: int) -> Tensor:
    """The first step and the later ones along the time axis."""
    rows = max(len(first), len(later))
    later = later.expand(rows, moves, *later.shape[2:])
    return torch.cat([first.expand(rows, 1, *first.shape[2:]), later], 1)
