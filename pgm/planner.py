"""From a query to a plan: what is relevant, in which order, as one tree or several."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np

from .compiled.elimination import WEIGHTED_MIN_FILL
from .contraction import contract
from .graph import Graph
from .order import HOPELESS, RULES, WORTH_SEARCHING, randomised, search_matrix
from .order_cache import key_of, read_orders, write_orders
from .plan import NONE, Leaf, Plan, Query, Tree
from .relevance import Relevance, Structure, bits, mask_of, structure_of

SECONDS_PER_ENTRY = 5e-9  # search time worth spending for each table entry that an answer will touch
SECONDS_AT_MOST = 2.0
WORTH_KEEPING = 0.05  # seconds of search from which its result is kept on disk
DEARER = 4.0  # how many times the dense cost of the best plan a variant may have
VARIABLE_OVERHEAD = 16.0  # entries that a tree costs for each variable besides its cliques


def make_plan(graph: Graph, query: Query, seconds: float | None = None) -> Plan:
    """Compile a query into a plan, from structure alone.

    Args:
        graph: the structure.
        query: what is asked.
        seconds: time budget of the order search; by default in proportion to the cost of an answer, at most 2 s.
    """
    return Planner(graph, query, seconds).plan()


@dataclass(frozen=True)
class Candidate:
    """A part of the structure with the elimination order found for it and that order's cost."""

    part: int
    order: tuple[int, ...]
    cost: float


class Planner:
    """Holds what the steps of planning one query share."""

    def __init__(self, graph: Graph, query: Query, seconds: float | None) -> None:
        plain = structure_of(graph)
        self.graph, self.query = graph, query
        self.variant = 0
        self.known: dict[str, list[Candidate]] = {}
        self.seconds = seconds
        self.sizes = plain.sizes
        self.weights = np.asarray(self.sizes, dtype=float)
        directed = {child for child in plain.children if child >= 0}
        potentials = [scope for scope, child in zip(plain.scopes, plain.children, strict=True) if child < 0]
        alone = set(range(len(self.sizes))).difference(directed, *potentials)
        soft = sorted(query.soft)
        # A likelihood is a potential of one variable; one that is at most a parent gets a constant, to be summed over.
        self.sources = [*range(len(plain.scopes)), *(len(plain.scopes) + v for v in soft), *(NONE for _ in alone)]
        extra = tuple((v,) for v in (*soft, *sorted(alone)))
        self.structure = Structure(self.sizes, plain.scopes + extra, plain.children + (-1,) * len(extra))
        number = graph.numbers
        self.relevance = Relevance(self.structure, [number[name] for name in graph.topological], query.observed)
        self.targets = [
            (place, scope)
            for place, target in enumerate(query.targets)
            if (scope := tuple(v for v in target if v not in query.observed))
        ]
        several = query.task == "marginal" and len(self.targets) > 1  # a lone target is kept in the root instead
        self.joints = [scope for _, scope in self.targets if several and len(scope) > 1]

    def plan(self, variant: int = 0) -> Plan:
        """The plan found best by dense cost, or (variant 1, 2, ...) another one of about that cost.

        How many entries of the tables are zero decides which of them runs fastest, and structure does not tell that.
        """
        self.variant = variant
        return Plan(self.graph, self.query, self._trees())

    def _trees(self) -> tuple[Tree, ...]:
        """The trees of the plan, the constants of the evidence first."""
        constants = [Leaf(self.sources[number], ()) for number in self.relevance.settled()]
        first = (contract(constants, self.sizes, ()),) if constants else ()
        if self.query.task == "marginal" and len(self.targets) > 1:
            return first + self._many()
        return first + self._one()

    def _one(self) -> tuple[Tree, ...]:
        """One tree for one scope (kept in the root, maximised or sampled), and one for unrelated evidence."""
        scope = frozenset(v for _, target in self.targets for v in target)
        evidence = mask_of(v for part in self.relevance.components for v in bits(part))
        part = self.relevance.part(scope)
        trees = []
        if part:
            last = scope if self.query.task in ("marginal", "maximum") else frozenset()
            if self.query.task == "maximum" and mask_of(scope) == part:
                last = frozenset()  # nothing to sum first: any order will do
            trees.append(self._tree(self._varied(self._search(part, last), last), scope, evidence=True))
        if evidence & ~part:
            trees.append(self._tree(self._search(evidence & ~part), frozenset(), evidence=True))
        return tuple(trees)

    def _many(self) -> tuple[Tree, ...]:
        """All targets from one tree, or from one for each group that shares a relevant part, if that is cheaper."""
        parts: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for number, scope in self.targets:
            parts.setdefault(self.relevance.part(scope), []).append((number, scope))
        everything = reduce(or_, (*parts, *self.relevance.components), 0)
        single = self._greedy(everything, rules=RULES)
        chosen = [single]
        if single.cost > WORTH_SEARCHING:
            chosen = self._kept((everything, sorted(parts)), lambda: self._cheapest(single, parts))
        return self._reading([self._varied(candidate) for candidate in chosen], parts)

    def _cheapest(self, single: Candidate, parts: Collection[int]) -> list[Candidate]:
        """One tree for everything or one for each group of targets, each searched as long as it is worth."""
        chosen = [single]
        if len(parts) > 1:
            groups = self._groups(parts, single.cost)
            if sum(_total(group) for group in groups) < _total(single):
                chosen = groups
        return [self._searched(candidate, ()) for candidate in chosen]

    def _groups(self, parts: Collection[int], enough: float) -> list[Candidate]:
        """Parts no other part contains, joined with the part they overlap most wherever that is cheaper."""
        groups: list[Candidate] = []
        for part in _maximal(parts):
            found = self._greedy(part)
            near = sorted(groups, key=lambda group: -(group.part & part).bit_count())[:2]
            joined = [(self._greedy(group.part | part), group) for group in near if group.part & part]
            gains = [(_total(union) - _total(group) - _total(found), union, group) for union, group in joined]
            gain, union, group = min(gains, key=lambda each: each[0], default=(1.0, found, found))
            if gain <= 0:
                groups.remove(group)
                found = union
            groups.append(found)
            if sum(_total(each) for each in groups) > 4 * enough:
                break  # joining will not make up for this
        return groups

    def _reading(
        self, chosen: list[Candidate], parts: dict[int, list[tuple[int, tuple[int, ...]]]]
    ) -> tuple[Tree, ...]:
        """Trees that read each target once and count each component of the evidence once."""
        reads: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in chosen]
        for part, targets in parts.items():
            fitting = (place for place, candidate in enumerate(chosen) if not part & ~candidate.part)
            reads[min(fitting, key=lambda place: chosen[place].cost)].extend(targets)
        missing = list(self.relevance.components)
        trees = []
        for candidate, targets in zip(chosen, reads, strict=True):
            inside = [component for component in self.relevance.components if component & candidate.part]
            counts = all(component in missing for component in inside)
            missing = [component for component in missing if not (counts and component in inside)]
            if targets or (counts and inside):
                trees.append(self._tree(candidate, frozenset(), counts, targets))
        trees.extend(self._tree(self._search(component), frozenset(), evidence=True) for component in missing)
        return tuple(trees)

    def _search(self, part: int, last: Collection[int] = ()) -> Candidate:
        """An elimination order of one part, searched as long as it is worth; `last` come last."""
        found = self._greedy(part, last, RULES)
        if found.cost <= WORTH_SEARCHING:
            return found
        return self._kept((part, sorted(last)), lambda: [self._searched(found, last)])[0]

    def _greedy(self, part: int, last: Collection[int] = (), rules: Sequence[int] = (WEIGHTED_MIN_FILL,)) -> Candidate:
        """The best order that greedy rules find."""
        return self._candidate(part, last, 0.0, rules)

    def _searched(self, candidate: Candidate, last: Collection[int]) -> Candidate:
        """The same part, with a search as long as its cost is worth."""
        if candidate.cost <= WORTH_SEARCHING:
            return candidate
        again = self._candidate(candidate.part, last, self._budget(candidate.cost), RULES)
        return again if again.cost < candidate.cost else candidate

    def _varied(self, candidate: Candidate, last: Collection[int] = ()) -> Candidate:
        """Another order for the same part, as the variant says, unless it is much dearer."""
        if self.variant == 0 or candidate.cost <= WORTH_SEARCHING:
            return candidate
        variables, matrix, sizes, stage = self._matrix(candidate.part, last)
        order, cost = randomised(matrix, sizes, stage, self.variant)
        return (
            Candidate(candidate.part, tuple(variables[order].tolist()), cost)
            if cost < DEARER * candidate.cost
            else candidate
        )

    def _candidate(self, part: int, last: Collection[int], seconds: float, rules: Sequence[int]) -> Candidate:
        variables, matrix, sizes, stage = self._matrix(part, last)
        order, cost = search_matrix(matrix, sizes, stage, seconds, rules)
        return Candidate(part, tuple(variables[order].tolist()), cost)

    def _matrix(self, part: int, last: Collection[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The variables of a part, the bit matrix of its moral graph, their sizes and their stages."""
        cliques = [scope for scope in self.joints if not mask_of(scope) & ~part]
        variables, matrix = self.relevance.matrix(part, cliques)
        stage = np.zeros(len(variables), dtype=np.int64)
        if last:
            stage[np.isin(variables, list(last))] = 1
        return variables, matrix, self.weights[variables], stage

    def _kept(self, question: object, search: Callable[[], list[Candidate]]) -> list[Candidate]:
        """What an earlier run found for the same structure and question, or what a search finds now."""
        query = self.query
        observed = (sorted(query.observed), sorted(query.soft), query.targets, query.task)
        key = key_of(
            self.structure.sizes, self.structure.scopes, self.structure.children, observed, question, self.seconds
        )
        if key not in self.known:
            self.known[key] = self._looked_up(key, search)
        return self.known[key]

    def _looked_up(self, key: str, search: Callable[[], list[Candidate]]) -> list[Candidate]:
        known = read_orders(key)
        if known:
            return [Candidate(*each) for each in known]
        start = time.monotonic()
        found = search()
        if time.monotonic() - start > WORTH_KEEPING:
            write_orders(key, [(each.part, each.order, each.cost) for each in found])
        return found

    def _budget(self, cost: float) -> float:
        if self.seconds is not None:
            return self.seconds
        return min(cost * SECONDS_PER_ENTRY, SECONDS_AT_MOST) if cost < HOPELESS else 0.0

    def _tree(
        self,
        candidate: Candidate,
        scope: frozenset[int],
        evidence: bool,
        targets: Sequence[tuple[int, tuple[int, ...]]] = (),
    ) -> Tree:
        leaves = [
            Leaf(self.sources[number], tuple(v for v in self.structure.scopes[number] if candidate.part >> v & 1))
            for number in self.relevance.terms(candidate.part)
        ]
        held: dict[int, list[frozenset[int]]] = {}
        for leaf in leaves:
            for v in leaf.scope:
                held.setdefault(v, []).append(frozenset(leaf.scope))
        missing = [t for _, t in targets if not any(scope.issuperset(t) for scope in held.get(t[0], ()))]
        leaves += [Leaf(NONE, target) for target in missing]
        marginal, maximum = self.query.task == "marginal" and scope, self.query.task == "maximum" and scope
        return contract(
            leaves,
            self.sizes,
            candidate.order,
            kept=scope if marginal else (),
            maximised=scope if maximum else (),
            targets=self.targets if marginal else targets,
            evidence=evidence,
        )


def _total(candidate: Candidate) -> float:
    return candidate.cost + VARIABLE_OVERHEAD * len(candidate.order)


def _maximal(parts: Collection[int]) -> list[int]:
    """The parts that no other part contains, largest first."""
    found: list[int] = []
    for part in sorted(parts, key=int.bit_count, reverse=True):
        if not any(part & other == part for other in found):
            found.append(part)
    return found
