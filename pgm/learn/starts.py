"""Where EM starts: states that nothing tells apart, and random parameters that tell them apart."""

from __future__ import annotations

from collections.abc import Set
from itertools import combinations

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
from .statistics import Counts, Part, Scatter, Statistics, learnable, shared_axes


@torch.no_grad()
def indistinct(model: Model, hidden: Set[str]) -> bool:
    """Whether some hidden variable has two states with the same effect on all of its children."""
    return any(_has_twins(model, name) for name in hidden if model.graph.children[name])


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
    model: Model, statistics: Statistics, prior: Priors, hidden: Set[str], generator: torch.Generator
) -> None:
    """Parameters that fit the statistics with the states of hidden variables taken together, then moved at random."""
    for tie, part in zip(learnable(model), statistics.parts, strict=True):
        term = tie.original
        axes = [axis for axis, v in enumerate(_cells(tie.copies[0])) if v.name in hidden]
        write(term, _together(part, axes), prior)
        if axes or tie.copies[0].scope[-1].name in hidden:
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
        made = term.regression()
        noise = torch.randn(made.bias.shape, dtype=torch.float64, generator=generator).to(made.bias)
        moved = made.bias + (made.scale @ noise.unsqueeze(-1)).squeeze(-1)
        for axis in shared_axes(term, term.bias):
            moved = moved.narrow(axis, 0, 1)
        term.bias.copy_(moved.reshape(term.bias.shape))
