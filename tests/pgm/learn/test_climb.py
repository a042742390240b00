"""Hill climbing against all graphs, all neighbours of what it found, and its own rules."""

from functools import cache
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Columns, GraphError, Score, bdeu, bic, hill_climb
from pgm.learn.learned import directed_graph

from .test_scores import random_columns

SEEDS = st.integers(0, 2**32 - 1)
CLOSE = {"rel": 1e-10, "abs": 1e-8}


@cache
def all_graphs(count: int) -> list[dict[int, tuple[int, ...]]]:
    """The parents in each directed acyclic graph of so many variables."""
    pairs = [(i, j) for i in range(count) for j in range(i)]
    found = []
    for ways in product(range(3), repeat=len(pairs)):
        arrows = [pair if way == 1 else pair[::-1] for pair, way in zip(pairs, ways, strict=True) if way]
        if nx.is_directed_acyclic_graph(nx.DiGraph(arrows)):
            found.append({v: tuple(p for p, child in arrows if child == v) for v in range(count)})
    return found


def test_there_are_as_many_graphs_as_robinson_counted() -> None:
    assert [len(all_graphs(count)) for count in (1, 2, 3, 4)] == [1, 3, 25, 543]


@given(SEEDS, st.sampled_from([bic, bdeu]))
@settings(max_examples=20)
def test_the_best_of_all_graphs_of_four_variables(seed: int, make) -> None:
    columns = random_columns(seed, 4)
    score = make(columns)
    family = cache(lambda child, parents: float(score.families(child, parents, np.array([-1]))[0]))
    best = max(sum(family(child, parents) for child, parents in graph.items()) for graph in all_graphs(4))
    assert hill_climb(columns, make, restarts=20).score == pytest.approx(best, **CLOSE)


def neighbours(arrows: set[tuple[str, str]], names: tuple[str, ...]):
    """Every acyclic graph one addition, removal or reversal away."""
    for a, b in product(names, names):
        others = [arrows ^ {(a, b)}] if a != b and (b, a) not in arrows else []
        others += [(arrows - {(a, b)}) | {(b, a)}] if (a, b) in arrows else []
        yield from (other for other in others if nx.is_directed_acyclic_graph(nx.DiGraph(list(other))))


def arrows_of(graph) -> set[tuple[str, str]]:
    return {(parent, child) for child, parents in graph.parents.items() for parent in parents}


def graph_of(columns: Columns, arrows: set[tuple[str, str]]):
    return directed_graph(columns.variables, {n: sorted(a for a, b in arrows if b == n) for n in columns.names})


@given(SEEDS, st.sampled_from([bic, bdeu]), st.sampled_from([0, 3, 10]))
@settings(max_examples=15)
def test_no_neighbour_is_better_and_the_rules_hold(seed: int, make, tabu: int) -> None:
    columns = random_columns(seed, 6, 300)
    generator = np.random.default_rng(seed)
    pairs = [tuple(columns.names[v] for v in generator.permutation(6)[:2]) for _ in range(6)]
    required = set(pairs[:1])
    forbidden = {pair for pair in pairs[1:] if pair not in required}
    learned = hill_climb(
        columns, make, max_parents=2, required=required, forbidden=forbidden, tabu=tabu, restarts=2, seed=seed
    )
    score, found = make(columns), arrows_of(learned.graph)

    def allowed(arrows: set[tuple[str, str]]) -> bool:
        most = max(sum(child == name for _, child in arrows) for name in columns.names)
        return required <= arrows and not arrows & forbidden and most <= 2

    assert allowed(found)
    assert learned.score == pytest.approx(score.total(learned.graph), **CLOSE)
    assert max(learned.trace, default=learned.score) <= learned.score + 1e-6
    for other in neighbours(found, columns.names):
        assert not allowed(other) or score.total(graph_of(columns, other)) <= learned.score + 1e-6


@given(SEEDS)
@settings(max_examples=15)
def test_a_tabu_list_goes_on_where_climbing_ends(seed: int) -> None:
    columns = random_columns(seed, 6, 300)
    plain, on = (hill_climb(columns, tabu=tabu, restarts=0) for tabu in (0, 10))
    assert on.trace[: len(plain.trace)] == plain.trace
    assert len(on.trace) > len(plain.trace)
    assert on.score >= plain.score


def test_a_tabu_list_leaves_what_was_changed_alone() -> None:
    """Two variables have one pair, three have three: once each has been changed, nothing may be for `tabu` steps."""
    rows = {"a": [0, 0, 1, 1] * 9, "b": [0, 0, 1, 1] * 9}
    assert len(hill_climb(rows, tabu=3, restarts=0).trace) == 1
    assert len(hill_climb({**rows, "c": [0, 1] * 18}, tabu=3, restarts=0).trace) == 3


def test_a_climb_begins_where_it_is_told() -> None:
    columns = random_columns(3, 5, 300)
    best = hill_climb(columns, restarts=20)
    again = hill_climb(columns, start=best.graph, tabu=0, restarts=0)
    assert (again.graph, again.trace) == (best.graph, ())


def test_the_same_seed_gives_the_same_search() -> None:
    columns = random_columns(5, 6, 300)
    one, other = (hill_climb(columns, seed=3) for _ in range(2))
    assert one == other


def test_normal_columns() -> None:
    """A collider with strong effects: its class has one member, which is found."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 500))
    learned = hill_climb({"a": a, "b": b, "c": a + b + 0.1 * generator.normal(size=500)})
    assert learned.graph.parents == {"a": (), "b": (), "c": ("a", "b")}


def interrupting(calls: int):
    """BIC that is interrupted at one of its calls, as Ctrl-C would."""
    left = iter(range(calls))

    def make(data) -> Score:
        score = bic(data)

        def families(child: int, parents: tuple[int, ...], extra: np.ndarray) -> np.ndarray:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return score.families(child, parents, extra)

        return Score(score.variables, families)

    return make


def test_an_interrupted_search_keeps_the_best_graph() -> None:
    columns = random_columns(9, 6, 300)
    whole = hill_climb(columns, restarts=0, tabu=0)
    cut = hill_climb(columns, interrupting(19), restarts=0, tabu=0)
    assert whole.finished
    assert not cut.finished
    assert cut.score == pytest.approx(bic(columns).total(cut.graph), **CLOSE)
    assert cut.trace == whole.trace[:3] == (*cut.trace[:2], cut.score)
    assert repr(cut).endswith("interrupted)")


def test_progress_hears_of_each_step() -> None:
    heard: list[tuple[int, float]] = []
    learned = hill_climb(random_columns(3, 6, 300), progress=lambda steps, best: heard.append((steps, best)))
    assert [steps for steps, _ in heard] == list(range(1, len(learned.trace) + 1))
    assert heard[-1][1] == learned.score
    assert [best for _, best in heard] == pytest.approx(np.maximum.accumulate(learned.trace).tolist(), abs=1e-5)


COIN = {"a": ["0", "1"], "b": ["0", "1"], "c": ["0", "1"]}
REFUSED = {
    "unknown": ({"required": [("a", "z")]}, "hill_climb: required: 'z' is not a column of the data; there are 'a', "),
    "one name": (
        {"forbidden": ("a", "b")},
        "hill_climb: forbidden: 'a' is no arrow, expected (parent, child), two names.",
    ),
    "three names": (
        {"required": [("a", "b", "c")]},
        "hill_climb: required: ('a', 'b', 'c') is no arrow, expected (paren",
    ),
    "both": (
        {"required": [("a", "b")], "forbidden": [("a", "b")]},
        "hill_climb: the arrow 'a' -> 'b' is in the graph to begin with and is forbidden; drop one of the two.",
    ),
    "cycle": ({"required": [("a", "b"), ("b", "a")]}, "BayesianNetwork: cycle a -> b -> a."),
    "crowd": (
        {"required": [("a", "c"), ("b", "c")], "max_parents": 1},
        "hill_climb: 'c' has 2 parents to begin with, more than max_parents=1; raise it, or begin with fewer.",
    ),
    "start": (
        {"required": [("a", "c")], "start": directed_graph(Columns.of(COIN).variables, {})},
        "hill_climb: the arrow 'a' -> 'c' is required and not in the graph to begin with; add it there.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str) -> None:
    options, message = REFUSED[what]
    with pytest.raises(GraphError) as caught:
        hill_climb(COIN, **options)
    assert str(caught.value).startswith(message)
