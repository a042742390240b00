"""Which part of a structure a question needs: barren and separated parts are dropped before any search.

Sets of variables are integers used as bit masks: unions and subset tests over a thousand variables cost
nanoseconds, and large networks have hundreds of targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .compiled.elimination import moral_matrix
from .compiled.parts import belongs_to, restricted
from .graph import Graph
from .order import flatten


@dataclass(frozen=True)
class Structure:
    """A graph by numbers.

    Args:
        sizes: number of states of each variable.
        scopes: variables of each term, a child last.
        children: child of each term, -1 for a potential.
    """

    sizes: tuple[int, ...]
    scopes: tuple[tuple[int, ...], ...]
    children: tuple[int, ...]


def structure_of(graph: Graph) -> Structure:
    """The graph by numbers: variables in the graph's order, terms in the graph's order."""
    children = tuple(scope[-1] if term.child else -1 for scope, term in zip(graph.scopes, graph.terms, strict=True))
    return Structure(graph.sizes, graph.scopes, children)


def mask_of(variables: Iterable[int]) -> int:
    """Variable numbers as a bit mask."""
    mask = 0
    for variable in variables:
        mask |= 1 << variable
    return mask


def bits(mask: int) -> Iterator[int]:
    """The variable numbers in a bit mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Relevance:
    """The parts that questions need, given which variables are observed.

    A conditional matters to a target only when its child is an ancestor of the target, of the evidence or of a
    potential (which acts as an observed common child); of those, only what is connected to the target once the
    observed variables are taken out.

    Args:
        structure: the graph by numbers.
        topological: variable numbers, parents first.
        observed: variable numbers with a known state.

    Reference: Shachter (1998), Bayes-ball.
    """

    def __init__(self, structure: Structure, topological: Sequence[int], observed: Iterable[int]) -> None:
        count = len(structure.sizes)
        self.structure = structure
        self.observed = mask_of(observed)
        self.starts, self.members = flatten(structure.scopes)
        # A term is anchored to its child; without one, or with an observed one, it belongs wherever its scope is.
        self.anchors = np.array([c if c >= 0 and not self.observed >> c & 1 else -1 for c in structure.children])
        self.parents = [0] * count
        for scope, child in zip(structure.scopes, structure.children, strict=True):
            if child >= 0:
                self.parents[child] = mask_of(scope[:-1])
        self.ancestors = self._ancestors(topological)
        potentials = (v for s, c in zip(structure.scopes, structure.children, strict=True) if c < 0 for v in s)
        self.base = 0
        for variable in (*bits(self.observed), *potentials):
            self.base |= self.ancestors[variable]
        self.components = self._components()
        self.above = self._above(topological)

    def part(self, target: Iterable[int]) -> int:
        """The mask of unobserved variables that matter to a target scope, itself included."""
        mask = 0
        for variable in target:
            if self.observed >> variable & 1:
                continue
            outside = self.ancestors[variable] & ~self.base
            touched = self.above[variable] if outside else 1 << variable
            mask |= outside
            for component in self.components:
                if component & touched:
                    mask |= component
        return mask

    def inside(self, part: int) -> np.ndarray:
        """A part as an array of booleans, one a variable."""
        count = len(self.structure.sizes)
        raw = np.frombuffer(part.to_bytes(count // 8 + 1, "little"), dtype=np.uint8)
        return np.unpackbits(raw, bitorder="little", count=count).astype(np.bool_)

    def terms(self, part: int) -> list[int]:
        """The numbers of the terms that belong to a part: its conditionals, evidence on it, its potentials."""
        return np.flatnonzero(belongs_to(self.starts, self.members, self.anchors, self.inside(part))).tolist()

    def matrix(self, part: int, cliques: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        """The variables of a part and the bit matrix of its moral graph, in which each of `cliques` is complete."""
        inside = self.inside(part)
        local = np.cumsum(inside) - 1
        belongs = belongs_to(self.starts, self.members, self.anchors, inside)
        starts, members = restricted(self.starts, self.members, inside, belongs, local)
        if cliques:
            starts, members = _with_cliques(starts, members, [[int(local[v]) for v in clique] for clique in cliques])
        return np.flatnonzero(inside), moral_matrix(int(local[-1]) + 1, starts, members)

    def settled(self) -> list[int]:
        """The terms whose variables are all observed: constants of the evidence's probability."""
        scopes = self.structure.scopes
        return [number for number, scope in enumerate(scopes) if all(self.observed >> v & 1 for v in scope)]

    def _ancestors(self, topological: Sequence[int]) -> list[int]:
        """For each variable the mask of itself and all its ancestors."""
        found = [0] * len(self.parents)
        for variable in topological:
            mask = 1 << variable
            for parent in bits(self.parents[variable]):
                mask |= found[parent]
            found[variable] = mask
        return found

    def _above(self, topological: Sequence[int]) -> list[int]:
        """For each variable outside the base, the parents met while climbing to the base."""
        found = [0] * len(self.parents)
        for variable in topological:
            if not self.base >> variable & 1:
                mask = self.parents[variable]
                for parent in bits(mask & ~self.base):
                    mask |= found[parent]
                found[variable] = mask
        return found

    def _components(self) -> list[int]:
        """Masks of the unobserved variables of the base, one for each connected component."""
        masks = {v: 1 << v for v in bits(self.base & ~self.observed)}
        leader = {v: v for v in masks}
        for scope, child in zip(self.structure.scopes, self.structure.children, strict=True):
            if child >= 0 and not self.base >> child & 1:
                continue
            free = [v for v in scope if v in leader]
            for other in free[1:]:
                _merge(leader, masks, free[0], other)
        return list(masks.values())


def _merge(leader: dict[int, int], masks: dict[int, int], one: int, other: int) -> None:
    """Join the components of two variables; `masks` keeps one entry for each leader."""
    one, other = _leader(leader, one), _leader(leader, other)
    if one != other:
        leader[other] = one
        masks[one] |= masks.pop(other)


def _leader(leader: dict[int, int], variable: int) -> int:
    while leader[variable] != variable:
        leader[variable] = variable = leader[leader[variable]]
    return variable


def _with_cliques(starts: np.ndarray, members: np.ndarray, cliques: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    more_starts, more_members = flatten(cliques)
    return np.concatenate([starts, starts[-1] + more_starts[1:]]), np.concatenate([members, more_members])
