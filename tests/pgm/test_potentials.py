"""Potentials against their formulas."""

import copy
from itertools import product as cartesian
from math import exp

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.errors import ShapeError
from pgm.model import MarkovNetwork
from pgm.potentials import LogLinear, Pairwise, Potential, Table, agree, product, spin
from pgm.variable import Variable

A, B, C = Variable("a", ["low", "high"]), Variable("b", ["x", "y", "z"]), Variable("c", 2)
number = st.floats(-4, 4)


def examples() -> list[Potential]:
    return [
        Table([A, B], [[1, 2, 3], [4, 5, 6]]),
        LogLinear(
            [A, B], [lambda a, b: a == "low", lambda a, b: len(b) * 0.5, np.arange(6).reshape(2, 3)], [1, -1, 0.1]
        ),
        Pairwise(A, B, 0.7),
        Pairwise(A, B, [[0.1, -0.2, 0.3], [0.0, 1.0, -1.0]]),
        Pairwise(A, C, -0.7, spin),
        Pairwise(A, C, 0.3, product),
    ]


each = pytest.mark.parametrize("term", examples(), ids=range(6))


@each
def test_gradients_are_those_of_finite_differences(term: Potential) -> None:
    assert torch.autograd.gradcheck(lambda *_: term.factor().values, tuple(term.parameters()))


@each
def test_a_state_dict_carries_all_numbers(term: Potential) -> None:
    other = copy.deepcopy(term)
    for tensor in other.state_dict().values():
        tensor.zero_()
    assert not torch.equal(other.factor().values, term.factor().values)
    other.load_state_dict(term.state_dict())
    assert torch.equal(other.factor().values, term.factor().values)


@each
def test_to_changes_the_precision_of_the_factor(term: Potential) -> None:
    single = copy.deepcopy(term).to(torch.float32).factor().values
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), term.factor().values, rtol=1e-6, atol=0)  # float32 keeps seven digits


@given(st.data(), st.integers(1, 4), st.lists(st.integers(1, 3), min_size=1, max_size=3))
@settings(deadline=None, max_examples=50)
def test_log_linear_is_the_exponential_of_a_weighted_sum(data: st.DataObject, count: int, sizes: list[int]) -> None:
    scope = [Variable(f"x{i}", size) for i, size in enumerate(sizes)]
    shape = (count, *sizes)
    features = np.array(data.draw(st.lists(number, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))))
    weights = data.draw(st.lists(number, min_size=count, max_size=count))
    features = features.reshape(shape)
    functions = [lambda *labels, k=k: features[(k, *map(int, labels))] for k in range(count)]
    by_tensor = LogLinear(scope, torch.tensor(features), weights).factor().values
    by_function = LogLinear(scope, functions, weights).factor().values
    assert torch.equal(by_tensor, by_function)
    for x in cartesian(*map(range, sizes)):
        assert by_tensor[x].item() == pytest.approx(exp(sum(w * f[x] for w, f in zip(weights, features, strict=True))))


@given(st.lists(st.floats(0.01, 100), min_size=6, max_size=6))
@settings(deadline=None)
def test_one_indicator_an_entry_makes_any_positive_table(entries: list[float]) -> None:
    indicators = torch.eye(6, dtype=torch.float64).reshape(6, 2, 3)
    values = LogLinear([A, B], indicators, np.log(entries)).factor().values
    torch.testing.assert_close(values, Table([A, B], np.reshape(entries, (2, 3))).factor().values, rtol=1e-14, atol=0)


@given(number, st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None)
def test_a_number_couples_equal_states(coupling: float, m: int, n: int) -> None:
    values = Pairwise(Variable("p", m), Variable("q", n), coupling).factor().values
    for i, j in cartesian(range(m), range(n)):
        assert values[i, j].item() == pytest.approx(exp(coupling) if i == j else 1.0)


@given(number)
@settings(deadline=None)
def test_ising_is_potts_at_twice_the_coupling(coupling: float) -> None:
    ising = Pairwise(A, C, coupling, spin).factor().values
    potts = Pairwise(A, C, 2 * coupling, agree).factor().values
    torch.testing.assert_close(ising, potts * exp(-coupling), rtol=1e-13, atol=0)


@given(st.lists(number, min_size=6, max_size=6))
@settings(deadline=None)
def test_a_table_of_couplings_is_the_log_of_a_table(logs: list[float]) -> None:
    table = np.reshape(logs, (2, 3))
    values = Pairwise(A, B, table).factor().values
    torch.testing.assert_close(values, Table([A, B], np.exp(table)).factor().values, rtol=1e-14, atol=0)


@given(st.lists(number, min_size=6, max_size=6))
@settings(deadline=None, max_examples=13)
def test_products_make_the_energy_of_a_boltzmann_machine(weights: list[float]) -> None:
    w = np.reshape(weights, (2, 3))
    visible, hidden = [Variable(f"v{i}") for i in range(2)], [Variable(f"h{j}") for j in range(3)]
    pairs = [Pairwise(visible[i], hidden[j], w[i, j], product) for i in range(2) for j in range(3)]
    model = MarkovNetwork(*pairs)
    for x in cartesian(range(2), repeat=5):
        v, h = np.array(x[:2]), np.array(x[2:])
        states = {each.name: str(state) for each, state in zip([*visible, *hidden], x, strict=True)}
        assert model.log_prob(states).item() == pytest.approx(v @ w @ h, abs=1e-12)


def test_a_constant_is_a_table_of_no_variables() -> None:
    assert Table([], 3.5).factor().values.item() == 3.5


WRONG = {
    "shape": (
        lambda: Table([A, B], [[1, 2], [3, 4], [5, 6]]),
        "Table(a, b): table has shape (3, 2), expected (2, 3) = [a, b].",
    ),
    "negative": (
        lambda: Table([A], [1, -1]),
        "Table(a): entry (a=high) is -1; expected finite numbers that are not negative.",
    ),
    "twice": (lambda: Table([A, A], np.ones((2, 2))), "Table(a, a): scope ['a', 'a'] lists a variable twice."),
    "no features": (lambda: LogLinear([A], [], []), "LogLinear(a): there are no features, expected one or more."),
    "weights": (
        lambda: LogLinear([A], [lambda a: 1.0], [1.0, 2.0]),
        "LogLinear(a): weights: shape (2,), expected (1,) = [feature 0].",
    ),
    "feature": (
        lambda: LogLinear(
            [A, B], [lambda a, b: 1.0, lambda a, b: float("inf") if (a, b) == ("high", "y") else 0], [1, 1]
        ),
        "LogLinear(a, b): feature 1: inf for (high, y), expected finite numbers.",
    ),
    "feature shape": (
        lambda: LogLinear([A, B], [[1.0, 2.0]], [1.0]),
        "LogLinear(a, b): feature 0: shape (2,), expected (2, 3) = [low, high] x [x, y, z].",
    ),
    "coupling": (
        lambda: Pairwise(A, B, [1.0, 2.0]),
        "Pairwise(a, b): coupling: shape (2,), expected (2, 3) = [low, high] x [x, y, z].",
    ),
    "no number": (lambda: Pairwise(A, B, float("nan")), "Pairwise(a, b): coupling: nan, expected finite numbers."),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(ShapeError) as caught:
        make()
    assert str(caught.value) == text
