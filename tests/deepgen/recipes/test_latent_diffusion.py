"""Latent diffusion by captions, from its settings."""

import pytest
import torch

from deepgen import Data, centred, digits
from deepgen import painted as painted_of
from deepgen.objectives import elbo
from deepgen.recipes.latent_diffusion import LatentDiffusion
from pgm.errors import PlanError

SMALL = {"autoencoder": (4, 4), "channels": (4,), "noise_steps": 5, "sample_steps": 2, "latents": 1}


@pytest.fixture(scope="module")
def painted() -> Data:
    return centred(painted_of(digits(), 300))


def test_captions_are_read_label_first_and_go_round_by_turns(painted, monkeypatch):
    """All forty combinations of ten digits and four colours come before the place changes."""
    recipe, asked = LatentDiffusion(data="painted_digits", labels=True, **SMALL), {}
    setup = recipe.setup(painted)
    model = setup.sample.args[0]
    assert [v.name for v in model.given] == ["label", "colour", "place"]
    monkeypatch.setattr(type(model), "sample", lambda self, rows, given, **_: asked.update(given) or torch.zeros(rows))
    assert bool((setup.sample(160, None) == 0.5).all())
    combinations = torch.stack([asked["label"], asked["colour"], asked["place"]], 1)
    assert len(combinations.unique(dim=0)) == 160
    assert combinations[41].tolist() == [1, 0, 1]
    setup.sample(3, torch.tensor([7, 7, 7]))
    assert asked["label"].tolist() == [7, 7, 7]


def test_the_figure_is_the_bound_of_the_pair(painted):
    """That of all graphs by draws, on the same rows; both routes state their error."""
    torch.manual_seed(0)
    setup = LatentDiffusion(data="painted_digits", **SMALL).setup(painted)
    (figure,) = setup.figures(painted)
    pair = setup.sample.args[0].pair
    with torch.no_grad():
        drawn = torch.stack([elbo(pair.model, pair.guide, pair.seen(painted.columns)) for _ in range(3)]).mean(0)
    assert abs(drawn.mean() - figure.value) < 5 * (drawn.var() / 300 + figure.error**2) ** 0.5
    assert "ELBO, 10 of 5 steps a code, 300 rows" in figure.how


def test_as_many_batches_go_to_each_phase_as_it_has_steps(painted):
    recipe = LatentDiffusion(data="painted_digits", epochs=10, batch=10, turns=4, **SMALL)
    first, second = recipe.setup(painted).phases
    assert (first.steps, second.steps) == (1, 4)
    assert [first.rate(60), second.rate(240)] == [0.0, 0.0]  # of 300 batches
    assert min(first.rate(59), second.rate(239)) > 0


def test_a_diffusion_without_steps_is_refused():
    with pytest.raises(PlanError, match="turns is 0, expected 1 or more"):
        LatentDiffusion(turns=0)


@pytest.mark.parametrize(
    ("options", "need"), [({}, "labels=True"), ({"labels": True, "dropped": 0}, "dropped above 0")]
)
def test_guidance_without_captions_is_refused(options, need):
    with pytest.raises(PlanError, match=f"LatentDiffusion: guidance is 1, which needs {need} while training"):
        LatentDiffusion(guidance=1.0, **options)


def test_all_steps_are_as_many_as_there_are_and_a_wrong_share_is_told_before_training(painted):
    setup = LatentDiffusion(data="painted_digits", **{**SMALL, "sample_steps": 50}).setup(painted)
    assert setup.sample(2, None).shape == (2, 3, 16, 16)
    with pytest.raises(PlanError, match="eta is 2.0, expected 0"):
        LatentDiffusion(data="painted_digits", eta=2.0, **SMALL).setup(painted)
