"""The three views: what they show, and the way back."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.errors import GraphError
from pgm.graph import Graph, Term
from pgm.variable import Variable
from pgm.views import from_networkx, to_networkx


@st.composite
def graphs(draw: st.DrawFn, mixed: bool = True) -> Graph:
    names = [f"x{i}" for i in range(draw(st.integers(1, 6)))]
    terms = []
    for i, name in enumerate(names):
        given = draw(st.lists(st.sampled_from(names[:i]), max_size=3, unique=True)) if i else []
        terms += [Term((*given, name), name)] * (not mixed or draw(st.booleans()))
    scope = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)
    terms += [Term(tuple(each)) for each in draw(st.lists(scope, max_size=3 * mixed))]
    return Graph(tuple(Variable(name, draw(st.integers(1, 3))) for name in names), tuple(terms))


@given(graphs())
@settings(deadline=None)
def test_the_factor_view_keeps_everything(graph: Graph) -> None:
    drawn = to_networkx(graph, "factor")
    assert nx.is_bipartite(drawn)
    assert drawn.number_of_edges() == sum(len(term.scope) for term in graph.terms)
    back = from_networkx(drawn)
    assert [variable.states for variable in back.variables] == [variable.states for variable in graph.variables]
    assert back == graph


@given(graphs(mixed=False))
@settings(deadline=None)
def test_the_directed_view_keeps_a_directed_graph(graph: Graph) -> None:
    assert from_networkx(to_networkx(graph, "directed")) == graph


@given(graphs())
@settings(deadline=None)
def test_the_directed_view_keeps_the_links_of_a_mixed_graph(graph: Graph) -> None:
    back = from_networkx(to_networkx(graph, "directed"))
    assert back.parents == graph.parents
    assert back.neighbours == graph.neighbours
    owners = [{term.child for term in each.terms} - {None} for each in (back, graph)]
    assert owners[0] == owners[1]


@given(graphs())
@settings(deadline=None)
def test_the_moral_view_keeps_the_neighbours(graph: Graph) -> None:
    drawn = to_networkx(graph, "moral")
    assert {name: frozenset(drawn[name]) for name in drawn} == graph.neighbours
    assert from_networkx(drawn).neighbours == graph.neighbours


def test_nodes_say_what_they_are() -> None:
    a, b = Variable("a", ["no", "yes"]), Variable("b", 3)
    graph = Graph((a, b), (Term(("a",), "a"), Term(("a", "b"))))
    drawn = to_networkx(graph, "factor")
    assert drawn.nodes["a"] == {"kind": "variable", "states": ("no", "yes"), "conditional": True}
    assert drawn.nodes["b"] == {"kind": "variable", "states": ("0", "1", "2"), "conditional": False}
    assert drawn.nodes[1] == {"kind": "factor", "label": "f(a, b)", "child": None}
    assert dict(to_networkx(graph).edges) == {("a", "b"): {"kind": "potential"}, ("b", "a"): {"kind": "potential"}}


def test_a_plain_networkx_graph_becomes_a_graph() -> None:
    graph = from_networkx(nx.DiGraph([("rain", "wet"), ("sprinkler", "wet"), (1, "wet")]))
    assert graph.kind == "directed"
    assert graph.parents == {"rain": (), "wet": ("rain", "sprinkler", "1"), "sprinkler": (), "1": ()}
    assert from_networkx(nx.Graph([("a", "b"), ("b", "c"), ("a", "c")])).terms == (Term(("a", "b", "c")),)


def test_what_is_wrong_is_said() -> None:
    graph = from_networkx(nx.DiGraph([("a", "b")]))
    with pytest.raises(GraphError) as caught:
        to_networkx(graph, "sideways")
    assert str(caught.value) == "to_networkx: view is 'sideways', expected 'directed', 'moral' or 'factor'."
    with pytest.raises(GraphError, match=r"cycle a -> b -> a\.$"):
        from_networkx(nx.DiGraph([("a", "b"), ("b", "a")]))
