"""Stacked digits are digits, and spell their labels."""

import pytest
import torch

from deepgen.data.data import Data
from deepgen.data.images import digits
from deepgen.data.stacked import stacked_digits
from pgm.errors import ShapeError


def test_every_channel_is_a_digit_with_the_label_that_it_spells() -> None:
    data = digits()
    found = stacked_digits(data, 200)
    for channel, place in enumerate((100, 10, 1)):
        apart = torch.cdist(found["image"][:, channel].flatten(1), data["image"].flatten(1))
        assert (apart.min(1).values < 1e-3).all()
        assert torch.equal(data["label"][apart.argmin(1)], found["label"] // place % 10)


def test_digits_are_independent_of_one_another() -> None:
    """Pairs of digits in 20,000 rows: each count within five standard errors of the product of their shares."""
    n, data = 20_000, digits()
    shares = data["label"].bincount() / len(data)
    label = stacked_digits(data, n)["label"]
    for one, other in ((label // 100, label // 10 % 10), (label // 10 % 10, label % 10), (label // 100, label % 10)):
        counts, expected = (10 * one + other).bincount(minlength=100), n * torch.outer(shares, shares).flatten()
        assert ((counts - expected).abs() < 5 * expected.sqrt()).all()


def test_it_wants_grey_images_of_ten_digits() -> None:
    data, spelt = digits(), stacked_digits(digits(), 9)
    for wrong, n, said in (
        (spelt, 5, r"images are \[3, 8, 8\], labels up to \d+ and n is 5"),
        (Data({"image": data["image"], "label": data["label"] + 1}), 5, r"labels up to 10 and n is 5"),
        (data, 0, "n is 0"),
    ):
        with pytest.raises(ShapeError, match=rf"stacked_digits: .*{said}, expected \[H, W\], labels up to 9, and 1"):
            stacked_digits(wrong, n)
