"""The recipes of games whose guide infers what rows are made of: what they measure, draw, and refuse."""

from pathlib import Path

import pytest
import torch

from deepgen.recipes import Recipe
from deepgen.recipes.bigan import BiGAN
from deepgen.recipes.vae_gan import VAEGAN
from deepgen.runs.pictures import PICTURES
from deepgen.runs.run import Run, fresh
from deepgen.training.history import History
from pgm.errors import PlanError

SMALL = (BiGAN(latents=2, hidden=(8,)), VAEGAN(latents=2, hidden=(8,), features=4))


def untrained(recipe: Recipe) -> Run:
    data = recipe.load()
    return Run(recipe, fresh(recipe, data), data, History())


@pytest.mark.parametrize("recipe", SMALL, ids=lambda recipe: type(recipe).__name__)
def test_figures_say_what_codes_are_worth(recipe):
    run = untrained(recipe)
    names = [figure.name for figure in run.evaluate()]
    read = [f"labels read off {of}" for of in ("z", "principal components", "image")]
    assert names[:5] == ["squared error", "sliced Wasserstein distance", *read]
    assert names[5:] == ["sharpness"] * isinstance(recipe, VAEGAN)
    with pytest.raises(PlanError, match="bounds: the .* is certain of"):
        run.evaluate(particles=[1])


@pytest.mark.parametrize("recipe", [BiGAN(labels=True, certain=False, hidden=(8,)), BiGAN(data="ring", hidden=(8,))])
def test_labels_that_were_told_or_are_missing_are_not_read(recipe):
    assert [figure.name for figure in untrained(recipe).evaluate()] == ["squared error", "sliced Wasserstein distance"]


@pytest.mark.parametrize("what", ["graph", "reconstructions", "interpolation", "traversals", "manifold", "latents"])
def test_all_pictures_of_latent_variables_can_be_drawn(what, tmp_path: Path):
    path = tmp_path / "picture.png"
    PICTURES[what](untrained(SMALL[0]), path, None)
    assert path.stat().st_size > 1000


def test_samples_are_shown_in_shades_from_0_to_1():
    run = untrained(SMALL[0])
    drawn = run.sample(4, seed=3)
    torch.manual_seed(3)
    made = run.setup.pair.model.conditionals["image"].net(torch.randn(4, 2))
    assert torch.allclose(drawn, (made + 1) / 2)


def test_settings_that_are_out_of_range_are_refused():
    with pytest.raises(PlanError, match="BiGAN: latents is 0 and weight 1.0, expected 1 or more, and 0 or more"):
        BiGAN(latents=0)
    with pytest.raises(PlanError, match="VAEGAN: gamma is -1, expected 0 or more"):
        VAEGAN(gamma=-1)
    with pytest.raises(PlanError, match="VAEGAN: deviation is 0, expected a number above 0"):
        VAEGAN(deviation=0)
