"""Elimination orders: what they cost, counted again by hand, and that the search never loses to plain min-fill."""

from collections.abc import Sequence
from itertools import permutations
from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.compiled.elimination import MIN_FILL, MIN_WEIGHT, WEIGHTED_MIN_FILL
from pgm.order import RULES, flatten, moral_matrix, search, search_matrix, search_order

Problem = tuple[list[int], list[list[int]]]


@st.composite
def problems(draw: st.DrawFn, most: int = 9) -> Problem:
    """Numbers of states, and scopes over the variables."""
    count = draw(st.integers(1, most))
    sizes = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    scopes = draw(st.lists(st.lists(st.integers(0, count - 1), max_size=3, unique=True), max_size=10))
    return sizes, scopes


def moral_graph(sizes: Sequence[int], scopes: Sequence[Sequence[int]]) -> nx.Graph:
    graph = nx.Graph([(a, b) for scope in scopes for a in scope for b in scope if a != b])
    graph.add_nodes_from(range(len(sizes)))
    return graph


def cost_of(order: Sequence[int], sizes: Sequence[int], scopes: Sequence[Sequence[int]]) -> float:
    """Table entries over all eliminated cliques, by eliminating in a networkx graph."""
    graph, total = moral_graph(sizes, scopes), 0.0
    for v in order:
        around = list(graph.neighbors(v))
        total += prod(sizes[u] for u in [v, *around])
        graph.add_edges_from((a, b) for a in around for b in around if a != b)
        graph.remove_node(v)
    return total


def fill_in(graph: nx.Graph, v: int) -> list[tuple[int, int]]:
    around = sorted(graph.neighbors(v))
    return [(a, b) for a in around for b in around if a < b and not graph.has_edge(a, b)]


def greedy(sizes: Sequence[int], scopes: Sequence[Sequence[int]], rule: int) -> list[int]:
    """A greedy order, ties to the lowest number, straight from the rules' definitions."""
    graph, order = moral_graph(sizes, scopes), []

    def score(v: int) -> tuple[float, int]:
        if rule == MIN_WEIGHT:
            return prod(sizes[u] for u in [v, *graph.neighbors(v)]), v
        if rule == MIN_FILL:
            return len(fill_in(graph, v)), v
        return sum(sizes[a] * sizes[b] for a, b in fill_in(graph, v)), v

    while graph:
        v = min(graph, key=score)
        order.append(v)
        graph.add_edges_from(fill_in(graph, v))
        graph.remove_node(v)
    return order


@given(problems())
def test_an_order_has_every_variable_once_and_costs_what_is_said(problem: Problem) -> None:
    sizes, scopes = problem
    order, cost = search(sizes, scopes, (), 0.0)
    assert sorted(order.tolist()) == list(range(len(sizes)))
    assert cost == cost_of(order.tolist(), sizes, scopes)
    assert search_order(sizes, scopes, seconds=0.0) == tuple(order.tolist())


@pytest.mark.parametrize("rule", [MIN_FILL, WEIGHTED_MIN_FILL, MIN_WEIGHT])
@given(problems())
@settings(max_examples=35)
def test_each_rule_is_its_definition(rule: int, problem: Problem) -> None:
    """Scores are updated in place as variables vanish; computed anew each time they give an order of the same cost."""
    sizes, scopes = problem
    matrix = moral_matrix(len(sizes), *flatten(scopes))
    stage = np.zeros(len(sizes), dtype=np.int64)
    order, cost = search_matrix(matrix, np.asarray(sizes, dtype=float), stage, 0.0, (rule,))
    assert cost == cost_of(order.tolist(), sizes, scopes)
    assert cost == cost_of(greedy(sizes, scopes, rule), sizes, scopes)


@given(problems())
def test_the_search_is_never_worse_than_min_fill(problem: Problem) -> None:
    sizes, scopes = problem
    _, cost = search(sizes, scopes, (), 0.0)
    assert cost <= min(cost_of(greedy(sizes, scopes, rule), sizes, scopes) for rule in RULES)


@given(problems(most=6))
@settings(max_examples=11)
def test_no_order_beats_the_best_of_all(problem: Problem) -> None:
    """A bound from below: all orders, one after the other."""
    sizes, scopes = problem
    _, cost = search(sizes, scopes, (), 0.0)
    assert cost >= min(cost_of(order, sizes, scopes) for order in permutations(range(len(sizes))))


@given(st.integers(2, 12), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_trees_are_eliminated_at_no_fill(count: int, random) -> None:  # type: ignore[no-untyped-def]
    scopes = [[random.randrange(child), child] for child in range(1, count)]
    order, cost = search([2] * count, scopes, (), 0.0)
    assert cost == 4 * (count - 1) + 2
    assert cost == cost_of(order.tolist(), [2] * count, scopes)


@given(problems(), st.data())
def test_what_comes_last_comes_last(problem: Problem, data: st.DataObject) -> None:
    sizes, scopes = problem
    last = data.draw(st.lists(st.integers(0, len(sizes) - 1), unique=True))
    order, cost = search(sizes, scopes, last, 0.0)
    assert set(order.tolist()[len(sizes) - len(last) :]) == set(last)
    assert cost == cost_of(order.tolist(), sizes, scopes)


def test_time_makes_orders_better_never_worse() -> None:
    """On a random graph of 60 variables, where the greedy rules leave room."""
    graph = nx.gnm_random_graph(60, 150, seed=1)
    scopes = [list(edge) for edge in graph.edges]
    _, quick = search([3] * 60, scopes, (), 0.0)
    order, longer = search([3] * 60, scopes, (), 0.3)
    assert longer < quick
    assert longer == pytest.approx(cost_of(order.tolist(), [3] * 60, scopes), rel=1e-12)


def test_more_variables_than_bits_in_a_word() -> None:
    scopes = [[i, i + 1] for i in range(199)] + [[0, 199]]
    order, cost = search([2] * 200, scopes, (), 0.0)
    assert cost == cost_of(order.tolist(), [2] * 200, scopes) == 8 * 198 + 4 + 2


def test_the_moral_matrix_is_the_moral_graph() -> None:
    sizes, scopes = [2] * 70, [[0, 65, 69], [65, 3], [7]]
    matrix = moral_matrix(70, *flatten(scopes))
    edges = {(i, j) for i in range(70) for j in range(70) if int(matrix[i, j // 64]) >> (j % 64) & 1}
    assert edges == {(a, b) for a, b in nx.DiGraph(moral_graph(sizes, scopes)).edges}


def test_a_cost_beyond_all_numbers_still_has_an_order() -> None:
    """1000^120 is no float; the plan must be able to say so, and so needs an order."""
    assert sorted(search_order([1000] * 120, [list(range(120))], seconds=0.0)) == list(range(120))


def test_a_graph_without_hope_is_not_searched_on() -> None:
    """Of a random graph of 100 variables, whatever time is allowed: what the first rule says."""
    graph = nx.gnm_random_graph(100, 1200, seed=0)
    sizes, scopes = [2] * 100, [list(edge) for edge in graph.edges]
    order, cost = search(sizes, scopes, (), 1e6)
    assert order.tolist() == greedy(sizes, scopes, MIN_FILL)
    assert cost > 2**60
