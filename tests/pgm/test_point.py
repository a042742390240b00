"""Points, functions of numbers, and variables that are set from outside."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from pgm import (
    BayesianNetwork,
    Binary,
    ConditionalLinearGaussian,
    Count,
    Deterministic,
    Gaussian,
    LinearGaussian,
    Neural,
    Point,
    Real,
    ShapeError,
    Tabular,
    Variable,
    bernoulli,
)
from pgm.certain import certain
from pgm.errors import EvidenceError

X, Y, V = Variable("x", Real()), Variable("y", Real()), Variable("v", Real(2))
K, DOSE, PIXELS, CALLS = (
    Variable("k", ["a", "b"]),
    Variable("dose", Real()),
    Variable("p", Binary(2, 2)),
    Variable("n", Count()),
)


@given(st.lists(st.integers(1, 3), max_size=3), st.data())
@settings(max_examples=30)
def test_all_mass_is_on_the_value(shape: list[int], data: st.DataObject) -> None:
    event = data.draw(st.integers(0, len(shape)))
    value = torch.randn(shape)
    point = Point(value, event)
    assert tuple(point.batch_shape + point.event_shape) == tuple(shape)
    assert point.log_prob(value).eq(0).all()
    assert point.log_prob(value + 1).isneginf().all()
    assert torch.equal(point.rsample((2, 3)), value.expand(2, 3, *shape))
    assert torch.equal(point.mean, value)
    assert point.variance.eq(0).all()
    moved = value.clone()
    moved.reshape(-1)[0] += 1  # one number off is off
    assert point.log_prob(moved).isneginf().sum() == 1


def test_functions_of_numbers_are_points() -> None:
    area = Deterministic(Y, [V], lambda v: v.prod(-1))
    v = torch.tensor([[2.0, 3.0], [4.0, 5.0]], requires_grad=True)
    assert area.log_prob(v, torch.tensor([6.0, 21.0])).tolist() == [0, -math.inf]
    drawn = area.draw(v, shape=(3,))
    assert drawn.tolist() == [[6, 20]] * 3
    drawn.sum().backward()
    assert v.grad.tolist() == [[9, 6], [15, 12]]


def test_functions_may_be_modules_and_may_end_in_states() -> None:
    net = nn.Linear(1, 1)
    term = Deterministic(Variable("r", Real(1)), [Variable("s", Real(1))], net)
    assert len(list(term.parameters())) == 2
    s = torch.tensor([[0.5]], dtype=torch.float64)  # the net is in single precision
    assert term.log_prob(s, net(s.float())).tolist() == [0]
    sign = Deterministic(K, [X], lambda x: (x > 0).long())
    model = BayesianNetwork(Gaussian(X, 0.0, 1.0), sign)
    found = model.log_prob({"x": [1.0, -1.0], "k": ["b", "b"]})
    assert found.tolist() == [pytest.approx(stats.norm.logpdf(1)), -math.inf]


def test_a_function_returns_its_childs_shape() -> None:
    with pytest.raises(ShapeError) as caught:
        Deterministic(V, [X], lambda x: x).log_prob(torch.zeros(5), torch.zeros(5, 2))
    assert str(caught.value) == "Deterministic(v): the function returned shape (5,), expected [*batch, 2]."


def test_setting_a_number_cuts_its_parents_and_keeps_the_rest() -> None:
    """The truncated factorisation, with every kind of term left in place."""
    terms = [
        Tabular(K, [], [0.4, 0.6]),
        ConditionalLinearGaussian(DOSE, [K], None, [1.0, 2.0], [1.0]),
        LinearGaussian(V, [DOSE], [[2.0, -1.0]], [0.0, 1.0], 0.5),
        Neural(PIXELS, [V], bernoulli, lambda v: torch.stack([v, -v], -2)),
    ]
    model = BayesianNetwork(*terms)
    acted = model.do({"dose": 3.0})
    assert acted.graph.parents == {"k": (), "dose": (), "v": ("dose",), "p": ("v",)}
    rows = {"k": ["a", "b"], "dose": [3.0, 3.0], "v": [[6.0, -2.0], [5.0, 0.0]], "p": np.ones((2, 2, 2))}
    rest = model.log_prob(rows) - torch.from_numpy(stats.norm.logpdf(3.0, [1.0, 2.0]))
    torch.testing.assert_close(acted.log_prob(rows), rest)
    assert acted.log_prob({**rows, "dose": 2.9}).isneginf().all()
    assert model.graph.parents["dose"] == ("k",)


@pytest.mark.parametrize(
    ("variable", "value"),
    [(DOSE, 3.0), (V, [1.0, 2.0]), (V, torch.tensor([1.0, 2.0])), (PIXELS, np.eye(2)), (CALLS, 3), (K, "b")],
    ids=repr,
)
def test_every_kind_of_variable_can_be_set(variable: Variable, value: object) -> None:
    term = pickle.loads(pickle.dumps(certain(variable, value)))
    drawn = term.draw(shape=(4,))
    wanted = torch.as_tensor(variable.number(value) if variable.finite else np.asarray(value)).to(drawn)
    assert torch.equal(drawn, wanted.expand(4, *variable.shape))
    assert term.log_prob(drawn).tolist() == [0] * 4


def test_what_cannot_be_set_is_said() -> None:
    messages = {
        "do: 'v' has shape (), expected [*batch, 2], since its domain is Real(2).": (V, 3.0),
        "do: 'v' has shape (3, 2), expected one value, shape (2,).": (V, np.zeros((3, 2))),
        "do: 'dose' is NaN, expected Real().": (DOSE, None),
        "do: 'n' has -1, expected Count().": (CALLS, -1),
        "do: 'k' is 'c'; its states are 'a', 'b'.": (K, "c"),
        "do: 'k' has shape (2,), expected one value, shape ().": (K, ["a", "b"]),
    }
    for text, (variable, value) in messages.items():
        with pytest.raises(EvidenceError) as caught:
            certain(variable, value)
        assert str(caught.value) == text
