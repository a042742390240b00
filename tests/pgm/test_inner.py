"""Products and distances of all pairs: against the sums that they stand for."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import ConditionalLinearGaussian, Real, Variable
from pgm.inner import PAIRS, inner, squared_distance

LENGTHS = st.lists(st.integers(1, 3), max_size=3)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(LENGTHS, st.integers(0, 2**32 - 1), st.data())
def test_inner_is_the_sum_of_products(batch: list[int], seed: int, data) -> None:
    shapes = [[n if data.draw(st.booleans()) else 1 for n in batch][data.draw(st.integers(0, 1)) :] for _ in range(2)]
    x, y = (normal(seed + i, *shape, 4) for i, shape in enumerate(shapes))
    torch.testing.assert_close(inner(x, y), (x * y).sum(-1))


@settings(max_examples=3)
@given(st.integers(0, 2**32 - 1))
def test_distances_multiplied_out_are_those_taken_one_by_one(seed: int) -> None:
    rows, states, length = 600, 300, 100
    assert rows * states * length > PAIRS
    x, mean, scale = 1e4 + normal(seed, rows, 1, length), 1e4 + normal(seed + 1, states, length), normal(seed, length)
    scale = scale.abs() + 0.1
    found = squared_distance(x, mean, scale)
    torch.testing.assert_close(found, torch.cdist(x[:, 0] / scale, mean / scale).square(), rtol=1e-6, atol=1e-6)
    some = (((x[:5] - mean) / scale) ** 2).sum(-1)
    torch.testing.assert_close(found[:5], some, rtol=1e-11, atol=0.0)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (3,)]), st.booleans())
def test_the_density_of_a_gaussian_is_that_of_its_distribution(seed: int, form: tuple[int, ...], tied: bool) -> None:
    label, height, x = Variable("label", 2), Variable("height", Real()), Variable("x", Real(3))
    noise = normal(seed, 1 if tied else 2, *form).square() + 0.1
    term = ConditionalLinearGaussian(x, [label, height], normal(seed, 2, 1, 3), normal(seed + 1, 2, 3), noise)
    states, heights, values = torch.tensor([0, 1, 1]), normal(seed + 2, 3), normal(seed + 3, 3, 3)
    torch.testing.assert_close(
        term.log_prob(states, heights, values), term.distribution(states, heights).log_prob(values)
    )
    grid = term.log_prob(torch.arange(2), heights.unsqueeze(1), values.unsqueeze(1))
    torch.testing.assert_close(grid[torch.arange(3), states], term.log_prob(states, heights, values))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_matrices_that_many_rows_meet_give_the_density_of_each_row(seed: int, tied: bool, shared: bool) -> None:
    """With one covariance or one mean for all states, against torch's own density."""
    label, x = Variable("label", 2), Variable("x", Real(3))
    half = normal(seed, 1 if tied else 2, 3, 3)
    mean, covariance = normal(seed + 1, 1 if shared else 2, 3), half @ half.mT + 0.1 * torch.eye(3)
    term, values = ConditionalLinearGaussian(x, [label], None, mean, covariance), normal(seed + 2, 5, 4, 3)
    peer = torch.distributions.MultivariateNormal(mean.expand(2, 3), covariance.expand(2, 3, 3))
    expected = peer.log_prob(values.unsqueeze(2))
    for states in (torch.arange(2), torch.arange(2).reshape(1, 1, 2), torch.arange(2).expand(5, 4, 2)):
        torch.testing.assert_close(term.log_prob(states, values.unsqueeze(2)), expected)
    torch.testing.assert_close(term.log_prob(torch.tensor(1), values), expected[..., 1])
