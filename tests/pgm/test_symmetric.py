"""Parity checks and counts: their tables, logarithms, gradients and errors."""

from collections.abc import Callable
from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pgm import Cardinality, Parity, PlanError, ShapeError, Variable

XS = [Variable(f"x{k}") for k in range(6)]
SKY = Variable("sky", ["clear", "mixed", "grey"])


def states(count: int) -> torch.Tensor:
    """All joint states of variables with two states each, `[2^count, count]`."""
    return torch.cartesian_prod(*[torch.arange(2)] * count).reshape(-1, count)


@given(st.integers(1, 6), st.booleans())
def test_parity_lets_through_even_or_odd_numbers(count: int, odd: bool) -> None:
    term, worlds = Parity(XS[:count], odd), states(count)
    allowed = worlds.sum(1) % 2 == odd
    assert torch.equal(term.factor().values.reshape(-1), allowed.double())
    expected = torch.where(allowed, 0.0, -torch.inf).double()
    assert torch.equal(term.log_prob(*worlds.unbind(1)), expected)


@given(st.integers(1, 6), st.data())
def test_cardinality_weighs_the_number_that_are_on(count: int, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0, 10) | st.just(0.0), min_size=1, max_size=count + 1))
    term, worlds = Cardinality(XS[:count], weights), states(count)
    number = worlds.sum(1).clamp_max(len(weights) - 1)  # the last one stands for all larger numbers
    expected = torch.tensor(weights, dtype=torch.float64)[number]
    torch.testing.assert_close(term.factor().values.detach().reshape(-1), expected)
    torch.testing.assert_close(term.log_prob(*worlds.unbind(1)).detach(), expected.log())


def test_the_slope_in_a_weight_counts_the_states_that_have_it() -> None:
    term = Cardinality(XS, [0.0, 1.0, 2.0, 3.0])
    term.factor().values.sum().backward()
    assert term.weights.grad is not None
    assert term.weights.grad.tolist() == [1.0, 6.0, 15.0, 20.0 + 15.0 + 6.0 + 1.0]


def test_four_hundred_variables_need_no_table() -> None:
    xs = [Variable(f"x{k}") for k in range(400)]
    on = torch.tensor(1), torch.tensor(0)
    values = [on[k % 4 > 0] for k in range(400)]  # 100 are on
    assert Parity(xs).log_prob(*values).item() == 0.0
    assert Parity(xs, odd=True).log_prob(*values).item() == -torch.inf
    weights = torch.linspace(1, 2, 401, dtype=torch.float64)
    assert Cardinality(xs, weights).log_prob(*values).item() == pytest.approx(log(1.25), abs=1e-12)
    with pytest.raises(PlanError, match=r"Parity\(x0, .* and 388 more\): its table would have 2\^400 numbers"):
        Parity(xs).factor()


ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: Parity([]), "Parity(): the scope is empty, expected one variable or more."),
    (lambda: Parity([XS[0], SKY]), "Parity(x0, sky): 'sky' has 3 states, expected 2, off then on."),
    (
        lambda: Cardinality(XS[:2], [1.0, 2.0, 3.0, 4.0]),
        "Cardinality(x0, x1): weights have shape (4,), expected 1 to 3 numbers, for 0, 1, 2 ... variables on.",
    ),
    (
        lambda: Cardinality(XS[:2], [[1.0]]),
        "Cardinality(x0, x1): weights have shape (1, 1), expected 1 to 3 numbers, for 0, 1, 2 ... variables on.",
    ),
    (
        lambda: Cardinality(XS[:2], [1.0, -2.0]),
        "Cardinality(x0, x1): weights: -2 for (1 on), expected finite numbers from 0 to inf.",
    ),
]


@pytest.mark.parametrize(("make", "text"), ERRORS)
def test_errors(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ShapeError) as caught:
        make()
    assert str(caught.value) == text
