"""Trees with their tables: against all forests, and laws of the best one."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Dirichlet, GraphError, chow_liu, chow_liu_tree, fit_graph, log_evidence, tree_augmented_naive_bayes
from pgm.learn.columns import Columns
from pgm.learn.learned import directed_graph
from pgm.learn.scores import bic, maximum_log_likelihood

SEEDS = st.integers(0, 2**32 - 1)
FEATURES = ("a", "b", "c", "d")


def rows_of(seed: int) -> dict[str, np.ndarray]:
    """A class of three states and four features that depend on it and on each other."""
    random = np.random.default_rng(seed)
    label = random.integers(3, size=80)
    data, before = {"label": label}, label
    for name in FEATURES:
        before = np.where(random.random(80) < 0.6, (before + label) % 2, random.integers(2, size=80))
        data[name] = before
    return data


def augmented(columns: Columns, links: list[tuple[str, str]]):
    """The class above all features, and a forest among them."""
    parents = {name: ["label"] for name in FEATURES}
    for part in nx.connected_components(forest := nx.Graph([*links, *((name, name) for name in FEATURES)])):
        for parent, child in nx.bfs_edges(forest, min(part)):
            parents[child].append(parent)
    return directed_graph(columns.variables, parents)


@settings(max_examples=5)
@given(SEEDS, st.sampled_from([maximum_log_likelihood, bic]))
def test_no_forest_under_the_class_is_better(seed: int, make) -> None:
    columns = Columns.of(rows_of(seed))
    score, pairs = make(columns), list(combinations(FEATURES, 2))
    forests = [links for n in range(4) for links in combinations(pairs, n) if n == 0 or nx.is_forest(nx.Graph(links))]
    best = max(score.total(augmented(columns, list(links))) for links in forests)
    learned = chow_liu(columns, score=make, given="label")
    assert learned.score == pytest.approx(best, rel=1e-9)
    assert score.total(learned.graph) == pytest.approx(learned.score, rel=1e-9)


@settings(max_examples=5)
@given(SEEDS)
def test_fitted_trees_have_the_likelihood_that_their_scores_say(seed: int) -> None:
    data = rows_of(seed)
    score = maximum_log_likelihood(data)
    for model in (chow_liu_tree(data), tree_augmented_naive_bayes("label", data)):
        assert log_evidence(model, given=data).sum().item() == pytest.approx(score.total(model), rel=1e-9)
    alone, under = chow_liu_tree(data), tree_augmented_naive_bayes("label", data)
    assert all(parents[0] == "label" for name, parents in under.graph.parents.items() if name != "label")
    assert sum(map(len, alone.graph.parents.values())) <= 4


def test_a_prior_reaches_the_tables() -> None:
    data = rows_of(0)
    model = tree_augmented_naive_bayes("label", data, prior=Dirichlet(2.0))
    again = fit_graph(chow_liu(data, given="label").graph, data, prior=Dirichlet(2.0))
    assert log_evidence(model, given=data).sum().item() == log_evidence(again, given=data).sum().item()
    table = model.conditionals["label"].table.detach().numpy()
    np.testing.assert_allclose(table, (np.bincount(data["label"]) + 2) / (80 + 6), rtol=1e-12)


def test_errors() -> None:
    with pytest.raises(GraphError, match="tree_augmented_naive_bayes: expected columns of labels, 'x' holds fractions"):
        tree_augmented_naive_bayes("x", {"x": [0.5, 1.5]})
    with pytest.raises(GraphError, match="chow_liu: given: 'y' is not a column of the data"):
        tree_augmented_naive_bayes("y", rows_of(0))
    with pytest.raises(GraphError, match="chow_liu: root 'label' is given; the tree is over the other columns."):
        chow_liu(rows_of(0), root="label", given="label")
