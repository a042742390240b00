"""Hill climbing over directed acyclic graphs: one arrow added, removed or reversed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..errors import GraphError
from ..graph import Graph, Structured
from .columns import Columns, Data
from .learned import Learned, directed_graph
from .scores import Score, bic

Pairs = Iterable[tuple[str, str]]
Progress = Callable[[int, float], object]
ADD, REMOVE, REVERSE = range(3)
GAIN = 1e-9  # what counts as better, as a share of the score: rounding is less
DROPPED = 0.5  # share of the arrows that a fresh start leaves out


def hill_climb(
    data: Data,
    score: Callable[[Data], Score] = bic,
    *,
    max_parents: int | None = None,
    forbidden: Pairs = (),
    required: Pairs = (),
    start: Structured | None = None,
    tabu: int = 10,
    restarts: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> Learned:
    """Climb to a graph whose score no single change of an arrow betters: argmax over additions, removals, reversals.

    The best change is made at each step, even one that loses; the pair of variables it touched is then left alone
    for `tabu` steps, unless a change of it leads to the best graph of this climb. A climb ends after `tabu` steps in
    a row without a new best graph; then half of the arrows of the best graph of all, drawn at random, are left out
    and the next climb begins there. Ctrl-C ends the search early; the best graph so far is returned.

    Args:
        data: see `Columns.of`.
        score: a function from data to a `Score`, such as `bic`, or `partial(bdeu, equivalent_sample_size=10)`.
        max_parents: how many parents a variable may have.
        forbidden: arrows (parent, child) that must not be in the graph.
        required: arrows (parent, child) that must be.
        start: the graph to begin with; by default the required arrows alone.
        tabu: see above; with 0 a climb ends at the first graph that cannot be bettered.
        restarts: how many climbs follow the first.
        seed: of the arrows left out.
        progress: called after each step with the number of steps and the best score so far.

    Raises:
        GraphError: on an unknown name, arrows both required and forbidden, or a start that breaks a rule.

    Example:
        >>> wet = {"rain": [0, 0, 1, 1] * 9, "wet": [0, 0, 1, 1] * 9, "day": [0, 1] * 18}
        >>> learned = hill_climb(wet)
        >>> learned, learned.graph.parents["wet"]
        (Learned(1 arrows, score -57.07, 18 steps), ('rain',))

    Reference: Heckerman, Geiger and Chickering (1995), Learning Bayesian networks; Bouckaert (1995) for the tabu list.
    """
    columns = Columns.of(data)
    limit = len(columns.names) if max_parents is None else max_parents
    rules = _Rules(_arrows(columns, required, "required"), _arrows(columns, forbidden, "forbidden"), limit)
    arrows = rules.kept if start is None else _arrows(columns, _pairs(start), "start")
    _graph(columns, arrows)  # raises on a cycle
    _check(columns.names, rules, arrows)
    search = _begin(score(columns), rules, arrows)
    return _best(search, columns, tabu, restarts, np.random.default_rng(seed), progress)


@dataclass(frozen=True, eq=False)
class _Rules:
    """Arrows [parent, child] that must be there, those that must not, and the parents that a variable may have."""

    kept: np.ndarray
    banned: np.ndarray
    limit: int


@dataclass(frozen=True, eq=False)
class _Step:
    """A change of the arrow from `parent` to `child`, by place."""

    kind: int  # ADD, REMOVE or REVERSE
    parent: int
    child: int
    gain: float


@dataclass(frozen=True, eq=False)
class _Search:
    """Where a search stands; the arrays change from step to step, and [a, b] is about the arrow from a to b.

    Args:
        rules: what every graph must obey.
        family: the score of a family.
        families: the scores of a family with each variable as one more parent.
        arrows: the graph.
        reach: whether a path of arrows leads from a to b, or a is b.
        adds: what an addition gains, even one that would close a cycle; -inf where there is an arrow.
        removes: what a removal gains; -inf where there is no arrow.
    """

    rules: _Rules
    family: Callable[[int, tuple[int, ...]], float]
    families: Callable[[int, tuple[int, ...]], np.ndarray]
    arrows: np.ndarray
    reach: np.ndarray
    adds: np.ndarray
    removes: np.ndarray

    def score(self) -> float:
        """The score of the graph."""
        return sum(self.family(child, self.parents(child)) for child in range(len(self.arrows)))

    def parents(self, child: int) -> tuple[int, ...]:
        """The places of the parents of a child."""
        return tuple(np.flatnonzero(self.arrows[:, child]).tolist())

    def best_step(self, tabu: np.ndarray, missing: float) -> _Step:
        """The step that gains most; where `tabu` holds only if it gains more than is `missing` to a new best graph."""
        full = self.arrows.sum(0) >= self.rules.limit
        adds = np.where(self.reach.T | full, -np.inf, self.adds)
        gains = np.stack([adds, self.removes, self._reverses(full)])  # in the order of the kinds
        gains[:, tabu] = np.where(gains[:, tabu] > missing, gains[:, tabu], -np.inf)
        kind, parent, child = np.unravel_index(gains.argmax(), gains.shape)
        return _Step(int(kind), int(parent), int(child), float(gains[kind, parent, child]))

    def _reverses(self, full: np.ndarray) -> np.ndarray:
        """What a reversal gains; -inf where there is no arrow, or where it would close a cycle."""
        gains = np.full_like(self.removes, -np.inf)
        tails, heads = np.nonzero(self.arrows)
        detours = (self.reach[tails] & self.arrows[:, heads].T).sum(1) > 1  # the tail is always a way to the head
        turned = self.removes[tails, heads] + self.adds[heads, tails]
        gains[tails, heads] = np.where(detours | full[tails], -np.inf, turned)
        return gains

    def make(self, step: _Step) -> None:
        """Change the graph and all that depends on it."""
        parent, child = step.parent, step.child
        if step.kind == ADD:
            self._connect(parent, child)
        else:
            self._disconnect(parent, child)
        if step.kind == REVERSE:
            self._connect(child, parent)
            self.refresh(parent)
        self.refresh(child)

    def become(self, arrows: np.ndarray) -> None:
        """Go over to another graph."""
        changed = np.flatnonzero((self.arrows != arrows).any(0))
        for parent, child in np.argwhere(self.arrows & ~arrows):
            self._disconnect(parent, child)
        for parent, child in np.argwhere(arrows & ~self.arrows):
            self._connect(parent, child)
        for child in changed.tolist():
            self.refresh(child)

    def _connect(self, parent: int, child: int) -> None:
        self.arrows[parent, child] = True
        self.reach[:] |= np.outer(self.reach[:, parent], self.reach[child])

    def _disconnect(self, parent: int, child: int) -> None:
        """Only what could reach the parent can lose paths; who reaches fewer is nearer the leaves and goes first."""
        self.arrows[parent, child] = False
        above = np.flatnonzero(self.reach[:, parent])
        for place in above[np.argsort(self.reach[above].sum(1), kind="stable")]:
            self.reach[place] = self.reach[self.arrows[place]].any(0)
            self.reach[place, place] = True

    def refresh(self, child: int) -> None:
        """Score the changes of one family anew."""
        parents = self.parents(child)
        now = self.family(child, parents)
        self.adds[:, child] = self.families(child, parents) - now
        self.adds[self.rules.banned[:, child], child] = -np.inf
        self.removes[:, child] = -np.inf
        for parent in (each for each in parents if not self.rules.kept[each, child]):
            rest = tuple(each for each in parents if each != parent)
            self.removes[parent, child] = self.family(child, rest) - now


def _begin(score: Score, rules: _Rules, arrows: np.ndarray) -> _Search:
    """A search that has scored each family once, and remembers all scores that it will ask for."""
    count = len(arrows)

    @cache
    def family(child: int, parents: tuple[int, ...]) -> float:
        return float(score.families(child, parents, np.array([-1]))[0])

    @cache
    def families(child: int, parents: tuple[int, ...]) -> np.ndarray:
        others = np.array([v for v in range(count) if v != child and v not in parents], dtype=np.int64)
        found = np.full(count, -np.inf)
        found[others] = score.families(child, parents, others)
        return found

    empty = np.full((count, count), -np.inf)
    search = _Search(rules, family, families, np.zeros_like(arrows), np.eye(count, dtype=bool), empty, empty.copy())
    for child in range(count):
        search.refresh(child)
    search.become(arrows)
    return search


def _best(
    search: _Search,
    columns: Columns,
    tabu: int,
    restarts: int,
    generator: np.random.Generator,
    progress: Progress | None,
) -> Learned:
    """The best graph of all climbs."""
    best, graph, trace, finished = search.score(), search.arrows.copy(), [], True
    try:
        for climb in range(1 + restarts):
            if climb:
                search.become(graph & (search.rules.kept | (generator.random(graph.shape) >= DROPPED)))
            for score in _climb(search, tabu):
                trace.append(score)
                if score > best + GAIN * abs(best):
                    best, graph = score, search.arrows.copy()
                if progress is not None:
                    progress(len(trace), best)
    except KeyboardInterrupt:
        finished = False
    return Learned(_graph(columns, graph), best, tuple(trace), finished)


def _climb(search: _Search, tabu: int) -> Iterator[float]:
    """Steps until the best graph is `tabu` steps ago; yields the score after each."""
    score = best = search.score()
    touched = np.full(search.arrows.shape, -np.inf)  # the step at which each pair was changed last
    made = made_at_best = 0
    while True:
        missing = best - score + GAIN * abs(best)
        step = search.best_step(touched >= made - tabu, missing)
        if step.gain == -np.inf or (step.gain <= missing and made - made_at_best >= tabu):
            return
        touched[[step.parent, step.child], [step.child, step.parent]] = made
        search.make(step)
        score, made = score + step.gain, made + 1
        if step.gain > missing:
            best, made_at_best = score, made
        yield score


def _pairs(graph: Structured) -> Pairs:
    return [(parent, child) for child, parents in graph.graph.parents.items() for parent in parents]


def _arrows(columns: Columns, pairs: Pairs, subject: str) -> np.ndarray:
    """Arrows as a matrix `[parent, child]`."""
    found = np.zeros((len(columns.names), len(columns.names)), dtype=bool)
    found[tuple(columns.pairs(pairs, f"hill_climb: {subject}").T)] = True
    return found


def _graph(columns: Columns, arrows: np.ndarray) -> Graph:
    names = columns.names
    parents = {names[v]: [names[u] for u in np.flatnonzero(arrows[:, v])] for v in range(len(names))}
    return directed_graph(columns.variables, parents)


def _check(names: tuple[str, ...], rules: _Rules, arrows: np.ndarray) -> None:
    """Raise a `GraphError` when the graph to begin with breaks a rule."""
    broken = [
        (arrows & rules.banned, "is in the graph to begin with and is forbidden; drop one of the two."),
        (rules.kept & ~arrows, "is required and not in the graph to begin with; add it there."),
    ]
    for where, why in broken:
        for parent, child in np.argwhere(where)[:1]:
            raise GraphError(f"hill_climb: the arrow {names[parent]!r} -> {names[child]!r} {why}")
    for child in np.flatnonzero(arrows.sum(0) > rules.limit)[:1]:
        raise GraphError(
            f"hill_climb: {names[child]!r} has {arrows[:, child].sum()} parents to begin with, more than "
            f"max_parents={rules.limit}; raise it, or begin with fewer."
        )
