"""Data: the kinds that are read, what they become, and what is refused."""

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pgm import BayesianNetwork, Columns, Real, Tabular, Variable, sample
from pgm.errors import EvidenceError, GraphError
from pgm.evidence import read_evidence
from pgm.graph import Graph

LABELS = st.lists(st.sampled_from(["no", "yes", "10", "9", "x y"]), min_size=1, max_size=20)


@given(LABELS)
def test_labels_come_back(labels: list[str]) -> None:
    for data in ({"x": labels}, pandas.DataFrame({"x": labels}), {"x": tuple(labels)}, {"x": np.array(labels)}):
        columns = Columns.of(data)
        assert [columns.variables[0].states[number] for number in columns.values[0]] == labels
        assert set(columns.variables[0].states) == set(labels)


def test_what_reads_like_a_missing_label_is_one_only_if_evidence_says_so() -> None:
    labels = ["nan", "None", "<NA>"]
    columns = Columns.of({"x": labels})
    assert (
        read_evidence(Graph(columns.variables, ()), {"x": labels}, None).hard[0].tolist() == columns.values[0].tolist()
    )


def test_states_are_in_order() -> None:
    data = {"text": ["b", "a", "c"], "whole": [10, 9, -1], "digits": ["10", "9", "2.5"], "truth": [True, False, True]}
    states = [variable.states for variable in Columns.of(data).variables]
    assert states == [("a", "b", "c"), ("-1", "9", "10"), ("2.5", "9", "10"), ("False", "True")]


def test_integer_arrays_and_tensors_are_state_numbers() -> None:
    columns = Columns.of({"a": torch.tensor([0, 2, 0]), "b": np.array([1, 0, 1])})
    assert [variable.size for variable in columns.variables] == [3, 2]
    assert columns.values.tolist() == [[0, 2, 0], [1, 0, 1]]


def test_samples_and_columns_keep_their_variables() -> None:
    coin = Variable("coin", ["tails", "heads", "edge"])
    drawn = sample(BayesianNetwork(Tabular(coin, [], [0.5, 0.5, 0.0])), 20, seed=0)
    columns = Columns.of(drawn)
    assert columns.variables == (coin,)
    assert columns.values[0].tolist() == drawn["coin"].tolist()
    assert Columns.of(columns) is columns
    assert repr(columns) == "Columns(20 rows of 1 variables)"


def test_known_variables_give_states_and_their_order() -> None:
    size = Variable("size", ["small", "large", "huge"])
    columns = Columns.of({"size": ["large", "small"], "rain": ["no", "no"]}, [size])
    assert columns.variables == (size, Variable("rain", ["no"]))
    assert columns.values.tolist() == [[1, 0], [0, 0]]
    assert Columns.of({"n": [1.0, 0.0]}, [Variable("n", 3)]).values.tolist() == [[1, 0]]


def test_fractions_are_real_variables() -> None:
    columns = Columns.of({"a": [0.5, 2.0], "b": torch.tensor([1.0, 3.0])})
    assert not columns.finite
    assert columns.variables == (Variable("a", Real()), Variable("b", Real()))
    assert columns.values.tolist() == [[0.5, 2.0], [1.0, 3.0]]


def test_many_states_take_wider_integers() -> None:
    labels = [f"{number:03}" for number in range(300)]
    columns = Columns.of({"x": labels})
    assert columns.values[0].tolist() == list(range(300))


REFUSED = {
    "missing label": (
        {"x": ["a", None, "", float("nan")]},
        "data: column 'x' has 3 missing cells in 4 rows; a structur",
    ),
    "missing in a frame": (pandas.DataFrame({"x": ["a", pandas.NA]}), "data: column 'x' has 1 missing cells in 2 rows"),
    "missing number": ({"x": np.array([0, -1])}, "data: column 'x' has 1 missing cells in 2 rows"),
    "missing fraction": ({"x": [0.5, float("nan")]}, "data: column 'x' has 1 missing cells in 2 rows"),
    "lengths": ({"x": ["a"], "y": ["a", "b"]}, "data: column 'x' has 1 rows and 'y' has 2; make them equal."),
    "no rows": ({"x": []}, "data: column 'x' has no rows, expected one or more."),
    "no rows of labels": (
        pandas.DataFrame({"x": ["a"]}).iloc[:0],
        "data: column 'x' has no rows, expected one or more.",
    ),
    "no columns": ({}, "data: there are no rows, expected"),
    "a number": (3, "data: it is a int, expected a DataFrame or a mapping from names to columns."),
    "two axes": ({"x": np.zeros((2, 2), dtype=int)}, "data: column 'x' has shape (2, 2), expected (rows,)."),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str) -> None:
    data, message = REFUSED[what]
    with pytest.raises(EvidenceError) as caught:
        Columns.of(data)
    assert str(caught.value).startswith(message)


def test_what_does_not_fit_known_variables_is_refused() -> None:
    with pytest.raises(EvidenceError, match="column 'x' has the label 'c'; its states are 'a', 'b'."):
        Columns.of({"x": ["a", "c"]}, [Variable("x", ["a", "b"])])
    with pytest.raises(EvidenceError, match="column 'x' has state number 2, expected 0 to 1; labels go into a list."):
        Columns.of({"x": np.array([2])}, [Variable("x")])
    with pytest.raises(GraphError, match="there is no column for variable 'z'; there are 'x'."):
        Columns.of({"x": ["a"]}, [Variable("z")])
    with pytest.raises(GraphError, match="'x' has labels and 'y' fractions; leave one kind out, or cut into bins."):
        Columns.of({"x": ["a"], "y": [0.5]})
    with pytest.raises(GraphError, match="root: 'z' is not a column of the data; there are 'x'."):
        Columns.of({"x": ["a"]}).places("z", "root")
