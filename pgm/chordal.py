"""Chordal graphs: triangulation, junction trees and treewidth. All follow from one elimination order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import GraphError
from .graph import Graph, Structured, Term
from .order import search_order


@dataclass(frozen=True)
class JunctionTree:
    """The maximal cliques of a chordal graph, joined so that each variable's cliques hang together.

    Args:
        cliques: names of the variables in each clique, in the graph's order.
        edges: pairs of clique numbers with the names both share; parts of the graph that are not connected make
            separate trees.

    Reference: Lauritzen and Spiegelhalter (1988); Jensen and Jensen (1994).
    """

    cliques: tuple[tuple[str, ...], ...]
    edges: tuple[tuple[int, int, tuple[str, ...]], ...]

    @property
    def width(self) -> int:
        """The size of the largest clique, less one."""
        return max((len(clique) for clique in self.cliques), default=0) - 1

    def __repr__(self) -> str:
        return f"JunctionTree({len(self.cliques)} cliques, {len(self.edges)} edges, width {self.width})"


@dataclass(frozen=True)
class Treewidth:
    """Bounds on the treewidth of a graph's moral view.

    Args:
        lower: no triangulation has a smaller width.
        upper: the width of the triangulation that `order` makes.
        order: the elimination order found, names.
    """

    lower: int
    upper: int
    order: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether the bounds meet."""
        return self.lower == self.upper

    def __repr__(self) -> str:
        return f"Treewidth({self.upper})" if self.exact else f"Treewidth({self.lower}..{self.upper})"


def triangulate(model: Structured, order: Sequence[str] | None = None) -> Graph:
    """A chordal graph that contains the moral view: one potential a maximal clique.

    Args:
        model: a model or a graph, of any kind.
        order: names, first eliminated first; by default a search for few table entries.

    Raises:
        GraphError: when the order does not list each variable once.

    Example:
        >>> from pgm.variable import Variable
        >>> square = tuple(Term(pair) for pair in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")])
        >>> graph = Graph(tuple(Variable(name) for name in "abcd"), square)
        >>> sorted(triangulate(graph, order=list("abcd")).neighbours["b"])
        ['a', 'c', 'd']

    Reference: Kjaerulff (1990).
    """
    return Graph(model.graph.variables, tuple(Term(clique) for clique in junction_tree(model, order).cliques))


def junction_tree(model: Structured, order: Sequence[str] | None = None) -> JunctionTree:
    """The junction tree that an elimination order makes.

    Each term's scope lies within a clique; the cliques that hold a variable are connected (running intersection).

    Args:
        model: a model or a graph, of any kind.
        order: names, first eliminated first; by default a search for few table entries.

    Raises:
        GraphError: when the order does not list each variable once.

    Example:
        >>> from pgm.variable import Variable
        >>> graph = Graph(tuple(Variable(name) for name in "abc"), (Term(("a", "b")), Term(("b", "c"))))
        >>> tree = junction_tree(graph)
        >>> tree, tree.edges
        (JunctionTree(2 cliques, 1 edges, width 1), ((0, 1, ('b',)),))

    Reference: Blair and Peyton (1993), An introduction to chordal graphs and clique trees.
    """
    graph = model.graph
    later = _later(graph, _order(graph, order))
    place = {name: number for number, name in enumerate(graph.names)}
    rank = {name: number for number, name in enumerate(later)}
    cliques: list[set[str]] = []
    edges: list[tuple[int, int, tuple[str, ...]]] = []
    home: dict[str, int] = {}  # clique that a variable was put into first
    for name, rest in reversed(later.items()):
        near = home[min(rest, key=rank.__getitem__)] if rest else None
        if near is not None and cliques[near] == rest:
            cliques[near].add(name)
            home[name] = near
            continue
        home[name] = len(cliques)
        cliques.append({name, *rest})
        if near is not None:
            edges.append((near, home[name], tuple(sorted(rest, key=place.__getitem__))))
    return JunctionTree(tuple(tuple(sorted(clique, key=place.__getitem__)) for clique in cliques), tuple(edges))


def treewidth(model: Structured, seconds: float = 0.2) -> Treewidth:
    """Bounds on the treewidth: from above by the best elimination order found, from below by contracting edges.

    Args:
        model: a model or a graph of any kind; its moral view counts.
        seconds: time budget of the order search.

    Example:
        >>> from pgm.variable import Variable
        >>> names = [f"x{i}" for i in range(5)]
        >>> ring = tuple(Term((a, b)) for a, b in zip(names, [*names[1:], names[0]]))
        >>> treewidth(Graph(tuple(Variable(name) for name in names), ring))
        Treewidth(2)

    Reference: Gogate and Dechter (2004); Bodlaender and Koster (2011), Treewidth computations II.
    """
    graph = model.graph
    order = _searched(graph, [2] * len(graph.names), seconds)  # equal sizes: few entries is then small width
    upper = max((len(rest) for rest in _later(graph, order).values()), default=-1)
    return Treewidth(_contraction_bound(graph), upper, order)


def _searched(graph: Graph, sizes: Sequence[int], seconds: float) -> tuple[str, ...]:
    place = {name: number for number, name in enumerate(graph.names)}
    scopes = [[place[name] for name in term.scope] for term in graph.terms]
    return tuple(graph.names[number] for number in search_order(sizes, scopes, seconds=seconds))


def _order(graph: Graph, order: Sequence[str] | None) -> tuple[str, ...]:
    if order is None:
        return _searched(graph, [v.size if v.finite else 2 for v in graph.variables], 0.2)
    names = graph.require(order, "order")
    wrong = [name for name in graph.names if names.count(name) != 1]
    if wrong:
        times = "twice" if wrong[0] in names else "not"
        raise GraphError(f"order: {wrong[0]!r} is {times} in it; each of the {len(graph.names)} variables goes once.")
    return names


def _later(graph: Graph, order: Sequence[str]) -> dict[str, set[str]]:
    """For each variable, in order, its neighbours that are eliminated after it, fill-in counted."""
    around = {name: set(others) for name, others in graph.neighbours.items()}
    for name in order:
        for other in around[name]:
            around[other] |= around[name]
            around[other] -= {name, other}
    return {name: around[name] for name in order}


def _contraction_bound(graph: Graph) -> int:
    """The greatest least degree met while each time a variable of least degree is merged into a neighbour.

    A minor has no greater treewidth, and a graph's treewidth is at least its least degree. Merging with the neighbour
    that shares fewest neighbours loses fewest edges.
    """
    around = {name: set(others) for name, others in graph.neighbours.items()}
    bound = -1
    while around:
        name = min(around, key=lambda each: len(around[each]))
        others = around.pop(name)
        bound = max(bound, len(others))
        for other in others:
            around[other].discard(name)
        if others:
            into = min(sorted(others), key=lambda each: len(around[each] & others))
            for other in others - {into}:
                around[other].add(into)
                around[into].add(other)
    return bound
