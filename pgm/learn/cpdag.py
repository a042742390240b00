"""Partially directed graphs: what all graphs that say the same about independence have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from ..errors import GraphError
from ..graph import Graph, Structured, Term
from ..variable import Variable, quoted
from .learned import directed_graph

Pair = tuple[str, str]


@dataclass(frozen=True)
class CPDAG:
    """A completed partially directed acyclic graph: one Markov equivalence class of directed graphs.

    Args:
        variables: all variables, in order.
        arrows: (parent, child) where all members of the class agree on the direction.
        lines: (a, b), a before b in the order of the variables, where they do not.

    Raises:
        GraphError: on a name that is no variable, or two links between one pair.

    Example:
        >>> a, b, c = (Variable(name) for name in "abc")
        >>> chain = Graph((a, b, c), (Term(("a",), "a"), Term(("a", "b"), "b"), Term(("b", "c"), "c")))
        >>> CPDAG.of(chain)
        CPDAG(3 variables: a -- b, b -- c)

    Reference: Andersson, Madigan and Perlman (1997), A characterization of Markov equivalence classes.
    """

    variables: tuple[Variable, ...]
    arrows: frozenset[Pair]
    lines: frozenset[Pair]

    def __post_init__(self) -> None:
        names = {variable.name for variable in self.variables}
        for pair in (*self.arrows, *self.lines):
            if not names.issuperset(pair):
                raise GraphError(f"CPDAG: the link {pair} names what is not a variable.")
        if len({frozenset(pair) for pair in (*self.arrows, *self.lines)}) < len(self.arrows) + len(self.lines):
            raise GraphError("CPDAG: two variables are linked twice; keep one arrow or one line.")

    @classmethod
    def of(cls, model: Structured) -> CPDAG:
        """The class that a directed graph belongs to: its arrows that are the same in every member, the rest as lines.

        Raises:
            GraphError: when the graph has potentials.
        """
        graph = model.graph
        if graph.kind != "directed" and graph.terms:
            raise GraphError(f"CPDAG: the graph is {graph.kind}, expected conditionals only.")
        linked = {frozenset((parent, child)) for child, parents in graph.parents.items() for parent in parents}
        met = {
            (parent, child)
            for child, parents in graph.parents.items()
            for one, other in combinations(parents, 2)
            if frozenset((one, other)) not in linked
            for parent in (one, other)
        }
        return completed(graph.variables, [tuple(pair) for pair in linked], met)  # type: ignore[misc]

    @cached_property
    def drawing(self) -> Graph:
        """Arrows as conditionals and lines as potentials, for `plot` and `to_networkx`; no model is meant by it."""
        parents: dict[str, list[str]] = {variable.name: [] for variable in self.variables}
        for parent, child in self._sorted(self.arrows):
            parents[child].append(parent)
        terms = [Term((*given, child), child) for child, given in parents.items() if given]
        return Graph(self.variables, (*terms, *(Term(pair) for pair in self._sorted(self.lines))))

    def extension(self) -> Graph:
        """A directed graph of the class: every line becomes an arrow, without a cycle or a new collider.

        Raises:
            GraphError: when there is none, which says that this is no CPDAG: data that is short of rows may give one.

        Example:
            >>> a, b = Variable("a"), Variable("b")
            >>> CPDAG((a, b), frozenset(), frozenset({("a", "b")})).extension().parents
            {'a': (), 'b': ('a',)}

        Reference: Dor and Tarsi (1992), A simple algorithm to construct a consistent extension.
        """
        near, into = _adjacency(self.variables, (*self.arrows, *self.lines), self.arrows)
        parents: dict[str, list[str]] = {}
        left = [variable.name for variable in self.variables]
        while left:
            leaf = next((name for name in reversed(left) if _may_be_last(name, left, near, into)), None)
            if leaf is None:
                raise GraphError(
                    f"CPDAG: no directed graph has these arrows and lines; the knot is {quoted(left)}. "
                    "More rows, or another alpha, may untie it."
                )
            left.remove(leaf)
            parents[leaf] = [name for name in left if name in near[leaf]]
        return directed_graph(self.variables, parents)

    def _sorted(self, pairs: Iterable[Pair]) -> list[Pair]:
        place = {variable.name: number for number, variable in enumerate(self.variables)}
        return sorted(pairs, key=lambda pair: (place[pair[0]], place[pair[1]]))

    def __repr__(self) -> str:
        links = [f"{a} -> {b}" for a, b in self._sorted(self.arrows)]
        links += [f"{a} -- {b}" for a, b in self._sorted(self.lines)]
        shown = ", ".join(links) if len(links) <= 6 else f"{len(self.arrows)} arrows, {len(self.lines)} lines"
        return f"CPDAG({len(self.variables)} variables: {shown or 'no links'})"


def completed(variables: Sequence[Variable], linked: Iterable[Pair], arrows: Iterable[Pair]) -> CPDAG:
    """A skeleton with some arrows, and all arrows that follow from them by the rules of Meek.

    A line becomes an arrow where its other direction would make a new collider (rule 1) or a cycle (rule 2), or where
    it would force one of these elsewhere (rules 3 and 4).

    Args:
        variables: all variables.
        linked: pairs of names, in any direction.
        arrows: those of them whose direction is known.

    Example:
        >>> a, b, c = (Variable(name) for name in "abc")
        >>> completed((a, b, c), [("a", "b"), ("b", "c")], [("a", "b")])
        CPDAG(3 variables: a -> b, b -> c)

    Reference: Meek (1995), Causal inference and causal explanation with background knowledge.
    """
    place = {variable.name: number for number, variable in enumerate(variables)}
    near, into = _adjacency(variables, linked, arrows)
    lines = {(a, b) for a in near for b in near[a] if a not in into[b] and b not in into[a]}  # both ways round
    waiting = sorted(lines, key=lambda pair: (place[pair[0]], place[pair[1]]))
    while waiting:
        a, b = waiting.pop()
        if (a, b) in lines and _follows(a, b, near, into):
            into[b].add(a)
            lines -= {(a, b), (b, a)}
            around = {a, b} | near[a] | near[b]
            waiting += sorted(pair for pair in lines if around.intersection(pair))
    return CPDAG(
        tuple(variables),
        frozenset((parent, child) for child in into for parent in into[child]),
        frozenset((a, b) for a, b in lines if place[a] < place[b]),
    )


def _follows(a: str, b: str, near: dict[str, set[str]], into: dict[str, set[str]]) -> bool:
    """Whether the line between a and b can only be an arrow from a to b."""
    if any(c not in near[b] and c != b for c in into[a]):
        return True  # rule 1: c -> a -- b
    if any(a in into[c] for c in into[b]):
        return True  # rule 2: a -> c -> b
    between = [c for c in into[b] if c in near[a] and c not in into[a]]  # a -- c -> b
    if any(d not in near[c] for c, d in combinations(between, 2)):
        return True  # rule 3: two of them that are not linked
    return any(d in near[a] and d not in near[b] for c in between for d in into[c])  # rule 4: a -- d -> c -> b


def _adjacency(
    variables: Sequence[Variable], linked: Iterable[Pair], arrows: Iterable[Pair]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """For each name those linked to it, and those with an arrow into it."""
    near: dict[str, set[str]] = {variable.name: set() for variable in variables}
    into: dict[str, set[str]] = {variable.name: set() for variable in variables}
    for a, b in linked:
        near[a].add(b)
        near[b].add(a)
    for parent, child in arrows:
        into[child].add(parent)
    return near, into


def _may_be_last(name: str, left: Sequence[str], near: dict[str, set[str]], into: dict[str, set[str]]) -> bool:
    """Whether a variable among those left has no arrow out of it, and no line that would make a collider there."""
    around = near[name].intersection(left)
    if any(name in into[other] for other in around):
        return False
    return all(around <= near[other] | {other} for other in around - into[name])


def structural_hamming_distance(a: CPDAG | Graph, b: CPDAG | Graph) -> int:
    """How many pairs of variables are linked differently: a link missing, one too many, or one that points elsewhere.

    Args:
        a, b: two CPDAGs (whose distance is the usual one when graphs are learned), or two directed graphs, over the
            same names.

    Raises:
        GraphError: when the names differ.

    Example:
        >>> rain, wet = Variable("rain"), Variable("wet")
        >>> one = directed_graph((rain, wet), {"wet": ["rain"]})
        >>> other = directed_graph((rain, wet), {"rain": ["wet"]})
        >>> structural_hamming_distance(one, other)
        1
        >>> structural_hamming_distance(CPDAG.of(one), CPDAG.of(other))
        0

    Reference: Tsamardinos, Brown and Aliferis (2006), The max-min hill-climbing algorithm.
    """
    mine, theirs = ({variable.name for variable in graph.variables} for graph in (a, b))
    if mine != theirs:
        name = sorted(mine ^ theirs)[0]
        raise GraphError(f"structural_hamming_distance: {name!r} is a variable of only one of the two graphs.")
    links, others = _links(a), _links(b)
    return sum(links.get(pair) != others.get(pair) for pair in {*links, *others})


def _links(graph: CPDAG | Graph) -> dict[frozenset[str], str]:
    """For each pair that is linked, where the link points; nowhere for a line."""
    if isinstance(graph, CPDAG):
        pointed = {frozenset(pair): pair[1] for pair in graph.arrows}
        return pointed | {frozenset(pair): "" for pair in graph.lines}
    return {frozenset((parent, child)): child for child, parents in graph.parents.items() for parent in parents}
