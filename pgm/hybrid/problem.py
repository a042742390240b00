"""A question reduced by its evidence: the terms that matter, as forms over what is not observed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ..errors import PlanError
from ..model import Model
from ..plan import NONE
from .canonical import Block, Canonical, table, tolerance
from .cases import Case
from .leaves import Part, Plain, part_of
from .terms import Reader, Relation

SINGULAR = 0.89  # exponent of epsilon: the share of the largest variance below which noise keeps its multipliers


@dataclass(frozen=True, eq=False)
class Problem:
    """What is left of a model for one case of evidence.

    Args:
        model: the model.
        case: the evidence.
        sources: where each part comes from, as `Leaf.source` says.
        parts: what the terms say about what is not observed.
        blocks: the coordinates of every numeric variable that is left.
        like: an empty tensor of the precision and device to work with.
    """

    model: Model
    case: Case
    sources: tuple[int, ...]
    parts: tuple[Part, ...]
    blocks: dict[int, Block]
    like: Tensor

    @property
    def scopes(self) -> tuple[tuple[int, ...], ...]:
        """The scope of each part."""
        factors = (part.factor if isinstance(part, Plain) else part for part in self.parts)
        return tuple(factor.finite + factor.numeric for factor in factors)


def reduced(model: Model, case: Case, wanted: Collection[int], like: Tensor) -> Problem:
    """The problem of finding out about variables, without the terms that cannot matter to them or to the evidence.

    Args:
        model: the model.
        case: the evidence, with all that can be computed from it.
        wanted: numbers of the variables asked for.
        like: an empty tensor of the precision and device to work with.

    Raises:
        PlanError: when a term that matters is neither a table nor linear and Gaussian in its hidden numbers.
    """
    needed = relevant(model, {*wanted, *case.given})
    reader, number = Reader(model, case, like), model.graph.numbers
    sources: list[int] = []
    parts: list[Canonical | Relation] = []
    for place, (term, graph_term) in enumerate(zip(model.terms, model.graph.terms, strict=True)):
        if graph_term.child is None or graph_term.child in needed:
            sources.append(place)
            parts.append(reader.read(term))
    for v, vector in case.soft.items():
        if v not in case.hard:
            sources.append(len(model.terms) + v)
            parts.append(table((v,), torch.where(vector > 0, vector, 1.0).log().masked_fill(vector == 0, -torch.inf)))
    held = {v for part in parts for v in part.finite}
    for v in sorted(number[name] for name in needed):
        if model.variables[v].finite and v not in held and v not in case.hard:
            sources.append(NONE)
            parts.append(table((v,), like.new_zeros(1, model.variables[v].size)))
    singular = _singular([part for part in parts if isinstance(part, Relation)], like)
    blocks = _blocks(model, case, parts, singular)
    loose = next((v for v in wanted if case.hidden.get(v) and v not in blocks), None)
    if loose is not None:
        raise PlanError(f"{model.graph.names[loose]!r} is numeric and in no conditional or potential; give it one.")
    return Problem(model, case, tuple(sources), tuple(part_of(p, singular, blocks) for p in parts), blocks, like)


def _singular(relations: Collection[Relation], like: Tensor) -> set[int]:
    """The children of conditionals whose noise has next to no spread in some direction."""
    largest = max((each.spread[1] for each in relations), default=0.0)
    return {each.child for each in relations if each.spread[0] <= tolerance(like, SINGULAR) * largest}


def _blocks(model: Model, case: Case, parts: Iterable[Canonical | Relation], singular: set[int]) -> dict[int, Block]:
    numeric = {v for part in parts for v in (part.maps if isinstance(part, Relation) else part.numeric)}
    found = {}
    for v in sorted(numeric | singular):
        hidden = len(case.hidden[v])
        seen = prod(model.variables[v].shape) - hidden
        found[v] = Block(hidden, hidden, seen) if v in singular else Block(0, hidden, 0)
    return found


def relevant(model: Model, variables: Collection[int]) -> set[str]:
    """The names of variables, of those in potentials, and of the ancestors of all these."""
    names = model.graph.names
    waiting = [names[v] for v in variables]
    waiting += [name for term in model.graph.terms if term.child is None for name in term.scope]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(model.graph.parents[name])
    return found
