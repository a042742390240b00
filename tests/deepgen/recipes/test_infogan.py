"""The recipe of InfoGAN: what it measures and draws."""

from math import log
from pathlib import Path

import pytest
import torch

from deepgen.evaluate.clusters import purity
from deepgen.recipes.infogan import InfoGAN
from deepgen.runs.pictures import PICTURES
from deepgen.runs.run import Run, fresh
from deepgen.training.history import History
from pgm.errors import PlanError


def untrained(recipe: InfoGAN) -> Run:
    data = recipe.load()
    return Run(recipe, fresh(recipe, data), data, History())


def test_figures_say_what_rows_know_of_codes_and_how_pure_kinds_are() -> None:
    """Networks that have learned nothing say nothing; the purity is that of the kinds that the guide reads."""
    run = untrained(InfoGAN(hidden=(8,), numbers=2))
    kind, numbers, pure = run.evaluate()
    assert [kind.name, numbers.name, pure.name] == ["I(kind; image)", "I(numbers; image)", "purity"]
    assert -0.5 < kind.value < 0.5 < log(10)
    held = run.recipe.load("test")
    scores = run.setup.models["discriminator"].conditionals["kind"].distribution(held["image"]).logits
    assert pure.value == purity(scores.argmax(-1), held["label"])


def test_with_labels_there_is_no_purity() -> None:
    assert [figure.name for figure in untrained(InfoGAN(hidden=(8,), labels=True)).evaluate()] == ["I(kind; image)"]


@pytest.mark.parametrize("data", ["digits", "ring"])
def test_kinds_are_drawn_a_row_each(data: str, tmp_path: Path) -> None:
    run = untrained(InfoGAN(data=data, kinds=3, hidden=(8,)))
    before = torch.random.get_rng_state()
    PICTURES["codes"](run, tmp_path / "codes.png", None)
    assert (tmp_path / "codes.png").stat().st_size > 1000
    assert torch.equal(torch.random.get_rng_state(), before), "pictures leave randomness as it was"


def test_numbers_that_make_no_sense() -> None:
    with pytest.raises(PlanError, match="InfoGAN: kinds is 1, expected 2 or more"):
        InfoGAN(kinds=1)
