"""Points of unit variance."""

import pytest
import torch

from deepgen import Data, standardised
from deepgen.data.standardised import spread_of


def test_round_things_stay_round_and_come_back():
    torch.manual_seed(0)
    data = Data({"x": torch.randn(500, 2) * torch.tensor([3.0, 1.0]) + 7}, "blob")
    found, (centre, deviation) = standardised(data), spread_of(data)
    assert (found["x"].mean(0).abs() < 1e-5).all()
    torch.testing.assert_close(found["x"].square().mean(), torch.tensor(1.0))
    torch.testing.assert_close(found["x"] * deviation + centre, data["x"])
    assert repr(found) == "Data(blob, standardised, 500 rows: x [2])"


def test_points_that_are_all_one():
    with pytest.raises(ValueError, match="all rows of 'x' are one, expected two or more to standardise them"):
        standardised(Data({"x": torch.ones(5, 2)}, "one"))
