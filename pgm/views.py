"""The three views of a graph as networkx graphs, and back: directed, moral (undirected), factor graph (bipartite)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import networkx as nx

from .errors import GraphError
from .graph import Graph, Structured, Term
from .variable import Variable


def to_networkx(model: Structured, view: str = "directed") -> Any:
    """One view of the graph for networkx.

    Nodes of variables are their names, with attributes `kind="variable"`, `states` (`domain` for a numeric one) and
    `conditional` (whether the variable has one). The views differ in the links:

    - `directed`: a DiGraph, parent to child; a potential is an arc both ways with `kind="potential"`.
    - `moral`: a Graph, between variables that share a term.
    - `factor`: a Graph, between variables and terms; terms are numbered nodes with `kind="factor"`, `label`, `child`.

    Args:
        model: a model or a graph, of any kind.
        view: `directed`, `moral` or `factor`.

    Raises:
        GraphError: on another view.

    Example:
        >>> a, b = Variable("a"), Variable("b")
        >>> graph = Graph((a, b), (Term(("a",), "a"), Term(("a", "b"), "b")))
        >>> to_networkx(graph, "factor").nodes[1]["label"]
        'p(b | a)'

    Reference: Kschischang, Frey and Loeliger (2001), Factor graphs and the sum-product algorithm.
    """
    graph = model.graph
    if view not in ("directed", "moral", "factor"):
        raise GraphError(f"to_networkx: view is {view!r}, expected 'directed', 'moral' or 'factor'.")
    result = nx.DiGraph() if view == "directed" else nx.Graph()
    children = {term.child for term in graph.terms}
    for variable in graph.variables:
        values = {"states": variable.states} if variable.finite else {"domain": variable.domain}
        result.add_node(variable.name, kind="variable", **values, conditional=variable.name in children)
    if view == "directed":
        _add_arrows(graph, result)
    elif view == "moral":
        result.add_edges_from(pair for term in graph.terms for pair in combinations(term.scope, 2))
    else:
        _add_factors(graph, result)
    return result


def from_networkx(drawn: Any) -> Graph:
    """The graph that a networkx graph shows, in any of the three views.

    A DiGraph makes a conditional of each node (but not of a root with `conditional=False`) and a potential of each
    clique of arcs with `kind="potential"`; a Graph makes a potential of each maximal clique of two or more; a Graph
    with nodes of `kind="factor"` is a factor graph, the only view that keeps every term. A node without `states`
    and `domain` gets two states.

    Raises:
        GraphError: on a directed cycle.

    Example:
        >>> from_networkx(nx.DiGraph([("rain", "wet"), ("sprinkler", "wet")])).parents["wet"]
        ('rain', 'sprinkler')
    """
    nodes = [(node, facts) for node, facts in drawn.nodes(data=True) if facts.get("kind") != "factor"]
    variables = tuple(Variable(str(node), facts.get("states", facts.get("domain", 2))) for node, facts in nodes)
    if len(nodes) < len(drawn):
        return Graph(variables, _read_factors(drawn))
    if not drawn.is_directed():
        return Graph(variables, _cliques(drawn))
    return Graph(variables, (*_read_arrows(drawn), *_cliques(_lines(drawn))))


def _add_arrows(graph: Graph, result: Any) -> None:
    for term in graph.terms:
        result.add_edges_from(((parent, term.child) for parent in term.given), kind="conditional")
    lines = [(a, b) for term in graph.terms if term.child is None for a in term.scope for b in term.scope if a != b]
    result.add_edges_from((line for line in lines if line not in result.edges), kind="potential")


def _add_factors(graph: Graph, result: Any) -> None:
    for number, term in enumerate(graph.terms):
        result.add_node(number, kind="factor", label=term.label, child=term.child)
        result.add_edges_from((number, name) for name in term.scope)


def _read_factors(drawn: Any) -> tuple[Term, ...]:
    factors = [(node, facts) for node, facts in drawn.nodes(data=True) if facts.get("kind") == "factor"]
    return tuple(Term(tuple(str(name) for name in drawn[node]), facts.get("child")) for node, facts in factors)


def _read_arrows(drawn: Any) -> tuple[Term, ...]:
    found = []
    for node, facts in drawn.nodes(data=True):
        given = [parent for parent in drawn.predecessors(node) if drawn.edges[parent, node].get("kind") != "potential"]
        if given or facts.get("conditional", True):
            found.append(Term((*(str(parent) for parent in given), str(node)), str(node)))
    return tuple(found)


def _lines(drawn: Any) -> Any:
    return nx.Graph([(a, b) for a, b, kind in drawn.edges(data="kind") if kind == "potential"])


def _cliques(drawn: Any) -> tuple[Term, ...]:
    place = {node: number for number, node in enumerate(drawn)}
    cliques = sorted(sorted(place[node] for node in clique) for clique in nx.find_cliques(drawn) if len(clique) > 1)
    names = [str(node) for node in drawn]
    return tuple(Term(tuple(names[number] for number in clique)) for clique in cliques)
