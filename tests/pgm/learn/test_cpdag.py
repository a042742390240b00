"""Classes of graphs against the enumeration of all graphs of four variables, and distances against their laws."""

from collections import defaultdict
from functools import cache
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import CPDAG, Graph, GraphError, Variable, plot, structural_hamming_distance, to_networkx
from pgm.graph import Term
from pgm.learn.cpdag import completed
from pgm.learn.learned import directed_graph

from .test_climb import all_graphs, arrows_of

SEEDS = st.integers(0, 2**32 - 1)
NAMES = "abcd"
VARIABLES = tuple(Variable(name) for name in NAMES)


def random_graph(seed: int, count: int, share: float = 0.4) -> Graph:
    generator = np.random.default_rng(seed)
    names = [f"x{i}" for i in generator.permutation(count)]
    parents = {n: [p for p in names[:i] if generator.random() < share] for i, n in enumerate(names)}
    return directed_graph(tuple(Variable(f"x{i}") for i in range(count)), parents)


def links_of(graph: Graph) -> frozenset:
    return frozenset(frozenset(arrow) for arrow in arrows_of(graph))


def colliders_of(graph: Graph) -> frozenset:
    """Unshielded ones, as pairs of a child and two parents that are not linked."""
    links = links_of(graph)
    return frozenset(
        (child, frozenset(pair))
        for child, parents in graph.parents.items()
        for pair in combinations(parents, 2)
        if frozenset(pair) not in links
    )


@cache
def classes() -> dict[tuple, list[Graph]]:
    """All graphs of four variables by their links and unshielded colliders (Verma and Pearl 1990)."""
    found = defaultdict(list)
    for numbers in all_graphs(4):
        graph = directed_graph(VARIABLES, {NAMES[v]: [NAMES[p] for p in parents] for v, parents in numbers.items()})
        found[links_of(graph), colliders_of(graph)].append(graph)
    return found


def test_there_are_185_classes_of_four_variables() -> None:
    """As many as Gillispie and Perlman (2001) counted."""
    assert len(classes()) == 185


def test_arrows_are_those_that_all_members_share() -> None:
    for members in classes().values():
        shared = frozenset.intersection(*(frozenset(arrows_of(graph)) for graph in members))
        for graph in members:
            found = CPDAG.of(graph)
            assert found.arrows == shared
            assert {frozenset(line) for line in found.lines} == links_of(graph) - {frozenset(a) for a in shared}


def test_an_extension_is_a_member() -> None:
    for (links, colliders), members in classes().items():
        graph = CPDAG.of(members[0]).extension()
        assert (links_of(graph), colliders_of(graph)) == (links, colliders)


@given(SEEDS)
@settings(max_examples=40)
def test_what_follows_from_knowing_some_arrows(seed: int) -> None:
    """All four of Meek's rules: an arrow follows when it is in every member of the class that has those known."""
    generator = np.random.default_rng(seed)
    members = list(classes().values())[int(generator.integers(185))]
    truth = members[int(generator.integers(len(members)))]
    known = {arrow for arrow in sorted(arrows_of(truth)) if generator.random() < 0.4}
    start = CPDAG.of(truth).arrows | known
    found = completed(VARIABLES, [tuple(link) for link in links_of(truth)], start)
    agreeing = [arrows_of(graph) for graph in members if known <= arrows_of(graph)]
    assert found.arrows == frozenset.intersection(*map(frozenset, agreeing))


@given(SEEDS)
@settings(max_examples=30)
def test_larger_classes(seed: int) -> None:
    """An extension has the links and colliders of the graph, and therefore its class."""
    graph = random_graph(seed, 12)
    pattern = CPDAG.of(graph)
    member = pattern.extension()
    assert (links_of(member), colliders_of(member)) == (links_of(graph), colliders_of(graph))
    assert CPDAG.of(member) == pattern


@pytest.mark.parametrize(
    ("arrows", "lines"),
    [
        ([("a", "b"), ("b", "c"), ("c", "a")], []),
        ([], [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")]),
        ([("a", "b"), ("c", "d")], [("b", "d")]),
    ],
    ids=["cycle", "square", "two arrows meet a line"],
)
def test_no_extension(arrows: list, lines: list) -> None:
    pattern = CPDAG(VARIABLES, frozenset(arrows), frozenset(lines))
    with pytest.raises(GraphError, match="CPDAG: no directed graph has these arrows and lines; the knot is 'a', "):
        pattern.extension()


@given(SEEDS)
def test_distance_counts_the_cells_that_differ(seed: int) -> None:
    one, other = random_graph(seed, 6), random_graph(seed + 1, 6)
    for a, b in ((one, other), (CPDAG.of(one), CPDAG.of(other))):
        tables = []
        for graph in (a, b):
            drawn = graph if isinstance(graph, Graph) else graph.drawing
            table = nx.to_numpy_array(to_networkx(drawn), nodelist=sorted(drawn.names))
            tables.append(table + 10 * table.T)
        assert structural_hamming_distance(a, b) == np.triu(tables[0] != tables[1]).sum()
    third = CPDAG.of(random_graph(seed + 2, 6))
    ab, ac, cb = (
        structural_hamming_distance(x, y)
        for x, y in ((CPDAG.of(one), CPDAG.of(other)), (CPDAG.of(one), third), (third, CPDAG.of(other)))
    )
    assert ab <= ac + cb


def test_a_class_is_drawn_with_arrows_and_lines() -> None:
    pattern = CPDAG(VARIABLES[:3], frozenset({("a", "c")}), frozenset({("b", "c")}))
    dot = plot(pattern.drawing).dot
    assert '"a" -> "c";' in dot
    assert '"b" -> "c" [dir="none"];' in dot
    assert repr(pattern) == "CPDAG(3 variables: a -> c, b -- c)"
    assert repr(CPDAG(VARIABLES, frozenset(), frozenset())) == "CPDAG(4 variables: no links)"


def test_what_is_refused() -> None:
    with pytest.raises(GraphError, match="the link .*'z'.* names what is not a variable"):
        CPDAG(VARIABLES, frozenset({("a", "z")}), frozenset())
    with pytest.raises(GraphError, match="two variables are linked twice; keep one arrow or one line."):
        CPDAG(VARIABLES, frozenset({("a", "b"), ("b", "a")}), frozenset())
    with pytest.raises(GraphError, match="CPDAG: the graph is undirected, expected conditionals only."):
        CPDAG.of(Graph(VARIABLES, (Term(("a", "b")),)))
    with pytest.raises(GraphError, match="'d' is a variable of only one of the two graphs."):
        structural_hamming_distance(Graph(VARIABLES, ()), Graph(VARIABLES[:3], ()))
