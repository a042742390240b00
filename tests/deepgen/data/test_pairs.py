"""Data to translate: pairs, two sets without pairs, and rules whose results can be checked pixel by pixel."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from deepgen import centred, digits
from deepgen.data.data import Data
from deepgen.data.pairs import changed, edges, inverted, paired, turned, unpaired
from pgm.errors import ShapeError

DIGITS = centred(digits())


def numbered(rows: int, first: int, name: str) -> Data:
    return Data({"image": torch.arange(first, first + rows).float()[:, None], "label": torch.arange(rows)}, name)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_rows_without_pairs_have_their_turns(one: int, other: int, seed: int) -> None:
    """Every row as often as any other of its set, or once more; labels stay with sources."""
    data = unpaired(numbered(one, 0, "one"), numbered(other, 100, "other"), seed=seed)
    for column, rows, first in (("source", one, 0), ("image", other, 100)):
        counts = torch.bincount(data[column][:, 0].long() - first, minlength=rows)
        assert len(counts) == rows
        assert counts.sum() == max(one, other)
        assert counts.max() - counts.min() <= 1
    assert torch.equal(data["label"], data["source"][:, 0].long())


def test_rows_without_pairs_are_drawn_independently() -> None:
    """The ranks of independent permutations have a correlation of variance 1 / (n - 1) around 0."""
    n = 2000
    data = unpaired(numbered(n, 0, "one"), numbered(n, 0, "other"))
    found = torch.corrcoef(torch.stack([data["source"][:, 0], data["image"][:, 0]]))[0, 1]
    assert found.abs() < 4 / (n - 1) ** 0.5


def test_pairs_stay_pairs() -> None:
    data = paired(DIGITS, changed(DIGITS, inverted))
    assert torch.equal(data["image"], -data["source"])
    assert torch.equal(data["label"], DIGITS["label"])
    assert next(iter(data.columns)) == "image"


@pytest.mark.parametrize("change", [edges, inverted, turned])
def test_changed_images_have_the_same_shades(change) -> None:
    data = changed(DIGITS, change)
    assert -1 <= data["image"].min() < data["image"].max() <= 1
    assert data.name.endswith(change.__name__)


def test_changes_that_can_be_undone() -> None:
    image: Tensor = DIGITS["image"]
    assert torch.equal(inverted(inverted(image)), image)
    assert torch.equal(turned(turned(turned(turned(image)))), image)
    assert torch.equal(turned(image)[:, -1], image[:, :, 0])  # what was on the left is below


def test_edges_are_the_brightest_neighbour_less_the_pixel() -> None:
    image = DIGITS["image"][:5]
    places = [(row, column) for row in range(8) for column in range(8)]
    around = [image[:, max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].amax((1, 2)) for r, c in places]
    torch.testing.assert_close(edges(image), torch.stack(around, 1).reshape(5, 8, 8) - image - 1)


def test_what_cannot_be_paired_is_said() -> None:
    few = DIGITS.rows(slice(3))
    with pytest.raises(ShapeError, match=r"digits, centred has 1797 rows and digits, centred 3, expected pairs; .*un"):
        paired(DIGITS, few)
    with pytest.raises(ShapeError, match="there are no rows"):
        paired(DIGITS.rows(slice(0)), DIGITS.rows(slice(0)))
    bright = Data({"image": torch.full((3, 8, 8), 255.0)}, "bright")
    for mistaken in (lambda: changed(bright, inverted), lambda: paired(few, bright), lambda: unpaired(bright, few)):
        with pytest.raises(ShapeError, match=r"of bright has shades from 255 to 255, expected -1 to 1; .*centred"):
            mistaken()
    with pytest.raises(ShapeError, match="makes 1 rows of 3, expected as many"):
        changed(few, lambda images: images[:1])
    with pytest.raises(ShapeError, match=r"edges: images have shape \[3, 2\], expected \[rows, H, W\]"):
        changed(Data({"x": torch.zeros(3, 2)}), edges, "x")
