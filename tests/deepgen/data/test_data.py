"""Named columns, what is drawn anew, and toys whose distribution is known."""

from math import sqrt

import pytest
import torch

from deepgen.data.binarise import dynamic, static, thresholded
from deepgen.data.data import Data, arrays
from deepgen.data.toys import checkerboard, grid_centres, grid_of_gaussians, moons, ring, ring_centres, swirl
from pgm.errors import GraphError, ShapeError


def test_parts_hold_every_row_once() -> None:
    data = arrays("numbers", x=list(range(10)))
    valid, train = data.split(3, seed=1)
    assert (len(valid), len(train)) == (3, 7)
    assert sorted([*valid["x"].tolist(), *train["x"].tolist()]) == list(range(10))
    assert data.split(3, seed=1)[0]["x"].tolist() == valid["x"].tolist()
    with pytest.raises(ShapeError, match="10 of 10 rows are to be split off"):
        data.split(10)


def test_bad_columns_are_named() -> None:
    with pytest.raises(ShapeError, match="column 'x' has 1 rows with NaN or infinity, the first is row 1"):
        arrays("broken", x=[[0.0], [float("nan")]])
    with pytest.raises(ShapeError, match="{'x': 2, 'y': 3} rows"):
        arrays("ragged", x=[1, 2], y=[1, 2, 3])
    with pytest.raises(ShapeError, match="there are no rows"):
        arrays("empty", x=[])
    with pytest.raises(ShapeError, match="no array of numbers"):
        arrays("words", x=["a", "b"])
    with pytest.raises(GraphError, match="no column 'y'; there are x"):
        arrays("numbers", x=[1.0])["y"]
    with pytest.raises(ShapeError, match="expected shades from 0 to 1"):
        dynamic(arrays("bytes", image=[[0.0, 255.0]]))


def test_shades_are_probabilities() -> None:
    shade, n = 0.3, 40_000
    grey = Data({"image": torch.full((n,), shade)}, "grey")
    error = sqrt(shade * (1 - shade) / n)
    assert abs(static(grey)["image"].mean().item() - shade) < 4 * error
    rows = torch.arange(n)
    moving = dynamic(grey)
    first = moving.batch(rows, torch.Generator().manual_seed(1))["image"]
    again = moving.batch(rows, torch.Generator().manual_seed(1))["image"]
    other = moving.batch(rows, torch.Generator().manual_seed(2))["image"]
    assert abs(first.mean().item() - shade) < 4 * error
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert thresholded(grey)["image"].sum() == 0
    assert "dynamic" in moving.name


@pytest.mark.parametrize(
    ("data", "centres", "deviation"),
    [(ring(20_000), ring_centres(), 0.01), (grid_of_gaussians(50_000), grid_centres(), 0.05)],
)
def test_modes_are_equal_gaussians(data: Data, centres: torch.Tensor, deviation: float) -> None:
    distance, nearest = torch.cdist(data["x"], centres).min(1)
    share = nearest.bincount(minlength=len(centres)) / len(data)
    expected = 1 / len(centres)
    assert (share - expected).abs().max() < 5 * sqrt(expected * (1 - expected) / len(data))
    # the squared distance is deviation^2 times chi-squared with 2 degrees: mean 2, variance 4
    assert abs((distance**2).mean().item() / deviation**2 - 2) < 5 * 2 / sqrt(len(data))


def test_a_chessboard_is_uniform_on_its_black_squares() -> None:
    x = checkerboard(32_000)["x"]
    square = (x.floor() + 2).long()
    counts = (4 * square[:, 0] + square[:, 1]).bincount(minlength=16)
    black = (square.sum(1) % 2 == 0).all()
    assert bool(black)
    assert (counts > 0).sum() == 8
    assert (counts[counts > 0] / 32_000 - 1 / 8).abs().max() < 5 * sqrt(1 / 8 * 7 / 8 / 32_000)


def test_curves_are_followed() -> None:
    x = moons(4000, deviation=0.0)["x"]
    upper = (x.norm(dim=1) - 1).abs() < 1e-5
    lower = ((x - torch.tensor([1.0, 0.5])).norm(dim=1) - 1).abs() < 1e-5
    assert bool((upper | lower).all())
    turned = swirl(4000, deviation=0.0)["x"]
    angle = torch.atan2(turned[:, 1], turned[:, 0])
    expected = 2 * torch.pi * 1.5 * turned.norm(dim=1)
    assert torch.cos(angle - expected).min() > 1 - 1e-4
    with pytest.raises(ShapeError, match="moons: n is 0"):
        moons(0)
