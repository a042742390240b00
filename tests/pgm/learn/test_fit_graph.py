"""A learned graph with its parameters: the likelihood it reaches is the score it was found by."""

from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Columns, GraphError, bic, fit_graph, hill_climb
from pgm.learn.learned import directed_graph
from pgm.learn.scores import maximum_log_likelihood

from .test_scores import random_columns

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=10)
def test_tables_reach_the_likelihood_of_the_score(seed: int) -> None:
    columns = random_columns(seed, 4)
    graph = hill_climb(columns, maximum_log_likelihood, max_parents=2, restarts=0).graph
    model = fit_graph(graph, columns)
    rows = {
        name: torch.from_numpy(column.astype(np.int64))
        for name, column in zip(columns.names, columns.values, strict=True)
    }
    assert model.graph.parents == graph.parents
    found = model.log_prob(rows).sum().item()
    assert found == pytest.approx(maximum_log_likelihood(columns).total(graph), abs=1e-8)


def test_regressions_reach_the_likelihood_of_the_score() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 200))
    rows = {"a": a, "b": b, "c": a - 2 * b + generator.normal(size=200)}
    graph = hill_climb(rows).graph
    model = fit_graph(graph, rows)
    found = model.log_prob({name: torch.from_numpy(column) for name, column in rows.items()}).sum().item()
    numbers = sum(2 + len(parents) for parents in graph.parents.values())
    assert found - log(200) / 2 * numbers == pytest.approx(bic(rows).total(graph), abs=1e-6)


def test_states_are_those_of_the_graph() -> None:
    graph = directed_graph(Columns.of({"a": ["x", "y", "z"]}).variables, {})
    table = fit_graph(graph, {"a": ["z", "z", "x", "x"], "more": ["1"] * 4}).conditionals["a"].factor().values
    assert table.tolist() == [0.5, 0.0, 0.5]


def test_a_missing_column_is_refused() -> None:
    graph = directed_graph(Columns.of({"a": ["x"]}).variables, {})
    with pytest.raises(GraphError, match="data: there is no column for variable 'a'; there are 'b'."):
        fit_graph(graph, {"b": ["x"]})
