"""What was given and what was made have inks of their own."""

import pytest
import torch

from deepgen.pictures.inks import GIVEN, MADE, inked
from pgm.errors import ShapeError


def colours(rgb: torch.Tensor) -> list[str]:
    return ["#" + bytes((255 * pixel).round().byte().tolist()).hex() for pixel in rgb.movedim(-3, -1).reshape(-1, 3)]


def test_blank_and_full_pixels_have_the_paper_and_the_ink_of_their_part() -> None:
    images = torch.tensor([[[-1.0, 1.0], [-1.0, 1.0]]])
    assert colours(inked(images, torch.tensor([[1, 1], [0, 0]]))) == [*GIVEN, *MADE]
    assert colours(inked(-images, torch.tensor([[1, 1], [0, 0]]), shades=(1, -1))) == [*GIVEN, *MADE]


def test_a_shade_between_is_a_colour_between_and_what_lies_beyond_is_cut_off() -> None:
    every = torch.ones(1, 3)
    paper, middle, ink = inked(torch.tensor([[0.0, 0.5, 1.0]]), every, shades=(0, 1))[:, 0].unbind(-1)
    assert torch.allclose(middle, (paper + ink) / 2)
    assert torch.equal(inked(torch.tensor([[-3.0, 0.5, 9.0]]), every, shades=(0, 1))[:, 0, 0], paper)


def test_each_image_may_have_its_own_mask() -> None:
    images = torch.zeros(2, 1, 1)
    one, other = inked(images, torch.tensor([1, 0]).reshape(2, 1, 1))
    assert torch.equal(one, inked(images[0], torch.ones(1, 1)))
    assert torch.equal(other, inked(images[0], torch.zeros(1, 1)))
    with pytest.raises(ShapeError, match=r"given has shape \(3,\), expected that of the images, \(2, 1, 1\)"):
        inked(images, torch.ones(3))
