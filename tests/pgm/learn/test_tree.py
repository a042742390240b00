"""The best tree against all trees, and information against its definition and its laws."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from pgm import Columns, GraphError, bdeu, bic, chow_liu, kl_divergence, mutual_information, pairwise_information
from pgm.conditionals import Tabular
from pgm.learn.learned import directed_graph
from pgm.learn.scores import maximum_log_likelihood
from pgm.model import BayesianNetwork, MarkovNetwork
from pgm.potentials import Table

from .test_scores import random_columns

SEEDS = st.integers(0, 2**32 - 1)
CLOSE = {"rel": 1e-9, "abs": 1e-9}  # differences of sums of some hundred logarithms


def forests(names: tuple[str, ...]):
    """Every set of links without a cycle."""
    pairs = list(combinations(names, 2))
    for count in range(len(names)):
        for links in combinations(pairs, count):
            drawn = nx.Graph(links)
            if not links or nx.is_forest(drawn):
                yield links


def parents_of(links, names: tuple[str, ...]) -> dict[str, list[str]]:
    drawn = nx.Graph(links)
    drawn.add_nodes_from(names)
    found: dict[str, list[str]] = {}
    for part in nx.connected_components(drawn):
        for parent, child in nx.bfs_edges(drawn, min(part)):
            found[child] = [parent]
    return found


@given(SEEDS, st.sampled_from([maximum_log_likelihood, bic, bdeu]))
@settings(max_examples=20)
def test_no_forest_is_better(seed: int, make) -> None:
    columns = random_columns(seed, 4)
    score = make(columns)
    best = max(
        score.total(directed_graph(columns.variables, parents_of(f, columns.names))) for f in forests(columns.names)
    )
    learned = chow_liu(columns, score=make)
    assert learned.score == pytest.approx(best, **CLOSE)
    assert score.total(learned.graph) == pytest.approx(learned.score, **CLOSE)


@given(SEEDS)
@settings(max_examples=20)
def test_the_root_changes_arrows_not_links_and_not_the_score(seed: int) -> None:
    columns = random_columns(seed, 5)
    one = chow_liu(columns)
    for root in columns.names:
        other = chow_liu(columns, root)
        assert other.graph.parents[root] == ()
        assert other.score == pytest.approx(one.score, **CLOSE)
        assert max(map(len, other.graph.parents.values())) <= 1


def fitted_tree(columns: Columns, parents: dict[str, tuple[str, ...]]) -> BayesianNetwork:
    """Frequencies as tables; a row that does not occur is uniform."""
    terms = []
    for child, given_ in parents.items():
        scope = [columns.variables[p] for p in columns.places((*given_, child), "test")]
        table = np.zeros([v.size for v in scope])
        np.add.at(table, tuple(columns.values[columns.places([v.name], "test")[0]].astype(int) for v in scope), 1)
        table[table.sum(-1) == 0] = 1
        terms.append(Tabular(scope[-1], scope[:-1], table / table.sum(-1, keepdims=True)))
    return BayesianNetwork(*terms, variables=columns.variables)


def joint_frequencies(columns: Columns) -> MarkovNetwork:
    table = np.zeros(columns.sizes)
    np.add.at(table, tuple(columns.values.astype(int)), 1)
    return MarkovNetwork(Table(columns.variables, table / columns.rows))


@given(SEEDS)
@settings(max_examples=15)
def test_divergence_from_the_tree(seed: int) -> None:
    """KL(data, tree) = sum H(x_i) - sum I over the tree's links - H(data) (Chow and Liu 1968, equation 9)."""
    columns = random_columns(seed, 4)
    learned, data = chow_liu(columns), joint_frequencies(columns)
    information = pairwise_information(columns).numpy()
    arrows = [(child, parent) for child, parents in learned.graph.parents.items() for parent in parents]
    links = sum(information[tuple(columns.places(arrow, "test"))] for arrow in arrows)
    joint = scipy_entropy(np.unique(columns.values, axis=1, return_counts=True)[1])
    found = kl_divergence(data, fitted_tree(columns, learned.graph.parents)).item()
    assert found == pytest.approx(np.trace(information) - links - joint, abs=1e-8)


@given(SEEDS)
@settings(max_examples=15)
def test_information_of_frequencies(seed: int) -> None:
    """The frequencies as a model, asked for its mutual information."""
    columns = random_columns(seed, 3)
    data = joint_frequencies(columns)
    found = pairwise_information(columns).numpy()
    for (i, a), (j, b) in combinations(enumerate(columns.names), 2):
        assert found[i, j] == pytest.approx(mutual_information(data, a, b).item(), abs=1e-10)
        assert found[i, j] == found[j, i]


@given(SEEDS)
def test_the_chain_rule_of_information(seed: int) -> None:
    """H(a | c) + H(b | a, c) = H(b | c) + H(a | b, c), and I(a; b | c) = H(a | c) - H(a | b, c) >= 0."""
    columns = random_columns(seed, 4)
    a, b, *given_ = columns.names[: 2 + seed % 3]
    plain, after_a, after_b = (pairwise_information(columns, names) for names in (given_, [a, *given_], [b, *given_]))
    assert (plain[0, 0] + after_a[1, 1]).item() == pytest.approx((plain[1, 1] + after_b[0, 0]).item(), **CLOSE)
    assert plain[0, 1].item() == pytest.approx((plain[0, 0] - after_b[0, 0]).item(), **CLOSE)
    assert plain.min() > -1e-10


def test_information_of_normal_columns() -> None:
    """I = -log(1 - r^2) / 2, r the correlation."""
    generator = np.random.default_rng(0)
    a = generator.normal(size=50)
    b = a + generator.normal(size=50)
    r = np.corrcoef(a, b)[0, 1]
    assert pairwise_information({"a": a, "b": b})[0, 1].item() == pytest.approx(-np.log(1 - r**2) / 2)


def test_an_unknown_root_and_nothing_to_link_are_refused() -> None:
    with pytest.raises(GraphError, match="chow_liu: root: 'z' is not a column of the data; there are 'x'."):
        chow_liu({"x": ["a"]}, "z")
    with pytest.raises(GraphError, match="chow_liu: every column is given; leave one or more for the tree."):
        chow_liu({"x": ["a"]}, given=["x"])


def test_one_column_is_a_tree() -> None:
    learned = chow_liu({"x": ["a", "b"]})
    assert repr(learned) == "Learned(0 arrows, score -1.39, 0 steps)"
