"""A question reduced by its evidence: the terms that matter, as tables and linear relations over what is not observed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import PlanError
from ..model import Model
from ..plan import NONE
from .canonical import Block, Canonical, table
from .cases import Case
from .terms import Reader, Relation

SINGULAR = 1e-12  # share of the largest noise variance below which noise keeps its multipliers


@dataclass(frozen=True, eq=False)
class Problem:
    """What is left of a model for one case of evidence.

    Args:
        model: the model.
        case: the evidence.
        sources: where each part comes from, as `Leaf.source` says.
        parts: tables and quadratic potentials as factors, Gaussian conditionals as relations.
        like: an empty tensor of the precision and device to work with.
    """

    model: Model
    case: Case
    sources: tuple[int, ...]
    parts: tuple[Canonical | Relation, ...]
    like: Tensor

    @cached_property
    def singular(self) -> frozenset[int]:
        """The children of conditionals whose noise has no spread in some direction."""
        spread = {part.child: _spread(part.root) for part in self.parts if isinstance(part, Relation)}
        limit = SINGULAR * max((most for _, most in spread.values()), default=0.0)
        return frozenset(child for child, (least, _) in spread.items() if least <= limit)

    @cached_property
    def blocks(self) -> dict[int, Block]:
        """The coordinates of every numeric variable that is left."""
        numeric = {v for part in self.parts for v in (part.maps if isinstance(part, Relation) else part.numeric)}
        found = {}
        for v in sorted(numeric | self.singular):
            hidden, length = len(self.case.hidden[v]), self._length(v)
            found[v] = Block(hidden, hidden, length - hidden) if v in self.singular else Block(0, hidden, 0)
        return found

    @cached_property
    def scopes(self) -> tuple[tuple[int, ...], ...]:
        """The scope of each part."""
        return tuple(self._scope(part) for part in self.parts)

    def _length(self, v: int) -> int:
        shape = torch.Size(self.model.variables[v].shape)
        return shape.numel()

    def _scope(self, part: Canonical | Relation) -> tuple[int, ...]:
        if isinstance(part, Canonical):
            return part.finite + part.numeric
        own = (part.child,) if part.child in self.singular and part.child not in part.maps else ()
        return (*part.finite, *part.maps, *own)

    def name(self, v: int) -> str:
        return self.model.graph.names[v]


def _spread(root: Tensor) -> tuple[float, float]:
    """The least and the largest variance of noise in any direction and state."""
    values = torch.linalg.svdvals(root.detach()).square()
    return float(values.min()), float(values.max())


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
    reader, sources, parts = Reader(model, case, like), [], []
    for number, (term, graph_term) in enumerate(zip(model.terms, model.graph.terms, strict=True)):
        if graph_term.child is None or graph_term.child in needed:
            sources.append(number)
            parts.append(reader.read(term))
    for v, vector in case.soft.items():
        if v not in case.hard:
            sources.append(len(model.terms) + v)
            parts.append(table((v,), torch.where(vector > 0, vector, 1.0).log().masked_fill(vector == 0, -torch.inf)))
    held = {v for part in parts for v in part.finite}
    number = model.graph.numbers
    for v in sorted(number[name] for name in needed):
        if model.variables[v].finite and v not in held and v not in case.hard:
            sources.append(NONE)
            parts.append(table((v,), like.new_zeros(1, model.variables[v].size)))
    problem = Problem(model, case, tuple(sources), tuple(parts), like)
    loose = next((v for v in wanted if case.hidden.get(v) and v not in problem.blocks), None)
    if loose is not None:
        raise PlanError(f"{model.graph.names[loose]!r} is numeric and in no conditional or potential; give it one.")
    return problem


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
