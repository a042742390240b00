"""Vectors of zeros and ones and of counts: against scipy, torch's own distributions and plain loops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multinomial

from pgm import Binary, Count, GraphError, IndependentBernoulli, Multinomial, PlanError, Real, ShapeError, Variable

SEEDS = st.integers(0, 2**32 - 1)
LABEL, SIDE = Variable("label", 3), Variable("side", 2)


def probabilities(seed: int, *shape: int) -> torch.Tensor:
    """Away from 0 and 1, with some exact ones and zeros."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(shape, generator=generator, dtype=torch.float64) * 1.2 - 0.1
    return numbers.clamp(0, 1)


@given(SEEDS)
def test_bernoulli_is_the_product_of_its_coins_in_every_state(seed: int) -> None:
    p = probabilities(seed, 3, 2, 4, 2)
    x = torch.randint(2, (5, 4, 2), generator=torch.Generator().manual_seed(seed)).double()
    pixels = IndependentBernoulli(Variable("x", Binary(4, 2)), [LABEL, SIDE], p)
    found = pixels.log_prob(torch.arange(3).reshape(3, 1), torch.arange(2), x.reshape(5, 1, 1, 4, 2)).exp()
    assert found.shape == (5, 3, 2)
    for n in range(5):
        expected = torch.where(x[n] == 1, p, 1 - p).flatten(2).prod(2)
        torch.testing.assert_close(found[n], expected, rtol=1e-12, atol=1e-300)


@given(SEEDS)
def test_rows_side_by_side_are_the_diagonal_of_all_pairs(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = IndependentBernoulli(Variable("x", Binary(6)), [LABEL], probabilities(seed, 3, 6))
    x = torch.randint(2, (7, 6), generator=generator).double()
    label = torch.randint(3, (7,), generator=generator)
    pairs = pixels.log_prob(torch.arange(3), x.unsqueeze(1))
    torch.testing.assert_close(pixels.log_prob(label, x), pairs[torch.arange(7), label])


@given(SEEDS)
def test_shared_probabilities_are_repeated_ones(seed: int) -> None:
    p, x = probabilities(seed, 1, 5), torch.ones(5)
    shared, repeated = (IndependentBernoulli(Variable("x", Binary(5)), [LABEL], q) for q in (p, p.repeat(3, 1)))
    torch.testing.assert_close(shared.log_prob(torch.arange(3), x), repeated.log_prob(torch.arange(3), x))


@given(SEEDS)
def test_multinomial_is_that_of_scipy(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(3, 4, generator=generator, dtype=torch.float64)
    p = p / p.sum(-1, keepdim=True)
    x = torch.randint(6, (5, 4), generator=generator).double()
    bag = Multinomial(Variable("x", Count(4)), [LABEL], p)
    expected = [[float(multinomial.logpmf(row, row.sum(), one)) for one in p.numpy()] for row in x.numpy()]
    torch.testing.assert_close(
        bag.log_prob(torch.arange(3), x.unsqueeze(1)).detach(), torch.tensor(expected, dtype=torch.float64)
    )


def test_impossible_counts_have_log_probability_minus_infinity() -> None:
    bag = Multinomial(Variable("x", Count(2)), [], [1.0, 0.0])
    assert bag.log_prob(torch.tensor([[3.0, 0.0], [3.0, 1.0]])).tolist() == [0.0, -torch.inf]


def test_samples_have_the_mean_of_the_distribution() -> None:
    torch.manual_seed(0)
    n, p = 4000, torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.5, 0.0]], dtype=torch.float64)
    bag = Multinomial(Variable("x", Count(3)), [SIDE], p, total=10).draw(torch.tensor([0, 1]), shape=[n])
    coins = IndependentBernoulli(Variable("x", Binary(3)), [SIDE], p).draw(torch.tensor([0, 1]), shape=[n])
    error = (p * (1 - p) / n).sqrt()  # standard error of a frequency
    assert ((coins.mean(0) - p).abs() <= 5 * error).all()
    assert ((bag.mean(0) / 10 - p).abs() <= 5 * error / 10**0.5).all()


def test_gradients() -> None:
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    table = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], dtype=torch.float64)
    for kind, domain in ((IndependentBernoulli, Binary(3)), (Multinomial, Count(3))):
        term = kind(Variable("x", domain), [SIDE], table)
        (found,) = torch.autograd.grad(term.log_prob(torch.arange(2), x).sum(), [term.probabilities])
        other = -(1 - x) / (1 - table) if kind is IndependentBernoulli else 0.0
        torch.testing.assert_close(found, x / table + other)


def test_errors() -> None:
    x = Variable("x", Binary(2))
    with pytest.raises(GraphError, match=r"IndependentBernoulli\(y\): 'y' is Real\(2\), expected Binary."):
        IndependentBernoulli(Variable("y", Real(2)), [], [0.5, 0.5])
    with pytest.raises(GraphError, match=r"parent 'z' is Real\(\); use Neural."):
        IndependentBernoulli(x, [Variable("z", Real())], [0.5, 0.5])
    with pytest.raises(ShapeError, match=r"probabilities are 0.5 to 1.5, expected numbers from 0 to 1."):
        IndependentBernoulli(x, [], [0.5, 1.5])
    with pytest.raises(ShapeError, match=r"probabilities: shape \(2,\), expected \(3, 2\) = \[label, x\]."):
        IndependentBernoulli(x, [LABEL], [0.5, 0.5])
    with pytest.raises(ShapeError, match=r"Multinomial\(c\): rows must sum to 1; row \(side=1\) sums to 0.9."):
        Multinomial(Variable("c", Count(2)), [SIDE], [[0.5, 0.5], [0.5, 0.4]])
    with pytest.raises(PlanError, match=r"Multinomial\(c\): how many draws a sample makes is not known; give total=."):
        Multinomial(Variable("c", Count(2)), [], [0.5, 0.5]).draw()
