"""Shades and colours as networks like them."""

import pytest
import torch

from deepgen.data.shades import from_opponent, to_opponent
from pgm.errors import ShapeError

IMAGES = torch.rand(5, 2, 3, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_opponent_colours_are_a_rotation():
    """Both ways are inverse of one another, and lengths stay, so Gaussian noise does."""
    there = to_opponent(IMAGES)
    torch.testing.assert_close(from_opponent(there), IMAGES)
    torch.testing.assert_close(to_opponent(from_opponent(IMAGES)), IMAGES)
    torch.testing.assert_close(there.norm(dim=-3), IMAGES.norm(dim=-3))


def test_lightness_is_what_grey_has():
    """The first channel is the mean of three shades times sqrt(3); a grey image has no other."""
    there = to_opponent(IMAGES)
    torch.testing.assert_close(there[..., 0, :, :], 3**0.5 * IMAGES.mean(-3))
    grey = to_opponent(IMAGES.mean(-3, keepdim=True).expand(IMAGES.shape))
    torch.testing.assert_close(grey[..., 1:, :, :], torch.zeros_like(grey[..., 1:, :, :]), atol=1e-6, rtol=0)
    torch.testing.assert_close(grey[..., 0, :, :], there[..., 0, :, :])


def test_red_is_against_green_and_yellow_against_blue():
    red, green, blue = to_opponent(torch.eye(3).reshape(3, 3, 1, 1)).squeeze()
    assert red[1] > 0 > green[1]
    assert red[2] == green[2] > 0 > blue[2]
    assert blue[1] == 0


@pytest.mark.parametrize("change", [to_opponent, from_opponent])
def test_refusals(change):
    with pytest.raises(ShapeError, match=rf"{change.__name__}: images have shape \(1, 8, 8\), expected \[\*batch, 3"):
        change(torch.zeros(1, 8, 8))
