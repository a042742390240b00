"""Points, and modes that are found or missed."""

import numpy as np
import pytest
import torch

from deepgen import ring
from deepgen.data.toys import ring_centres
from deepgen.pictures import modes, points
from pgm.errors import ShapeError


def test_modes_that_have_no_sample_get_a_ring():
    centres = ring_centres()
    x = ring(2000, deviation=0.01)["x"]
    some = x[torch.cdist(x, centres).argmin(1) != 3]
    off = torch.tensor([[0.0, 0.0], [0.1, 0.0]])
    (axes,) = modes(torch.cat([some, off]), centres, 0.01).axes
    assert axes.get_title(loc="left").startswith("7 of 8 modes, ")
    red, blue, rings = (each.get_offsets() for each in axes.collections)
    near = np.linalg.norm(some.numpy()[:, None] - centres.numpy(), axis=-1).min(1) <= 0.03
    assert len(blue) == near.sum()
    assert len(red) == (~near).sum() + 2
    assert np.allclose(rings, centres[3:4])


def test_labels_have_colours_and_lie_amid_their_points():
    generator = torch.Generator().manual_seed(0)
    x = torch.cat([torch.randn(50, 2, generator=generator) + 10 * k for k in range(3)])
    (axes,) = points(x, labels=torch.arange(3).repeat_interleave(50)).axes
    assert [text.get_text() for text in axes.texts] == ["0", "1", "2"]
    for text, some, drawn in zip(axes.texts, x.split(50), axes.collections, strict=True):
        assert np.allclose(drawn.get_offsets(), some)
        assert np.linalg.norm(np.array(text.get_position()) - some.numpy().mean(0)) < 1
    assert len({tuple(each.get_facecolor()[0]) for each in axes.collections}) == 3


def test_labels_that_would_meet_are_listed_above():
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    (axes,) = points(torch.cat([x, x]), labels=["a"] * 50 + ["b"] * 50).axes
    assert [text.get_text() for text in axes.texts] == ["a", "b"]
    assert all(text.get_position()[1] > 1 for text in axes.texts)  # of the axes' height


def test_data_beneath_set_the_limits():
    data = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    one, other = (points(x, beneath=data).axes[0] for x in (torch.zeros(1, 2), torch.full((1, 2), 9.0)))
    assert one.get_xlim() == other.get_xlim()
    assert one.get_xlim()[0] < 0 < 1 < one.get_xlim()[1] < 2


def test_points_outside_the_plane_are_named():
    with pytest.raises(ShapeError, match=r"the points have shape \(4, 3\), expected \[n, 2\]"):
        points(torch.zeros(4, 3))
