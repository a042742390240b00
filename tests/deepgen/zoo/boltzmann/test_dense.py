"""Dense memories beside Hopfield's network, looking at all states, and the published capacity."""

from itertools import product
from math import erfc, sqrt

import numpy as np
import pyro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import pgm
from deepgen import DenseMemory, exponential, hopfield, polynomial, recall_error
from pgm import Binary, Variable


def random_patterns(count: int, units: int, seed: int) -> torch.Tensor:
    return torch.randint(0, 2, (count, units), generator=torch.Generator().manual_seed(seed)).double()


@settings(max_examples=8)
@given(st.integers(0, 1000), st.sampled_from(["asynchronous", "independent", "synchronous"]))
def test_degree_two_is_hopfields_network(seed, update):
    """-sum (p . s)^2 is 2 N times -s W s / 2 with all self-couplings, which no update looks at."""
    x, patterns = Variable("x", Binary(9)), random_patterns(3, 9, seed)
    dense, pairs = DenseMemory(x, patterns, polynomial(2)), hopfield(x, patterns, self_coupling=True)
    shown = random_patterns(20, 9, seed + 1)
    torch.testing.assert_close(dense.energy(shown), 2 * 9 * pairs.energy(shown))
    without = hopfield(x, patterns).recall(shown, update=update, seed=seed)
    assert torch.equal(dense.recall(shown, update=update, seed=seed).states, without.states)


@pytest.mark.parametrize("separation", [polynomial(5), exponential(0.3)])
def test_pulls_are_half_of_what_turning_up_saves(separation):
    memory = DenseMemory(Variable("x", Binary(5)), random_patterns(4, 5, 0), separation)
    bits = torch.tensor(list(product((0.0, 1.0), repeat=5)), dtype=torch.float64)
    for unit in range(5):
        up, down = bits.clone(), bits.clone()
        up[:, unit], down[:, unit] = 1, 0
        expected = (memory.energy(down) - memory.energy(up)) / 2
        torch.testing.assert_close(memory.pull(2 * bits - 1, slice(unit, unit + 1))[:, 0], expected)


def test_blocks_of_units_are_the_units(monkeypatch):
    memory = DenseMemory(Variable("x", Binary(7)), random_patterns(4, 7, 0), polynomial(3))
    spins = 2 * random_patterns(5, 7, 1) - 1
    whole = memory.pull(spins, slice(None))
    monkeypatch.setattr("deepgen.zoo.boltzmann.dense.AT_ONCE", 50)
    assert torch.equal(memory.pull(spins, slice(None)), whole)


def exact_error(units: int, count: int, degree: int) -> float:
    """P(S < -signal), with S the crosstalk: count - 1 fair signs times ((z + 1)^n - (z - 1)^n) / 2, where z is a sum of
    units - 1 fair signs. From the characteristic function, by a Fourier transform over 2^18 whole numbers."""
    z, span = 2 * np.arange(units) - (units - 1), 2**18
    terms, chances = ((z + 1) ** degree - (z - 1) ** degree) // 2, binom.pmf(np.arange(units), units - 1, 0.5)
    turns = 2 * np.pi / span * np.arange(span)
    once = sum(p * np.cos(turns * term) for term, p in zip(terms, chances, strict=True))
    chance = np.fft.fft(once ** (count - 1)).real / span
    signal = (units**degree - (units - 2) ** degree) // 2
    return float(chance[span // 2 : span - signal].sum())


@pytest.mark.parametrize(("degree", "count"), [(2, 9), (3, 50), (4, 250)])
def test_wrong_bits_after_one_update_are_as_counted(degree, count):
    """Within five standard errors over 30 networks of 16 units, each shown 9 of its patterns."""
    x, shares = Variable("x", Binary(16)), []
    for seed in range(30):
        patterns = random_patterns(count, 16, seed)
        memory = DenseMemory(x, patterns, polynomial(degree))
        shares.append(recall_error(memory, patterns[:9], update="synchronous", sweeps=1).value)
    found = torch.tensor(shares)
    assert abs(found.mean() - exact_error(16, count, degree)) < 5 * found.std() / sqrt(30)


@pytest.mark.parametrize("degree", [2, 3])
def test_the_count_is_krotov_and_hopfields_formula_in_large_networks(degree):
    """Their equation 5 without its last step: wrong bits are erfc(1 / sqrt(2 v)) / 2 with v = K (2n - 3)!! / N^(n-1).
    At v = 0.5 and N = 100 within n^2 / N, which is left out."""
    double = {2: 1, 3: 3}[degree]
    count = round(0.5 * 100 ** (degree - 1) / double)
    assert exact_error(100, count, degree) == pytest.approx(0.5 * erfc(1), rel=degree**2 / 100)


def test_the_model_is_the_energy_for_pyro_too():
    x, patterns = Variable("x", Binary(2, 2)), random_patterns(3, 4, 0).reshape(3, 2, 2).float()
    memory = DenseMemory(x, patterns, exponential(0.5))
    model = memory.model(temperature=2.0)
    bits = torch.tensor(list(product((0.0, 1.0), repeat=4))).reshape(-1, 2, 2)
    torch.testing.assert_close(model.log_prob({"x": bits}).float(), -memory.energy(bits) / 2)
    program = pyro.poutine.condition(pgm.as_pyro(model), {"x": bits[5]})
    total = pyro.poutine.trace(program).get_trace().log_prob_sum()
    assert total.item() == pytest.approx(-memory.energy(bits[5]).item() / 2)


def test_refusals():
    x = Variable("x", Binary(3))
    with pytest.raises(ValueError, match="polynomial: degree is 1, expected 2 or more"):
        polynomial(1)
    with pytest.raises(ValueError, match="exponential: sharpness is 0, expected a number above 0; it is 1 / temp"):
        exponential(0)
    with pytest.raises(ValueError, match=r"DenseMemory: there are numbers of shape \(3,\), expected \[patterns, 3\]"):
        DenseMemory(x, torch.zeros(3), polynomial(3))
    with pytest.raises(ValueError, match="DenseMemory: 'x' has a value of -1, expected zeros and ones"):
        DenseMemory(x, -torch.ones(1, 3), polynomial(3))
    with pytest.raises(ValueError, match="energies overflow float32, expected finite ones; give the patterns in"):
        DenseMemory(Variable("x", Binary(64)), torch.ones(1, 64), polynomial(22))
    assert DenseMemory(Variable("x", Binary(64)), torch.ones(1, 64).double(), polynomial(22))
    with pytest.raises(ValueError, match="temperature is -1.0, expected a number above 0"):
        DenseMemory(x, torch.zeros(1, 3), polynomial(3)).model(-1.0)
