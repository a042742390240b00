"""Square roots of covariances of any rank, and Gaussian densities that are certain in some directions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pgm.errors import ShapeError
from pgm.singular import diagonal_log_density, triangular_log_density
from pgm.square_root import square_root

SEEDS = st.integers(0, 2**32 - 1)


def roots(seed: int, d: int, batch: int = 2) -> torch.Tensor:
    """Lower triangular matrices, some columns zero, whose rows differ by orders of magnitude."""
    generator = np.random.default_rng(seed)
    root = np.tril(generator.uniform(-1, 1, size=(batch, d, d)), -1)
    root += np.eye(d) * generator.uniform(0.5, 2, size=(batch, d, 1))
    root *= generator.random((batch, 1, d)) < 0.7
    return torch.from_numpy(root * 10.0 ** generator.integers(-3, 4, size=(batch, d, 1)))


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=60)
def test_the_lower_triangular_root_of_any_rank_is_found_again(seed: int, d: int) -> None:
    wanted = roots(seed, d)
    covariance = wanted @ wanted.mT
    root = square_root(covariance, True, "test")
    spread = covariance.diagonal(dim1=-2, dim2=-1).sqrt().unsqueeze(-1)  # a row is right to rounding for its magnitude
    assert bool(((root - wanted).abs() <= 1e-12 * spread).all())
    assert torch.equal(root == 0, wanted == 0)


def test_the_root_of_any_other_covariance_makes_it() -> None:
    wide = torch.randn(20, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    root = square_root(wide @ wide.mT, True, "test")
    torch.testing.assert_close(root @ root.mT, wide @ wide.mT)
    assert torch.equal(root, root.tril())


def test_variances_are_rooted_one_by_one() -> None:
    assert square_root(torch.tensor([[4.0, 0.0], [9.0, 1.0]]), False, "test").tolist() == [[2, 0], [3, 1]]


WRONG = {
    "negative variance": ([4.0, -1.0], False, "test: a variance is -1, expected 0 or more."),
    "asymmetric": (
        [[1.0, 0.5], [0.4, 1.0]], True,
        "test: a matrix is not symmetric; expected covariance[i, j] = covariance[j, i].",
    ),
    "indefinite": ([[1.0, 2.0], [2.0, 1.0]], True, "test: a matrix has the negative eigenvalue -1, expected none."),
    "hollow": ([[0.0, 1.0], [1.0, 0.0]], True, "test: a matrix has the negative eigenvalue -1, expected none."),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_covariance_is_said(case: str) -> None:
    matrix, full, text = WRONG[case]
    with pytest.raises(ShapeError) as caught:
        square_root(torch.tensor(matrix, dtype=torch.float64), full, "test")
    assert str(caught.value) == text


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=50)
def test_a_singular_density_is_that_of_the_noise_behind_it(seed: int, d: int) -> None:
    """x = mean + root e: its density is that of the e with spread over their sizes, as the chain rule says."""
    root = roots(seed, d)  # [batch, d, d]
    generator = torch.Generator().manual_seed(seed)
    noise, mean = torch.randn(2, 2, d, generator=generator, dtype=torch.float64)
    x = mean + (root @ noise.unsqueeze(-1)).squeeze(-1)
    diagonal = root.diagonal(dim1=-2, dim2=-1)
    spread = diagonal > 0
    expected = np.where(spread, stats.norm.logpdf(noise.numpy()) - np.log(np.where(spread, diagonal, 1)), 0).sum(-1)
    found = triangular_log_density(x, mean, root)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-8, abs=1e-6)  # rounding in x, over small sizes
    certain = (~spread).any(-1)
    moved = x + (~spread) * 1e-3 * (1 + x.abs() + root.abs().sum(-1))
    assert triangular_log_density(moved, mean, root)[certain].isneginf().all()


def test_certain_numbers_count_nothing_and_the_others_are_normal() -> None:
    x, mean = torch.tensor([[1.0, 5.0, -2.0], [1.0, 4.0, -2.0]]).double(), torch.tensor([0.0, 5.0, 1.0]).double()
    found = diagonal_log_density(x, mean, torch.tensor([2.0, 0.0, 3.0]).double())
    assert found[0].item() == pytest.approx(stats.norm.logpdf(1, 0, 2) + stats.norm.logpdf(-2, 1, 3), rel=1e-14)
    assert found[1].item() == -math.inf


@pytest.mark.parametrize("full", [False, True])
def test_gradients_are_finite_where_nothing_varies(full: bool) -> None:
    """Those of coordinates with spread are (x - m) / s^2 and (z^2 - 1) / s; a certain one has none."""
    mean = torch.tensor([0.0, 1.0], requires_grad=True)
    std = torch.tensor([2.0, 0.0], requires_grad=True)
    x = torch.tensor([3.0, 1.0])
    density = triangular_log_density(x, mean, torch.diag(std)) if full else diagonal_log_density(x, mean, std)
    to_mean, to_std = torch.autograd.grad(density, [mean, std])
    assert to_mean.tolist() == pytest.approx([0.75, 0.0])
    assert to_std.tolist() == pytest.approx([(1.5**2 - 1) / 2, 0.0])
