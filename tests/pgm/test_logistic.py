"""Logistic and softmax regression on parents of every kind, against the formula and finite differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from pgm import Binary, Count, GraphError, Logistic, Real, ShapeError, Softmax, Variable
from pgm.columns import column_names, columns

SEEDS = st.integers(0, 2**32 - 1)
WET, SKY, MOOD = (
    Variable("wet", 2),
    Variable("sky", ["clear", "grey", "dark"]),
    Variable("mood", ["bad", "fair", "good"]),
)
X, V, PIXELS, CALLS = (
    Variable("x", Real()),
    Variable("v", Real(2, 2)),
    Variable("pixels", Binary(2)),
    Variable("n", Count()),
)
PARENTS = [WET, SKY, X, V, PIXELS, CALLS]
parents = st.lists(st.sampled_from(PARENTS), max_size=4, unique=True)


def design(parent: Variable, value: np.ndarray) -> np.ndarray:
    """The columns of one parent for one row, as the documentation has them."""
    if parent.finite:
        return np.array([value]) if parent.size == 2 else np.eye(parent.size)[value]
    return np.asarray(value, dtype=float).reshape(-1)


def values_of(given: list[Variable], generator: np.random.Generator, rows: int) -> list[np.ndarray]:
    return [
        generator.integers(p.size, size=rows) if p.finite else generator.integers(2, size=(rows, *p.shape)) * 1.0
        for p in given
    ]


@given(SEEDS, parents)
@settings(max_examples=50)
def test_softmax_is_its_formula(seed: int, given: list[Variable]) -> None:
    generator, rows = np.random.default_rng(seed), 3
    names = [name for parent in given for name in column_names(parent)]
    weights, bias = generator.normal(size=(len(names), 3)), generator.normal(size=3)
    values = values_of(given, generator, rows)
    made = Softmax(MOOD, given, weights, bias).distribution(*map(torch.from_numpy, values))
    for row in range(rows if given else 0):
        x = np.concatenate([design(parent, value[row]) for parent, value in zip(given, values, strict=True)])
        expected = special.softmax(x @ weights + bias)
        assert made.probs[row].tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    side = columns(given, [torch.from_numpy(value) for value in values], torch.float64)
    assert side.shape[-1] == len(names)


@given(SEEDS, parents.filter(bool))
@settings(max_examples=30)
def test_logistic_is_softmax_with_the_first_logit_zero(seed: int, given: list[Variable]) -> None:
    generator = np.random.default_rng(seed)
    names = [name for parent in given for name in column_names(parent)]
    weights, bias = generator.normal(size=len(names)), generator.normal()
    values = [torch.from_numpy(value) for value in values_of(given, generator, 4)]
    one = Logistic(WET2, given, weights, bias).distribution(*values)
    two = Softmax(WET2, given, np.stack([0 * weights, weights], 1), [0.0, bias]).distribution(*values)
    torch.testing.assert_close(one.probs, two.probs, rtol=1e-12, atol=0)


WET2 = Variable("child", 2)


def test_the_odds_grow_by_the_weight_a_unit() -> None:
    """log p / (1 - p) is linear in the parents: the definition of logistic regression."""
    term = Logistic(WET, [X, CALLS], [0.7, -0.2], 0.1)
    x = torch.tensor([0.0, 1.0, 2.0, 1000.0], dtype=torch.float64)
    odds = term.log_prob(x, torch.tensor(3.0), torch.tensor(1)) - term.log_prob(x, torch.tensor(3.0), torch.tensor(0))
    torch.testing.assert_close(odds.detach(), 0.7 * x + 0.1 - 0.6, rtol=1e-12, atol=1e-12)


def test_far_from_the_boundary_nothing_is_lost() -> None:
    term = Logistic(WET, [X], [1.0], 0.0)
    assert term.log_prob(torch.tensor(-1e4), torch.tensor(1)).item() == -1e4
    assert term.log_prob(torch.tensor(1e4), torch.tensor(1)).item() == 0.0
    x = torch.tensor(-1e4, requires_grad=True)
    term.log_prob(x, torch.tensor(1)).backward()
    assert x.grad.item() == 1.0


def test_precisions_mix_and_batches_broadcast() -> None:
    term = Logistic(WET, [X, V], torch.ones(5), 0.0)
    x, v = torch.zeros(4, 1), torch.zeros(3, 2, 2, dtype=torch.float64)
    assert term.log_prob(x, v, torch.tensor(1)).tolist() == [[pytest.approx(-math.log(2))] * 3] * 4
    assert {p.dtype for p in term.parameters()} == {torch.float64}


WRONG = {
    "columns": (
        lambda: Logistic(WET, [X, V], [1.0], 0.0), ShapeError,
        "Logistic(wet): weights: shape (1,), expected (5,) = [x, v[0], v[1], v[2], v[3]].",
    ),
    "states": (
        lambda: Logistic(SKY, [X], [1.0], 0.0), ShapeError,
        "Logistic(sky): 'sky' has 3 states, expected 2; use Softmax.",
    ),
    "numeric child": (
        lambda: Softmax(X, [WET], [[1.0]], [0.0]), GraphError,
        "Softmax(x): 'x' is Real(), expected a variable with states; for numeric ones use Gaussian, LinearGaussian, "
        "Logistic, Neural and the like.",
    ),
    "table": (
        lambda: Softmax(SKY, [X], [[1.0, 2.0, 3.0]], [0.0] * 3).factor(), GraphError,
        "Softmax(sky): 'x' is Real(), so there is no table of it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, kind, text = WRONG[case]
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == text
