"""Recipes that translate images: their data, what they measure and draw, and what they refuse."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from deepgen import centred, named, translator, unet_generator
from deepgen.data.pairs import edges
from deepgen.pictures import translations
from deepgen.recipes.translation import CycleGAN, Pix2Pix, Translation, beside_truth, translated
from deepgen.runs.pictures import PICTURES
from deepgen.runs.run import Run, fresh
from deepgen.training.history import History
from pgm import Real, Variable
from pgm.errors import GraphError, PlanError, ShapeError

PIX2PIX, CYCLE = Pix2Pix(channels=(4,), judge=(4,)), CycleGAN(channels=(4,), judge=(4,))
TEST = centred(named("digits", "test"))


def untrained(recipe: Translation) -> Run:
    data = recipe.load()
    return Run(recipe, fresh(recipe, data), data, History())


def test_pairs_go_either_way() -> None:
    forwards, backwards = PIX2PIX.load("test"), replace(PIX2PIX, backwards=True).load("test")
    assert torch.equal(forwards["source"], TEST["image"])
    assert torch.equal(forwards["image"], edges(TEST["image"]))
    for one, other in (("source", "image"), ("image", "source"), ("label", "label")):
        assert torch.equal(forwards[one], backwards[other])


def test_sets_without_pairs_have_no_digit_in_common() -> None:
    data, rows = CYCLE.load(), {tuple(row.tolist()) for row in centred(named("digits"))["image"].flatten(1)}
    one = {tuple(row.tolist()) for row in data["source"].flatten(1)}
    other = {tuple(row.tolist()) for row in -data["image"].flatten(1)}
    assert one | other == rows
    assert not one & other


def test_a_set_of_its_own_may_be_the_other_one() -> None:
    data = replace(CYCLE, other="digits").load("test")
    assert len(data) == len(TEST)
    assert not torch.equal(data["image"], data["source"])
    torch.testing.assert_close(data["image"].sum(0), TEST["image"].sum(0))
    names = [figure.name for figure in untrained(replace(CYCLE, other="digits")).evaluate()]
    assert names == ["mean absolute error there and back", "labels kept there and back"]


def test_a_larger_other_set_does_not_repeat_the_sources_that_figures_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise standard errors would be those of more rows than there are."""
    sets = {"few": TEST.rows(slice(7)), "many": TEST}
    monkeypatch.setattr("deepgen.recipes.translation.named", lambda name, split, binarise: sets[name])
    monkeypatch.setattr("deepgen.recipes.translation.centred", lambda data: data)
    recipe = replace(CYCLE, data="few", other="many")
    assert len(recipe.load()) == len(TEST)
    held = recipe.load("test")
    assert sorted(held["source"].flatten(1).tolist()) == sorted(sets["few"]["image"].flatten(1).tolist())


def test_many_images_are_translated_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepgen.recipes.translation.AT_ONCE", 100)
    x, source = TEST.variable("image"), Variable("source", Real(8, 8))
    model = translator(x, source, generator=unet_generator(4))
    torch.testing.assert_close(translated(model, TEST["image"]), model.sample(297, {"source": TEST["image"]}))


def test_figures_of_the_truth_and_of_sources_themselves() -> None:
    """What is true has no error and keeps what labels can be seen; what is left as it is has that of the identity."""
    train, held = PIX2PIX.load(), PIX2PIX.load("test")
    error, labels = beside_truth(held["image"], train, held)
    assert (error.value, error.error) == (0, 0)
    assert f"{labels.value:.4g} of 297 real rows right" in labels.how
    error, _ = beside_truth(held["source"], train, held)
    differences = (held["source"] - held["image"]).abs().flatten(1).mean(1)
    assert error.value == pytest.approx(differences.mean().item(), rel=1e-5)
    assert error.error == pytest.approx((differences.var() / 297).sqrt().item(), rel=1e-5)
    mean = (held["image"] - train["image"].mean(0)).abs().mean().item()
    assert (
        error.how
        == f"297 rows, shades from -1 to 1; of the mean image {mean:.4g}, of the source itself {error.value:.4g}"
    )


def test_figures_of_translators_that_are_known() -> None:
    """Both leave nothing of an image but grey: each error is the mean distance of shades from 0."""
    run = untrained(CYCLE)
    for phase in run.setup.phases[1:]:
        for parameter in phase.parameters():
            nn.init.zeros_(parameter)
    error, labels, back, again = run.evaluate()
    expected = TEST["image"].abs().mean().item()
    assert (error.value, back.value) == (pytest.approx(expected), pytest.approx(expected))
    assert [labels.name, again.name] == ["labels kept", "labels kept there and back"]
    assert max(labels.value, again.value) < 0.3  # one label for all rows
    assert torch.equal(run.sample(3), torch.full((3, 8, 8), 0.5))


@pytest.mark.parametrize("recipe", [PIX2PIX, CYCLE], ids=["pix2pix", "cycle"])
def test_translations_are_drawn(recipe: Translation, tmp_path: Path) -> None:
    PICTURES["translations"](untrained(recipe), tmp_path / "picture.png", None)
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_stages_that_do_not_fit_are_said() -> None:
    with pytest.raises(ShapeError, match=r"stages have shapes \{'source': \[2, 8, 8\], 'made': \[3, 8, 8\]\}"):
        translations({"source": torch.zeros(2, 8, 8), "made": torch.zeros(3, 8, 8)})
    figure = translations({"source": torch.zeros(2, 8, 8), "made": torch.zeros(2, 8, 8)})
    assert [text.get_text() for text in figure.axes[0].texts] == ["source", "made"]


def test_what_cannot_be_translated_is_said() -> None:
    with pytest.raises(PlanError, match="CycleGAN: labels is True, but sources alone say what is made; leave it out."):
        CycleGAN(labels=True)
    with pytest.raises(GraphError, match="there is no column 'image'"):
        Pix2Pix(data="ring").load()
    with pytest.raises(ShapeError, match="drawn anew each time"):
        Pix2Pix(binarise="dynamic").load()
