"""Contact sheets: what is read back from the picture are the images."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from deepgen.pictures import grid
from pgm.errors import FileError, ShapeError


def runs(filled: np.ndarray) -> list[tuple[int, int]]:
    """Where stretches of True begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def tiles(pixels: np.ndarray) -> list[np.ndarray]:
    """The images between white gutters, row by row; none of them has a white pixel."""
    filled = (pixels != 255).any(-1)
    found = [pixels[a:b, c:d] for a, b in runs(filled.any(1)) for c, d in runs(filled.any(0))]
    return [each for each in found if (each != 255).any()]


@settings(max_examples=12)
@given(
    st.integers(1, 7), st.sampled_from([(1, 1), (8, 8), (3, 5), (28, 28)]), st.sampled_from([None, 1, 3]),
    st.sampled_from([None, 1, 2, 5]), st.booleans(),
)  # fmt: skip
def test_pixels_read_back_are_the_images(tmp_path_factory, n, size, channels, columns, signed):
    shape = (n, *([channels] if channels else []), *size)
    shades = torch.randint(255, shape, generator=torch.Generator().manual_seed(n))  # 255 is the paper
    images = shades / 255 * 2 - 1 if signed else shades / 255
    path = tmp_path_factory.mktemp("grid") / "grid.png"
    grid(images, columns=columns, shades=(-1, 1) if signed else (0, 1), path=path)
    found = tiles((imread(path)[..., :3] * 255).round().astype(int))
    assert len(found) == n
    for tile, image in zip(found, shades, strict=True):
        scale = tile.shape[1] // size[1]
        expected = image.expand(3, *size) if channels else image[None].expand(3, *size)
        assert np.array_equal(tile, np.kron(expected.permute(1, 2, 0).numpy(), np.ones((scale, scale, 1), int)))


def test_labels_lie_below_their_images_and_move_none_of_them():
    images = torch.full((6, 4, 4), 0.5)
    figure = grid(images, columns=3, labels=list("abcdef"), title="Six")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["Six", *"abcdef"]
    places = [text.get_position() for text in axes.texts[1:]]
    assert len({x for x, _ in places}) == 3
    assert len({y for _, y in places}) == 2
    pixels = axes.images[0].get_array()
    assert all((pixels[round(y), round(x)] == 255).all() for x, y in places)  # the paper between images
    assert len(tiles(np.asarray(pixels))) == 6


def test_shades_beyond_the_scale_are_cut_off():
    (dark, light) = tiles(
        np.asarray(grid(torch.tensor([[[-7.0]], [[0.9]]]), shades=(0, 1)).axes[0].images[0].get_array())
    )
    assert (dark == 0).all()
    assert (light == round(0.9 * 255)).all()


def test_points_are_drawn_as_points():
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    (axes,) = grid(x).axes
    assert np.allclose(axes.collections[0].get_offsets(), x)


def test_there_is_no_window_and_no_style_of_everyone_is_changed():
    before = dict(mpl.rcParams)
    grid(torch.zeros(3, 8, 8), labels=[1, 2, 3], title="Nothing")
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("shape", [(8,), (3, 2, 8, 8), (0, 8, 8), (4, 3)])
def test_what_is_no_image_is_named(shape):
    with pytest.raises(ShapeError, match=r"pictures: the images have shape .*expected \[n, H, W\], \[n, 1, H, W\]"):
        grid(torch.zeros(shape))


def test_a_label_each():
    with pytest.raises(ShapeError, match=r"^grid: there are 2 labels and 3 images, expected one each\.$"):
        grid(torch.zeros(3, 8, 8), labels=[1, 2])


def test_columns_are_counted_from_one():
    with pytest.raises(ShapeError, match=r"^grid: columns is 0, expected 1 or more\.$"):
        grid(torch.zeros(3, 8, 8), columns=0)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_whole_and_alone(tmp_path, suffix):
    grid(torch.zeros(3, 8, 8), path=tmp_path / f"three.{suffix}")
    assert [each.name for each in tmp_path.iterdir()] == [f"three.{suffix}"]


def test_paths_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(FileError, match=r"three.gif' ends in '.gif', expected .png, .svg, .pdf"):
        grid(torch.zeros(3, 8, 8), path=tmp_path / "three.gif")
    with pytest.raises(FileError, match=r"three.png' cannot be written \(No such file or directory\)"):
        grid(torch.zeros(3, 8, 8), path=tmp_path / "nowhere" / "three.png")
