"""Distances between sets of rows against closed forms, and laws."""

from math import exp, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from deepgen.data.toys import grid_centres, grid_of_gaussians, ring, ring_centres
from deepgen.evaluate.samples import coverage, maximum_mean_discrepancy, modes, nearest, sliced_wasserstein
from pgm.errors import ShapeError


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_within_three_deviations_lies_what_rayleigh_says() -> None:
    share = 1 - exp(-9 / 2)  # P(|x| <= 3 sigma) in the plane
    for data, centres, deviation in (
        (ring(20_000), ring_centres(), 0.01),
        (grid_of_gaussians(20_000), grid_centres(), 0.05),
    ):
        found = modes(data["x"], centres, deviation)
        assert found.captured == found.of == len(centres)
        assert abs(found.high_quality - share) < 5 * sqrt(share * (1 - share) / 20_000)
        assert sum(found.counts) == round(found.high_quality * 20_000)


def test_a_mode_needs_a_sample_of_high_quality() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    found = modes(torch.tensor([[0.1, 0.0], [6.0, 0.0], [0.0, 0.29], [0.0, 0.31]]), centres, 0.1)
    assert (found.captured, found.of, found.high_quality, found.counts) == (1, 2, 0.5, (2, 0))


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), shift=st.floats(-3, 3), axes=st.integers(1, 4))
def test_a_shift_is_as_long_along_lines_as_its_mean_square(seed: int, shift: float, axes: int) -> None:
    """E (direction . shift)^2 = |shift|^2 / axes; the mean over lines has a relative error below sqrt(2 / lines)."""
    x = normal(seed, 50, axes)
    moved = x.clone()
    moved[:, 0] += shift
    lines = 2000
    found = sliced_wasserstein(x, moved.flip(0), lines)
    assert found**2 == pytest.approx(shift**2 / axes, rel=5 * sqrt(2 / lines) + 1e-6, abs=1e-10)


def test_one_distribution_has_no_discrepancy_on_average() -> None:
    found = torch.tensor(
        [maximum_mean_discrepancy(normal(2 * k, 40, 2), normal(2 * k + 1, 40, 2), 1.0) for k in range(100)]
    )
    assert abs(found.mean()) < 5 * found.std() / 10


def test_discrepancy_of_gaussians_is_the_closed_form() -> None:
    """E k(x, y) = s / sqrt(s^2 + 2) exp(-d^2 / (2 (s^2 + 2))) for unit normals a distance d apart, bandwidth s = 1."""
    d, s = 1.5, 1.0
    own, between = s / sqrt(s**2 + 2), s / sqrt(s**2 + 2) * exp(-(d**2) / (2 * (s**2 + 2)))
    runs = torch.tensor(
        [maximum_mean_discrepancy(normal(2 * k, 100, 1), normal(2 * k + 1, 100, 1) + d, s) for k in range(50)]
    )
    assert abs(runs.mean().item() - (2 * own - 2 * between)) < 5 * runs.std().item() / sqrt(50)


def test_samples_of_one_half_cover_that_half() -> None:
    data = torch.cat([normal(0, 500, 2), normal(1, 500, 2) + 100])
    half = coverage(normal(2, 500, 2), data)
    assert half.precision > 0.95
    assert half.recall == pytest.approx(0.5, abs=0.03)
    assert half.coverage < 0.51
    far = coverage(normal(3, 100, 2) - 1000, data)
    assert (far.precision, far.density, far.coverage) == (0.0, 0.0, 0.0)


def test_density_of_one_distribution_is_one() -> None:
    """Naeem et al. (2020): E density = 1, and E coverage is about 1 - 2^-k with as many rows each."""
    runs = [coverage(normal(2 * k, 400, 3), normal(2 * k + 1, 400, 3)) for k in range(20)]
    density = torch.tensor([run.density for run in runs])
    assert abs(density.mean() - 1) < 5 * density.std() / sqrt(20)
    covered = torch.tensor([run.coverage for run in runs])
    assert abs(covered.mean() - (1 - 2.0**-5)) < 5 * covered.std() / sqrt(20) + 0.002


def test_what_is_memorised_lies_at_zero() -> None:
    data = normal(0, 300, 4, 4)
    rows, distance = nearest(data[[7, 3]], data, at_once=1)
    assert rows.tolist() == [[7], [3]]
    assert distance.max() == 0
    far = nearest(data[:1] + 50, data)[1]
    assert far.item() > 100


def test_neighbours_are_those_of_another_library() -> None:
    samples, data = normal(0, 40, 3) + 1000, normal(1, 70, 3) + 1000  # where products of matrices lose everything
    distance, rows = NearestNeighbors(n_neighbors=4).fit(data.numpy()).kneighbors(samples.numpy())
    found = nearest(samples, data, 4, at_once=7)
    assert found[0].tolist() == rows.tolist()
    torch.testing.assert_close(found[1].double(), torch.from_numpy(distance).double(), rtol=1e-5, atol=1e-6)


@settings(max_examples=5)
@given(seed=st.integers(0, 1000), shift=st.sampled_from([0.0, -50.0, 1000.0]))
def test_where_both_are_together_changes_nothing(seed: int, shift: float) -> None:
    x, y = normal(seed, 60, 5), normal(seed + 1, 80, 5)
    there = [(0.1 * rows.double() + shift) for rows in (x, y)]
    assert coverage(*there) == coverage(x, y)
    moved, still = maximum_mean_discrepancy(*there), maximum_mean_discrepancy(x, y)
    assert moved == pytest.approx(still, abs=1e-6)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ShapeError, match=r"modes: rows have shapes \(3,\) and \(2,\)"):
        modes(torch.zeros(4, 3), ring_centres(), 0.1)
    with pytest.raises(ShapeError, match="sliced_wasserstein: shapes are"):
        sliced_wasserstein(torch.zeros(4, 3), torch.zeros(5, 3))
    with pytest.raises(ShapeError, match="coverage: there are 3 and 9 rows, expected 6 or more"):
        coverage(torch.zeros(3, 2), torch.zeros(9, 2))
