"""Values: every form of the same value reads as the same tensor, and what is no value is said."""

from typing import Any

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pgm import Binary, Count, Deterministic, Gaussian, Model, Real, Tabular, Variable
from pgm.errors import EvidenceError, GraphError
from pgm.values import placed, read_all, read_value

SKY = Variable("sky", ["clear", "grey", "dark"])
X, V = Variable("x", Real()), Variable("v", Real(2))
PIXELS, CALLS = Variable("pixels", Binary(2)), Variable("calls", Count())


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_labels_and_state_numbers_say_the_same(numbers: list[int]) -> None:
    labels = [SKY.states[number] for number in numbers]
    forms: list[Any] = [labels, tuple(labels), np.array(labels), np.array(labels, dtype=object), pandas.Series(labels)]
    forms += [np.array(numbers), np.array(numbers, dtype=np.int8), torch.tensor(numbers), torch.tensor(numbers).int()]
    for form in forms:
        assert read_value(SKY, form, "test").tolist() == numbers
        assert read_value(SKY, form, "test").dtype == torch.long


def test_a_single_label_has_no_batch() -> None:
    assert read_value(SKY, "grey", "test").shape == ()
    assert read_value(Variable("wet", 2), torch.tensor([True, False]), "test").tolist() == [1, 0]


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), min_size=1, max_size=4))
def test_numbers_in_any_form_say_the_same(rows: list[list[float]]) -> None:
    made = torch.tensor(rows, dtype=torch.float64)
    forms = [rows, tuple(rows), np.array(rows), [np.array(row) for row in rows], list(made), made]
    for form in forms:
        found = read_value(V, form, "test")
        assert (found.dtype, found.tolist()) == (torch.float64, rows)


def test_float_tensors_keep_their_precision_and_gradient() -> None:
    value = torch.ones(3, requires_grad=True)
    assert read_value(X, value, "test") is value
    assert read_value(X, torch.tensor([1, 2]), "test").dtype == torch.float64


WRONG: dict[str, tuple[Variable, Any, str]] = {
    "label": (SKY, "blue", "test: 'sky' is 'blue'; its states are 'clear', 'grey', 'dark'."),
    "one of many": (SKY, ["grey", "blue"], "test: 'sky' is 'blue'; its states are 'clear', 'grey', 'dark'."),
    "fraction": (
        SKY, torch.tensor([0.7]), "test: 'sky' is a torch.float32 tensor, expected labels or integer state numbers.",
    ),
    "number": (
        SKY, np.array([0, 3]), "test: 'sky' has state numbers 0 to 3, expected 0 to 2; every variable needs a value.",
    ),
    "missing": (
        SKY, np.array([-1]), "test: 'sky' has state numbers -1 to -1, expected 0 to 2; every variable needs a value.",
    ),
    "shape": (V, [1.0, 2.0, 3.0], "test: 'v' has shape (3,), expected [*batch, 2], since its domain is Real(2)."),
    "scalar": (V, 1.0, "test: 'v' has shape (), expected [*batch, 2], since its domain is Real(2)."),
    "infinite": (X, float("inf"), "test: 'x' has inf, expected Real()."),
    "grey pixel": (PIXELS, [0.0, 0.5], "test: 'pixels' has 0.5, expected Binary(2)."),
    "negative count": (CALLS, -1, "test: 'calls' has -1, expected Count()."),
    "half a call": (CALLS, 1.5, "test: 'calls' has 1.5, expected Count()."),
    "endless calls": (CALLS, float("inf"), "test: 'calls' has inf, expected Count()."),
    "text": (X, "tall", "test: 'x' is not made of numbers (could not convert string to float: 'tall')."),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_value_is_said(case: str) -> None:
    variable, value, text = WRONG[case]
    with pytest.raises(EvidenceError) as caught:
        read_value(variable, value, "test")
    assert str(caught.value) == text


def test_ragged_rows_are_no_numbers() -> None:
    with pytest.raises(EvidenceError, match=r"^test: 'v' is not made of numbers \(setting an array element"):
        read_value(V, [[1.0, 2.0], [3.0]], "test")


def test_a_full_assignment_has_every_variable_and_batches_that_fit() -> None:
    found = read_all([SKY, X, V], {"sky": "grey", "x": [[1.0], [2.0]], "v": np.zeros((3, 2))}, "test")
    assert [tuple(value.shape) for value in found.values()] == [(), (2, 1), (3, 2)]
    with pytest.raises(GraphError, match=r"^test: no value for 'v'; every variable needs one\.$"):
        read_all([X, V], {"x": 0.0}, "test")
    with pytest.raises(EvidenceError, match=r"^test: 'x' is NaN; every variable needs a value\.$"):
        read_all([X], {"x": [0.0, None]}, "test")
    with pytest.raises(EvidenceError, match=r"^test: 'v' has batch shape \(3,\), those before it \(2,\); make them eq"):
        read_all([X, V], {"x": [0.0, 1.0], "v": np.zeros((3, 2))}, "test")


def test_values_go_where_the_parameters_are() -> None:
    numbers, states = torch.ones(2, dtype=torch.float64), torch.tensor([1, 0])
    for module in (nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False)):  # parameters, or buffers only
        there = placed(module, [numbers, states])
        assert [value.dtype for value in there] == [torch.float32, torch.long]
    assert placed(nn.Tanh(), [numbers])[0] is numbers


@pytest.mark.gpu
def test_values_follow_the_model_to_another_device() -> None:
    """Every form of a value, and terms with and without parameters."""
    double = Deterministic(Variable("y", Real()), [X], lambda x: 2 * x)
    model = Model(Tabular(SKY, [], [0.2, 0.3, 0.5]), Gaussian(X, 0.0, 1.0), double)
    rows = {"sky": ["dark", "clear"], "x": [1.0, -1.0], "y": torch.tensor([2.0, -2.0])}
    expected = model.log_prob(rows)
    found = model.to("cuda").log_prob(rows)
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), expected)


def test_log_prob_of_a_model_takes_every_form() -> None:
    model = Model(Tabular(SKY, [], [0.2, 0.3, 0.5]), Gaussian(X, 0.0, 1.0))
    expected = model.log_prob({"sky": torch.tensor([2, 0]), "x": torch.tensor([1.0, -1.0])})
    assert torch.equal(model.log_prob({"sky": ["dark", "clear"], "x": [1, -1]}), expected)
    frame = pandas.DataFrame({"sky": ["dark", "clear"], "x": [1.0, -1.0]})
    assert torch.equal(model.log_prob({name: frame[name] for name in frame}), expected)
    assert model.log_prob({"sky": [], "x": []}).shape == (0,)
    assert model.log_prob({"sky": "dark", "x": np.zeros((0,))}).shape == (0,)
