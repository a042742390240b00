"""Wrong bits: exact at small networks after one update, and the published limit at large ones."""

from math import sqrt

import pytest
import torch
from scipy.stats import binom

from deepgen import Figure, hopfield, predicted_error, recall_error
from pgm import Binary, Variable


def measured(units: int, count: int, networks: int, **how: object) -> tuple[float, float]:
    """The mean share of wrong bits over networks of random patterns, and its standard error."""
    x, shares = Variable("x", Binary(units)), []
    for seed in range(networks):
        patterns = torch.randint(0, 2, (count, units), generator=torch.Generator().manual_seed(seed)).float()
        shares.append(recall_error(hopfield(x, patterns), patterns, **how).value)
    found = torch.tensor(shares)
    return found.mean().item(), found.std().item() / sqrt(networks)


@pytest.mark.parametrize(("units", "count"), [(20, 4), (50, 19), (64, 24)])
def test_wrong_bits_after_one_update_are_a_binomial_tail(units, count):
    """The crosstalk of a bit is a sum of (N - 1) (P - 1) fair signs; it is wrong beyond N - 1 of them. A tie stays, so
    that strictly. Five standard errors over 100 networks."""
    signs = (units - 1) * (count - 1)
    expected = binom.cdf((signs - units) // 2, signs, 0.5)  # sum = 2 successes - signs < -(units - 1)
    value, error = measured(units, count, 100, update="synchronous", sweeps=1)
    assert abs(value - expected) < 5 * error


@pytest.mark.parametrize(("load", "share"), [(0.105, 0.001), (0.138, 0.0036), (0.185, 0.01), (0.37, 0.05), (0.61, 0.1)])
def test_the_binomial_tail_is_the_textbooks_table(load, share):
    """Hertz, Krogh and Palmer (1991), Introduction to the theory of neural computation, table 2.1."""
    units = 100_000
    signs = (units - 1) * (round(load * units) - 1)
    assert binom.cdf((signs - units) // 2, signs, 0.5) == pytest.approx(share, rel=0.03)


def test_the_prediction_ends_at_the_published_load():
    """0.138, with 1.6 % of bits wrong (Amit, Gutfreund and Sompolinsky 1985 and 1987)."""
    last = max(load for load in (number / 1e5 for number in range(13000, 14500)) if predicted_error(load) < 0.5)
    assert last == pytest.approx(0.138, abs=0.0005)
    assert predicted_error(last) == pytest.approx(0.016, abs=0.0005)


def test_below_the_limit_few_bits_are_wrong_and_above_it_many():
    """At 0.1 the prediction for endless networks, within five standard errors of 10 networks of 500; at 0.2 at least
    ten times what there is at the limit."""
    below, error = measured(500, 50, 10, update="synchronous")
    assert abs(below - predicted_error(0.1)) < 5 * error
    above, _ = measured(500, 100, 2, update="synchronous")
    assert above > 0.16


def test_flips_are_counted_where_nothing_turns_back():
    """A network without weights keeps what it is shown."""
    from deepgen import Hopfield

    patterns = torch.zeros(50, 200)
    idle = Hopfield(Variable("x", Binary(200)), torch.zeros(200, 200), torch.zeros(200))
    found = recall_error(idle, patterns, flipped=0.3)
    assert isinstance(found, Figure)
    assert found.error == pytest.approx(sqrt(0.3 * 0.7 / 200 / 50), rel=0.5)
    assert abs(found.value - 0.3) < 5 * found.error
