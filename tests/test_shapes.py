"""Shapes in signatures are checked while the tests run."""

import pytest
import torch

from pgm.pictures.bars import rows
from pgm.variable import Variable


def test_a_wrong_number_of_axes_is_caught() -> None:
    pytest.importorskip("jaxtyping")
    with pytest.raises(Exception, match="Type-check error .* pgm.pictures.bars.rows"):
        rows(Variable("rain"), torch.ones(3, 2))
