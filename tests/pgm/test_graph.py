"""The derived graph: what it reads off its terms, and what it refuses."""

import pickle
import re

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgm.chordal import junction_tree, treewidth, triangulate
from pgm.conditionals import Tabular
from pgm.errors import GraphError
from pgm.graph import Graph, Term
from pgm.model import BayesianNetwork
from pgm.structure import ancestral, d_separated, markov_blanket, moral
from pgm.variable import Variable
from pgm.views import to_networkx

A, B, C, D = (Variable(name) for name in "abcd")


@st.composite
def arrows(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Parents of each of a few variables, cycles allowed, nobody its own parent."""
    names = [f"x{i}" for i in range(draw(st.integers(1, 7)))]
    others = {name: [other for other in names if other != name] for name in names}
    return {
        name: tuple(draw(st.lists(st.sampled_from(others[name]), max_size=2, unique=True)) if others[name] else [])
        for name in names
    }


def drawn(parents: dict[str, tuple[str, ...]]) -> nx.DiGraph:
    result = nx.DiGraph([(parent, child) for child, given in parents.items() for parent in given])
    result.add_nodes_from(parents)
    return result


def graph_of(parents: dict[str, tuple[str, ...]]) -> Graph:
    terms = tuple(Term((*given, child), child) for child, given in parents.items())
    return Graph(tuple(map(Variable, parents)), terms)


def from_lists(parents: dict[str, tuple[str, ...]]) -> Graph | str:
    try:
        return graph_of(parents)
    except GraphError as error:
        return str(error)


@given(arrows())
def test_cycles_are_refused_and_only_cycles(parents: dict[str, tuple[str, ...]]) -> None:
    assert isinstance(from_lists(parents), Graph) == nx.is_directed_acyclic_graph(drawn(parents))


@given(arrows().filter(lambda parents: not nx.is_directed_acyclic_graph(drawn(parents))))
def test_the_named_cycle_is_one(parents: dict[str, tuple[str, ...]]) -> None:
    found = re.fullmatch(r"BayesianNetwork: cycle (.+)\.", str(from_lists(parents)))
    names = found.group(1).split(" -> ")
    assert names[0] == names[-1]
    assert len(set(names)) == len(names) - 1
    assert all(parent in parents[child] for parent, child in zip(names, names[1:], strict=False))


@given(arrows().filter(lambda parents: nx.is_directed_acyclic_graph(drawn(parents))))
def test_parents_children_and_order_are_those_of_networkx(parents: dict[str, tuple[str, ...]]) -> None:
    graph, other = graph_of(parents), drawn(parents)
    assert graph.parents == parents
    assert {name: set(each) for name, each in graph.children.items()} == {name: set(other[name]) for name in other}
    place = {name: i for i, name in enumerate(graph.topological)}
    assert sorted(place) == sorted(parents)
    assert all(place[parent] < place[child] for parent, child in other.edges)
    married = nx.moral_graph(other)
    assert graph.neighbours == {name: frozenset(married[name]) for name in married}


def test_kinds() -> None:
    arrow, line = Term(("a", "b"), "b"), Term(("a", "b"))
    assert Graph((A, B), (Term(("a",), "a"), arrow)).kind == "directed"
    assert Graph((A, B), (line,)).kind == "undirected"
    assert Graph((A, B), (arrow, line)).kind == "mixed"


def test_equal_structure_is_one_key() -> None:
    first, second = graph_of({"a": (), "b": ("a",)}), graph_of({"a": (), "b": ("a",)})
    assert first.neighbours["a"] == {"b"}  # what is cached on one must not make it another
    assert first == second
    assert hash(first) == hash(second) == hash(pickle.loads(pickle.dumps(first)))
    assert first != graph_of({"b": ("a",), "a": ()})
    assert first != Graph((Variable("a", 3), B), first.terms)


def test_reprs() -> None:
    assert repr(graph_of({"a": (), "b": ("a",)})) == "Graph(directed: 2 variables, 1 arrows)"
    mixed = Graph((A, B), (Term(("a",), "a"), Term(("a", "b"))))
    assert repr(mixed) == "Graph(mixed: 2 variables, 0 arrows, 1 potentials)"


WRONG = {
    "variable twice": (lambda: Graph((A, A), ()), "Graph: variable 'a' is listed twice; names must differ."),
    "scope": (lambda: Graph((A,), (Term(("a", "a")),)), "Graph: scope ['a', 'a'] lists a variable twice."),
    "child": (
        lambda: Graph((A, B), (Term(("a", "b"), "a"),)),
        "Graph: child 'a' must be last in its scope ['a', 'b'].",
    ),
    "unknown": (
        lambda: Graph((A,), (Term(("a", "z")),)),
        "Graph: scope ['a', 'z'] names 'z', which is not a variable.",
    ),
    "two conditionals": (
        lambda: Graph((A, B), (Term(("a",), "a"), Term(("b", "a"), "a"))),
        "Graph: 'a' has two conditionals; keep one, or make the other a potential.",
    ),
    "cycle": (
        lambda: Graph((A, B, C), (Term(("c", "a"), "a"), Term(("a", "b"), "b"), Term(("b", "c"), "c"))),
        "BayesianNetwork: cycle a -> b -> c -> a.",
    ),
    "cycle beside a potential": (
        lambda: Graph((A, B), (Term(("b", "a"), "a"), Term(("a", "b"), "b"), Term(("a",)))),
        "Model: cycle a -> b -> a.",
    ),
    "required": (
        lambda: Graph((A, B, C, D), ()).require(["a", "q"], "infer"),
        "infer: 'q' is not a variable; there are 'a', 'b', 'c', 'd'.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(GraphError) as caught:
        make()
    assert str(caught.value) == text


def test_a_name_alone_is_one_name() -> None:
    rain = Variable("rain")
    assert Graph((rain, A), ()).require("rain", "mpe") == ("rain",)
    with pytest.raises(GraphError, match=r"^mpe: 'wet' is not a variable; there are 'rain', 'a'\.$"):
        Graph((rain, A), ()).require("wet", "mpe")


def test_questions_about_structure_take_a_model_or_its_graph() -> None:
    rain, wet, slip = Variable("rain"), Variable("wet"), Variable("slip")
    even = [[0.5, 0.5], [0.5, 0.5]]
    model = BayesianNetwork(Tabular(rain, [], [0.5, 0.5]), Tabular(wet, [rain], even), Tabular(slip, [wet], even))
    assert d_separated(model, "rain", "slip") == d_separated(model.graph, "rain", "slip")
    assert markov_blanket(model, "wet") == ("rain", "slip")
    assert ancestral(model, "wet").names == ("rain", "wet")
    assert moral(model) == moral(model.graph)
    assert triangulate(model) == triangulate(model.graph)
    assert junction_tree(model) == junction_tree(model.graph)
    assert treewidth(model) == treewidth(model.graph)
    assert dict(to_networkx(model).edges) == dict(to_networkx(model.graph).edges)
