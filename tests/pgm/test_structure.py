"""Separation against enumeration, networkx and the moral criterion; blankets, ancestors and the moral view."""

from itertools import combinations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.errors import GraphError
from pgm.graph import Graph, Term
from pgm.structure import Separation, ancestral, d_separated, markov_blanket, moral
from pgm.variable import Variable
from pgm.views import to_networkx

ASIA = {
    "asia": "",
    "tub": "asia",
    "smoke": "",
    "lung": "smoke",
    "bronc": "smoke",
    "either": "tub lung",
    "xray": "either",
    "dysp": "bronc either",
}


def graph_of(parents: dict[str, str], *potentials: str) -> Graph:
    conditionals = [Term((*given.split(), child), child) for child, given in parents.items()]
    names = dict.fromkeys([*parents, *(name for scope in potentials for name in scope.split())])
    return Graph(tuple(map(Variable, names)), (*conditionals, *(Term(tuple(p.split())) for p in potentials)))


@st.composite
def mixed_graphs(draw: st.DrawFn, most: int = 6) -> Graph:
    """Any mixture: some variables have a conditional, potentials are laid over all."""
    names = [f"x{i}" for i in range(draw(st.integers(2, most)))]
    terms = []
    for i, name in enumerate(names):
        given = draw(st.lists(st.sampled_from(names[:i]), max_size=2, unique=True)) if i else []
        terms += [Term((*given, name), name)] * draw(st.booleans())
    scope = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)
    terms += [Term(tuple(each)) for each in draw(st.lists(scope, max_size=3))]
    return Graph(tuple(map(Variable, draw(st.permutations(names)))), tuple(draw(st.permutations(terms))))


@st.composite
def directed_graphs(draw: st.DrawFn, most: int = 8) -> Graph:
    names = [f"x{i}" for i in range(draw(st.integers(2, most)))]
    given = [
        draw(st.lists(st.sampled_from(names[:i]), max_size=3, unique=True)) if i else [] for i in range(len(names))
    ]
    terms = [Term((*parents, name), name) for parents, name in zip(given, names, strict=True)]
    return Graph(tuple(map(Variable, names)), tuple(terms))


@st.composite
def questions(draw: st.DrawFn, graphs: st.SearchStrategy[Graph]) -> tuple[Graph, list[str], list[str], list[str]]:
    """A graph and three sets of names that do not overlap, the first two not empty."""
    graph = draw(graphs)
    order = draw(st.permutations(graph.names))
    cut = draw(st.integers(1, len(order) - 1))
    a, b = order[:1], order[1 : 1 + draw(st.integers(1, 2))]
    return graph, a, b, [name for name in order[::-1][:cut] if name not in (*a, *b)]


def random_tables(graph: Graph, seed: int) -> list[torch.Tensor]:
    """One positive table a term; those of conditionals sum to one over the child."""
    dice = torch.Generator().manual_seed(seed)
    tables = [torch.rand([2] * len(t.scope), generator=dice, dtype=torch.float64) + 0.1 for t in graph.terms]
    return [x / x.sum(-1, keepdim=True) if t.child else x for t, x in zip(graph.terms, tables, strict=True)]


def marginal(graph: Graph, terms: list[tuple[Term, torch.Tensor]], names: list[str]) -> torch.Tensor:
    """The normalised distribution of some variables, by summing the product of all tables over all worlds."""
    number = {name: i for i, name in enumerate(graph.names)}
    ones = [(torch.ones(2, dtype=torch.float64), [i]) for i in number.values()]  # variables that no term touches
    parts = [(table, [number[name] for name in term.scope]) for term, table in terms] + ones
    joint = torch.einsum(*(each for part in parts for each in part), [number[name] for name in names])
    return joint / joint.sum()


def through_the_moral_graph(graph: Graph, a: list[str], b: list[str], given: list[str]) -> bool:
    """Lauritzen's criterion: no path in the moral graph of the ancestral part once the observed are taken out."""
    drawn = to_networkx(moral(ancestral(graph, [*a, *b, *given])), "moral")
    drawn.remove_nodes_from(given)
    return not any(nx.has_path(drawn, x, y) for x in a for y in b)


@given(questions(directed_graphs()))
@settings(deadline=None, max_examples=51)
def test_networkx_separates_the_same_in_directed_graphs(question) -> None:
    graph, a, b, observed = question
    drawn = nx.DiGraph([(parent, child) for child, given in graph.parents.items() for parent in given])
    drawn.add_nodes_from(graph.names)
    assert bool(d_separated(graph, a, b, observed)) == nx.is_d_separator(drawn, set(a), set(b), set(observed))


@given(questions(mixed_graphs()))
@settings(deadline=None, max_examples=50)
def test_the_moral_criterion_separates_the_same_in_mixed_graphs(question) -> None:
    graph, a, b, observed = question
    assert bool(d_separated(graph, a, b, observed)) == through_the_moral_graph(graph, a, b, observed)


@given(questions(mixed_graphs()), st.integers(0, 2**31))
@settings(deadline=None, max_examples=34)
def test_separated_exactly_when_independent_for_generic_tables(question, seed: int) -> None:
    graph, a, b, observed = question
    terms = list(zip(graph.terms, random_tables(graph, seed), strict=True))
    both = marginal(graph, terms, [*observed, *a, *b]).reshape(2 ** len(observed), 2 ** len(a), 2 ** len(b))
    independent = both.sum(2, keepdim=True) * both.sum(1, keepdim=True) / both.sum((1, 2), keepdim=True)
    # Rounding over 64 worlds stays under 64 * 2^-53 = 7e-15; a dependence this weak is a chance of one in millions.
    gap = (both - independent).abs().max().item()
    assert (gap < 1e-13) == bool(d_separated(graph, a, b, observed))


@given(questions(mixed_graphs()))
@settings(deadline=None, max_examples=36)
def test_the_witness_is_an_active_path(question) -> None:
    graph, a, b, observed = question
    found = d_separated(graph, a, b, observed)
    assert len(found.arrows) == max(len(found.path) - 1, 0)
    assert len(set(found.path)) == len(found.path)
    assert {bool(found)} == {name not in found.path[:1] for name in a}  # one name in a: the path starts there
    assert bool(found) or found.path[-1] in b
    touched = [name for term in graph.terms if term.child is None for name in term.scope]
    below = nx.DiGraph([(parent, child) for child, given in graph.parents.items() for parent in given])
    below.add_nodes_from(graph.names)
    for x, arrow, y in zip(found.path, found.arrows, found.path[1:], strict=False):
        shared = any({x, y} <= set(term.scope) for term in graph.terms if term.child is None)
        assert {"->": x in graph.parents[y], "<-": y in graph.parents[x], "--": shared}[arrow]
    for before, name, after in zip(found.arrows, found.path[1:], found.arrows[1:], strict=False):
        opened = ({name} | nx.descendants(below, name)) & {*observed, *touched}
        assert opened if (before, after) == ("->", "<-") else name not in observed


@given(questions(mixed_graphs()))
@settings(deadline=None)
def test_separation_is_symmetric(question) -> None:
    graph, a, b, observed = question
    forth, back = d_separated(graph, a, b, observed), d_separated(graph, b, a, observed)
    assert bool(forth) == bool(back)
    assert len(forth.path) == len(back.path)


@pytest.mark.parametrize(
    ("a", "b", "observed", "text"),
    [
        ("asia", "smoke", "", "Separation(asia and smoke are separated)"),
        ("asia", "lung", "either", "Separation(asia -> tub -> either <- lung is active given either)"),
        ("asia", "smoke", "dysp", "Separation(asia -> tub -> either <- lung <- smoke is active given dysp)"),
        ("xray", "dysp", "", "Separation(xray <- either -> dysp is active)"),
        ("xray", "dysp", "either", "Separation(xray and dysp are separated given either)"),
    ],
)
def test_the_chest_clinic(a: str, b: str, observed: str, text: str) -> None:
    """Lauritzen and Spiegelhalter (1988): the textbook answers."""
    assert repr(d_separated(graph_of(ASIA), a, b, observed.split())) == text


def test_a_potential_is_an_observed_common_child() -> None:
    graph = graph_of({"a": "", "b": "", "c": "a b"}, "c d")
    assert repr(d_separated(graph, "a", "b")) == "Separation(a -> c <- b is active)"
    assert repr(d_separated(graph, "a", "d")) == "Separation(a -> c -- d is active)"
    assert d_separated(graph, "a", "d", "c")


def test_separation_wants_known_names_that_do_not_overlap() -> None:
    graph = graph_of(ASIA)
    with pytest.raises(GraphError) as caught:
        d_separated(graph, "asia", ["smoke", "lung"], {"lung": "yes"})
    assert str(caught.value) == "d_separated: 'lung' occurs twice; a, b and given must not overlap."
    with pytest.raises(GraphError, match=r"^d_separated: 'coffee' is not a variable; there are 'asia', 'tub'"):
        d_separated(graph, "asia", "coffee")


def test_a_separation_keeps_its_question() -> None:
    graph = graph_of(ASIA)
    assert d_separated(graph, "asia", ["smoke"], ["xray", "xray"]) == Separation(
        ("asia",), ("smoke",), ("xray",), ("asia", "tub", "either", "lung", "smoke"), ("->", "->", "<-", "<-")
    )


@given(mixed_graphs())
@settings(deadline=None)
def test_a_blanket_separates_and_no_smaller_one_does(graph: Graph) -> None:
    name = graph.names[0]
    blanket = markov_blanket(graph, name)
    rest = [other for other in graph.names if other not in (name, *blanket)]
    assert not rest or d_separated(graph, name, rest, blanket)
    for left_out in blanket:
        assert not d_separated(graph, name, left_out, [other for other in blanket if other != left_out])


def test_blankets_of_the_chest_clinic() -> None:
    graph = graph_of(ASIA)
    assert markov_blanket(graph, "bronc") == ("smoke", "either", "dysp")
    assert markov_blanket(graph, ["tub", "lung"]) == ("asia", "smoke", "either")
    with pytest.raises(GraphError, match=r"^markov_blanket: 'tea' is not a variable"):
        markov_blanket(graph, "tea")


@given(directed_graphs(), st.integers(0, 7))
@settings(deadline=None)
def test_the_ancestral_part_of_a_directed_graph_is_the_ancestors(graph: Graph, pick: int) -> None:
    name = graph.names[pick % len(graph.names)]
    assert set(ancestral(graph, name).names) == {name} | nx.ancestors(to_networkx(graph), name)


@given(mixed_graphs(), st.integers(0, 2**31))
@settings(deadline=None)
def test_the_ancestral_part_keeps_the_distribution(graph: Graph, seed: int) -> None:
    part = ancestral(graph, graph.names[0])
    terms = list(zip(graph.terms, random_tables(graph, seed), strict=True))
    kept = [(term, table) for term, table in terms if term in part.terms]
    whole = marginal(graph, terms, [graph.names[0]])
    torch.testing.assert_close(marginal(part, kept, [graph.names[0]]), whole, rtol=1e-13, atol=0)


def test_the_ancestral_part_is_small() -> None:
    graph = graph_of({"a": "", "b": "a", "c": "b", "d": "", "e": "d"}, "e f")
    assert ancestral(graph, "b").names == ("a", "b")
    assert ancestral(graph, "d").names == ("d", "e", "f")  # the potential weighs on d's child
    assert ancestral(graph, ["c", "f"]).names == graph.names


@given(directed_graphs())
@settings(deadline=None)
def test_networkx_marries_the_same_parents(graph: Graph) -> None:
    married = nx.moral_graph(to_networkx(graph, "directed"))
    assert nx.utils.edges_equal(to_networkx(moral(graph), "moral").edges, married.edges)


@given(mixed_graphs())
@settings(deadline=None)
def test_the_moral_view_has_potentials_only_and_the_same_neighbours(graph: Graph) -> None:
    view = moral(graph)
    assert all(term.child is None for term in view.terms)
    assert view.neighbours == graph.neighbours
    pairs = {frozenset(pair) for term in graph.terms for pair in combinations(term.scope, 2)}
    assert {frozenset((a, b)) for a, others in view.neighbours.items() for b in others} == pairs
