"""Quadratic potentials against scipy's Gaussians, energies against their formula, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from pgm import Energy, GraphError, MarkovNetwork, Quadratic, Real, ShapeError, Table, Variable, infer
from pgm.testing import brute_posterior

A, B, V = Variable("a", Real()), Variable("b", Real()), Variable("v", Real(2))
K, S = Variable("k", ["low", "mid", "high"]), Variable("s", 2)


@given(st.integers(0, 2**32 - 1), st.sampled_from([[A], [V], [A, V], [V, B, A]]))
@settings(max_examples=30)
def test_a_quadratic_is_a_gaussian_without_its_constant(seed: int, scope: list[Variable]) -> None:
    generator = np.random.default_rng(seed)
    d = sum(math.prod(v.shape) for v in scope)
    wide, mean = generator.normal(size=(d, d + 1)), generator.normal(size=d)
    precision = wide @ wide.T
    term = Quadratic(scope, precision, precision @ mean)
    x = generator.normal(size=(5, d))
    parts = np.split(x, np.cumsum([math.prod(v.shape) for v in scope])[:-1], 1)
    values = [torch.from_numpy(part.reshape(5, *v.shape)) for v, part in zip(scope, parts, strict=True)]
    gap = term.log_prob(*values).detach().numpy() - stats.multivariate_normal.logpdf(x, mean, np.linalg.inv(precision))
    assert gap == pytest.approx(np.full(5, gap[0]), abs=1e-7 * (1 + np.abs(gap).max()))


def test_quadratics_add_up() -> None:
    """The product of potentials has the sum of their precisions and of their shifts."""
    one, two = Quadratic([A, B], [[2.0, -1.0], [-1.0, 2.0]], [1.0, 0.0]), Quadratic([B], [[3.0]], [-2.0])
    both = Quadratic([A, B], [[2.0, -1.0], [-1.0, 5.0]], [1.0, -2.0])
    values = {"a": np.array([[0.5], [2.0]]), "b": np.array([1.0, -1.0, 0.25])}
    left = MarkovNetwork(one, two).log_prob(values)
    assert left.shape == (2, 3)
    torch.testing.assert_close(left, MarkovNetwork(both).log_prob(values))


def test_an_energy_is_minus_a_log() -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)).double()
    term, x = Energy([V], net), torch.randn(6, 2)
    torch.testing.assert_close(term.log_prob(x), -net(x.double()))
    assert MarkovNetwork(term).log_prob({"v": x}).shape == (6,)


def test_an_energy_of_states_is_a_table() -> None:
    coupling = torch.tensor([[0.5, -1.0], [0.0, 2.0], [1.0, 0.25]], dtype=torch.float64)
    by_energy = MarkovNetwork(Energy([K, S], lambda k, s: coupling[k, s]))
    table = MarkovNetwork(Table([K, S], (-coupling).exp()))
    post = infer(by_energy)
    assert post.log_evidence.item() == pytest.approx((-coupling).exp().sum().log().item())
    for name in ("k", "s"):
        assert post[name].tolist() == pytest.approx(brute_posterior(table, name).tolist())


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ShapeError) as shape:
        Energy([V], nn.Linear(2, 1)).log_prob(torch.zeros(5, 2))
    assert str(shape.value) == "Energy(v): energy has shape (5, 1), expected [*batch], 1 axes."
    with pytest.raises(GraphError, match=r"^Quadratic\(a, k\): 'k' has states, expected numeric variables\.$"):
        Quadratic([A, K], np.eye(2))
    with pytest.raises(ShapeError, match=r"^Quadratic\(a, b\): precision is not symmetric; expected \[i, j\] = \[j, i"):
        Quadratic([A, B], [[1.0, 0.5], [0.4, 1.0]])
    with pytest.raises(ShapeError) as precision:
        Quadratic([A, V], np.eye(2))
    assert (
        str(precision.value)
        == "Quadratic(a, v): precision: shape (2, 2), expected (3, 3) = [a, v[0], v[1], a, v[0], v[1]]."
    )
