"""Images in fewer pixels."""

import pytest
import torch

from deepgen.data.binarise import dynamic
from deepgen.data.coarse import coarsened, pooled
from deepgen.data.images import digits
from pgm.errors import ShapeError


@pytest.mark.parametrize("times", [1, 2, 4])
def test_every_coarse_pixel_is_the_mean_of_its_square(times: int) -> None:
    data = coarsened(digits().rows(slice(20)), times)
    image, coarse = data["image"], data["coarse"]
    assert coarse.shape == (20, 8 // times, 8 // times)
    for row in range(8 // times):
        for column in range(8 // times):
            square = image[:, row * times : (row + 1) * times, column * times : (column + 1) * times]
            assert torch.allclose(coarse[:, row, column], square.mean((1, 2)), atol=1e-6)


def test_any_axes_before_the_pixels_are_kept() -> None:
    images = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    assert torch.equal(pooled(images, 2)[1, 2], pooled(images[1, 2], 2))


def test_what_can_not_be_pooled_is_named() -> None:
    with pytest.raises(ShapeError, match="times is 3, expected a whole number that divides 8 and 8"):
        coarsened(digits(), 3)
    with pytest.raises(ShapeError, match="column 'image' is drawn anew each time"):
        coarsened(dynamic(digits()), 2)
