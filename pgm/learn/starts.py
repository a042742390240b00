"""Where EM starts: states that nothing tells apart, and random parameters that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import combinations
from math import prod

import torch
from torch import Tensor

from ..conditionals import Conditional, Tabular
from ..counts import Tallied
from ..gaussians import GaussianConditional
from ..model import Model
from ..terms import Local
from ..variable import Variable
from .closed_form import write
from .priors import Priors
from .statistics import Counts, Part, Scatter, Tied, shared_axes


@torch.no_grad()
def indistinct(model: Model, hidden: Set[str]) -> bool:
    """Whether some hidden variable has two states, or two numbers, with the same effect on all of its children."""
    named = [name for name in hidden if model.graph.children[name]]
    return any(_has_twins(model, name) if model[name].finite else _is_idle(model, name) for name in named)


def _is_idle(model: Model, name: str) -> bool:
    """Whether a hidden vector has a number without effect on its children, or two with the same."""
    children = [model.conditionals[child] for child in model.graph.children[name]]
    if not all(isinstance(child, GaussianConditional) for child in children):
        return False
    rows = torch.cat([_effects(child, name) for child in children if isinstance(child, GaussianConditional)], 1)
    pairs = combinations(range(len(rows)), 2)
    return not bool(rows.any(1).all()) or any(torch.equal(rows[i], rows[j]) for i, j in pairs)


def _effects(child: GaussianConditional, name: str) -> Tensor:
    """The weights of one numeric parent, `[its numbers, all else]`."""
    lengths = [prod(parent.shape) for parent in child.real]
    place = [parent.name for parent in child.real].index(name)
    weights = child.regression().weights.split(lengths, -2)[place]
    return weights.movedim(-2, 0).flatten(1)


def _has_twins(model: Model, name: str) -> bool:
    """Whether two states have equal slices in the conditionals of all children."""
    children = [model.conditionals[child] for child in model.graph.children[name]]
    slices = [tensor.movedim(axis, 0) for child in children for axis, tensor in _tables(child, name)]
    known = all(child.enumerable or isinstance(child, Tallied | GaussianConditional) for child in children)
    pairs = combinations(range(model[name].size), 2)
    return known and any(all(torch.equal(each[i], each[j]) for each in slices) for i, j in pairs)


def _tables(child: Conditional, name: str) -> list[tuple[int, Tensor]]:
    """What a conditional says for each state of a parent: tensors, and the parent's axis in them."""
    if isinstance(child, GaussianConditional):
        made = child.regression()
        axis = [parent.name for parent in child.finite].index(name)
        return [(axis, made.weights), (axis, made.bias), (axis, made.scale)]
    if isinstance(child, Tallied):
        return [([parent.name for parent in child.given].index(name), child.table)]
    if not child.enumerable:
        return []
    return [([v.name for v in child.scope].index(name), child.factor().ordered(child.scope))]


@torch.no_grad()
def random_start(
    found: Iterable[tuple[Tied, Part]], prior: Priors, hidden: Set[str], generator: torch.Generator
) -> None:
    """Parameters that fit the statistics with the states of hidden variables taken together, then moved at random."""
    for tie, part in found:
        term = tie.original
        axes = [axis for axis, v in enumerate(_cells(tie.copies[0])) if v.name in hidden]
        write(term, _together(part, axes), prior)
        if any(v.name in hidden for v in tie.copies[0].scope):
            _move(term, generator)


def _cells(term: Local) -> list[Variable]:
    """The finite parents, one axis each."""
    return [v for v in term.scope[:-1] if v.finite]


def _together(part: Part, axes: list[int]) -> Part:
    """The statistics in which all states along some axes have those of all of them."""
    if not axes:
        return part
    if isinstance(part, Counts):
        return Counts(part.values.sum(axes, keepdim=True).expand_as(part.values))
    pooled = part.pooled(axes, keep=True)
    pairs = zip(pooled.tensors, part.tensors, strict=True)
    return Scatter(*(one.expand_as(other) for one, other in pairs))


def _move(term: Local, generator: torch.Generator) -> None:
    if isinstance(term, Tabular | Tallied):
        drawn = torch.empty(term.table.shape, dtype=torch.float64).exponential_(generator=generator)
        moved = (term.table + (drawn / drawn.sum(-1, keepdim=True)).to(term.table)) / 2
        if isinstance(term, Tallied):
            term.probabilities.copy_(term.from_table(moved))
        else:
            term.table.copy_(moved)
    elif isinstance(term, GaussianConditional):
        _move_regression(term, generator)


def _move_regression(term: GaussianConditional, generator: torch.Generator) -> None:
    """Each bias, and each row of weights, by a draw of the noise."""
    made = term.regression()
    for parameter, values in ((term.bias, made.bias.unsqueeze(-2)), (term.weights, made.weights)):
        noise = torch.randn(values.shape, dtype=torch.float64, generator=generator).to(values)
        moved = values + noise @ made.scale.mT
        for axis in shared_axes(term, parameter):
            moved = moved.narrow(axis, 0, 1)
        parameter.copy_(moved.reshape(parameter.shape))
