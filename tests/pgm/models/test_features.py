"""Rows of numbers as values of variables."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pgm import Binary, Real
from pgm.models.features import Features

NUMBERS = st.floats(-1e6, 1e6)
TABLES = arrays(float, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=NUMBERS)


def names(table: np.ndarray) -> list[str]:
    return [f"x{i}" for i in range(table.shape[1])]


@given(TABLES, st.integers(1, 6))
def test_bins_keep_order_and_are_all_states_of_their_variable(table: np.ndarray, bins: int) -> None:
    made = Features.of(table, names(table), "bins", bins=bins)
    for variable, column, states in zip(made.variables, table.T, made(table).values(), strict=True):
        assert variable.size <= bins
        assert 0 <= int(states.min()) <= int(states.max()) < variable.size
        order = np.argsort(column, kind="stable")
        assert (np.diff(states.numpy()[order]) >= 0).all()


@given(arrays(np.int64, st.tuples(st.integers(1, 30), st.just(1)), elements=st.integers(0, 4)))
def test_a_column_of_few_different_numbers_has_a_state_for_each(table: np.ndarray) -> None:
    made = Features.of(table.astype(float), ["x"], "bins", bins=5)
    expected = np.unique(table, return_inverse=True)[1].reshape(-1)
    assert made(table.astype(float))["x"].tolist() == expected.tolist()


def test_bins_have_about_as_many_rows_each() -> None:
    column = np.random.default_rng(0).exponential(size=(1000, 1))
    counts = Features.of(column, ["x"], "bins", bins=4)(column)["x"].bincount()
    assert counts.tolist() == [250] * 4


def test_vectors() -> None:
    table = np.array([[0.0, 2.0], [3.0, 1.0]])
    for kind, domain in (("real", Real(2)), ("positive", Real(2)), ("binary", Binary(2))):
        made = Features.of(table, names(table), kind, threshold=1.0)
        assert made.variables[0].domain == domain
        expected = table > 1 if kind == "binary" else table
        assert torch.equal(made(table)["x"], torch.tensor(expected, dtype=torch.float64))
