"""Laws of triangulations and junction trees; treewidth against a search over all orders and known graphs."""

from functools import cache

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.chordal import JunctionTree, junction_tree, treewidth, triangulate
from pgm.errors import GraphError
from pgm.graph import Graph, Term
from pgm.variable import Variable
from pgm.views import from_networkx, to_networkx


@st.composite
def graphs(draw: st.DrawFn, most: int = 8) -> Graph:
    """Scopes of up to four variables over variables of one to three states; parts may be disconnected."""
    names = [f"x{i}" for i in range(draw(st.integers(1, most)))]
    scope = st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)
    terms = tuple(Term(tuple(each)) for each in draw(st.lists(scope, max_size=8)))
    return Graph(tuple(Variable(name, draw(st.integers(1, 3))) for name in names), terms)


@st.composite
def orders(draw: st.DrawFn) -> tuple[Graph, list[str] | None]:
    graph = draw(graphs())
    return graph, draw(st.none() | st.permutations(graph.names))


def drawn_tree(tree: JunctionTree) -> nx.Graph:
    result = nx.Graph([(i, j) for i, j, _ in tree.edges])
    result.add_nodes_from(range(len(tree.cliques)))
    return result


def exact_treewidth(graph: nx.Graph) -> int:
    """Dynamic programming over sets of eliminated variables (Bodlaender et al., 2012)."""

    def degree(gone: frozenset, node: object) -> int:
        inside = graph.subgraph(gone | {node})
        reached = nx.node_connected_component(inside, node)
        return len({other for each in reached for other in graph[each]} - gone - {node})

    @cache
    def width(gone: frozenset) -> int:
        return min((max(width(gone - {last}), degree(gone - {last}, last)) for last in gone), default=-1)

    return width(frozenset(graph))


@given(orders())
@settings(deadline=None)
def test_a_triangulation_is_chordal_and_holds_the_graph(drawn: tuple[Graph, list[str] | None]) -> None:
    graph, order = drawn
    chordal = triangulate(graph, order)
    assert nx.is_chordal(to_networkx(chordal, "moral"))
    assert chordal.variables == graph.variables
    assert all(graph.neighbours[name] <= chordal.neighbours[name] for name in graph.names)


@given(orders())
@settings(deadline=None)
def test_junction_tree_laws(drawn: tuple[Graph, list[str] | None]) -> None:
    graph, order = drawn
    tree = junction_tree(graph, order)
    cliques = [set(clique) for clique in tree.cliques]
    shape = drawn_tree(tree)
    assert nx.is_forest(shape)
    assert nx.number_connected_components(shape) == nx.number_connected_components(to_networkx(graph, "moral"))
    for i, j, separator in tree.edges:
        assert set(separator) == cliques[i] & cliques[j]
        assert separator
    for term in graph.terms:
        assert any(clique.issuperset(term.scope) for clique in cliques)
    for name in graph.names:  # running intersection
        holders = [i for i, clique in enumerate(cliques) if name in clique]
        assert nx.is_connected(shape.subgraph(holders))


@given(orders())
@settings(deadline=None)
def test_the_cliques_are_the_maximal_ones(drawn: tuple[Graph, list[str] | None]) -> None:
    graph, order = drawn
    view = to_networkx(triangulate(graph, order), "moral")
    expected = sorted(sorted(clique) for clique in nx.find_cliques(view))
    assert sorted(sorted(clique) for clique in junction_tree(graph, order).cliques) == expected


@given(graphs(most=7))
@settings(deadline=None, max_examples=40)
def test_treewidth_bounds_hold(graph: Graph) -> None:
    bounds = treewidth(graph, seconds=0)
    exact = exact_treewidth(to_networkx(graph, "moral"))
    assert bounds.lower <= exact <= bounds.upper
    assert junction_tree(graph, bounds.order).width == bounds.upper
    assert bounds.exact == (bounds.lower == bounds.upper)


KNOWN = {
    "a tree": (nx.balanced_tree(2, 3), 1),
    "a ring": (nx.cycle_graph(9), 2),
    "a clique": (nx.complete_graph(7), 6),
    "a complete bipartite graph": (nx.complete_bipartite_graph(3, 5), 3),
    "a grid of 2 by 6": (nx.convert_node_labels_to_integers(nx.grid_2d_graph(2, 6)), 2),
    "no edges": (nx.empty_graph(4), 0),
    "a wheel": (nx.wheel_graph(8), 3),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_treewidths_are_found_and_proved(name: str) -> None:
    """Bodlaender (1998), A partial k-arboretum of graphs with bounded treewidth."""
    drawn, width = KNOWN[name]
    bounds = treewidth(from_networkx(drawn), seconds=0)
    assert (bounds.lower, bounds.upper) == (width, width)
    assert repr(bounds) == f"Treewidth({width})"


def test_bounds_that_do_not_meet_are_both_shown() -> None:
    """The Petersen graph has treewidth 4."""
    assert repr(treewidth(from_networkx(nx.petersen_graph()), seconds=0)) == "Treewidth(3..4)"


@pytest.mark.parametrize("side", [3, 4, 5, 6])
def test_a_square_grid_is_as_wide_as_its_side(side: int) -> None:
    bounds = treewidth(from_networkx(nx.convert_node_labels_to_integers(nx.grid_2d_graph(side, side))), seconds=0.05)
    assert bounds.lower <= side == bounds.upper


def test_a_loop_of_four_in_a_given_order() -> None:
    names = "abcd"
    loop = Graph(tuple(map(Variable, names)), tuple(Term(pair) for pair in zip(names, "bcda", strict=True)))
    assert junction_tree(loop, list(names)).cliques == (("b", "c", "d"), ("a", "b", "d"))
    assert junction_tree(loop, list(names)).edges == ((0, 1, ("b", "d")),)
    assert junction_tree(loop, ["b", "a", "c", "d"]).edges == ((0, 1, ("a", "c")),)


def test_an_order_lists_each_variable_once() -> None:
    graph = Graph((Variable("a"), Variable("b")), (Term(("a", "b")),))
    for order, text in [
        (["a"], "order: 'b' is not in it; each of the 2 variables goes once."),
        (["a", "b", "a"], "order: 'a' is twice in it; each of the 2 variables goes once."),
        (["a", "b", "c"], "order: 'c' is not a variable; there are 'a', 'b'."),
    ]:
        with pytest.raises(GraphError) as caught:
            triangulate(graph, order)
        assert str(caught.value) == text


def test_records_print_what_they_hold() -> None:
    graph = from_networkx(nx.path_graph(3))
    assert repr(junction_tree(graph)) == "JunctionTree(2 cliques, 1 edges, width 1)"
    assert junction_tree(Graph((), ())).width == -1
    assert repr(treewidth(Graph((), ()))) == "Treewidth(-1)"
