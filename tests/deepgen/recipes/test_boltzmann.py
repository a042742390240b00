"""Recipes of Boltzmann machines in general and of convolutional ones, short."""

import pytest
import torch

import deepgen
from deepgen.recipes import RECIPES
from deepgen.recipes.boltzmann import BoltzmannMachine, ConvolutionalRBM
from deepgen.recipes.rbm import RBM
from deepgen.runs.pictures import PICTURES
from deepgen.training.fit import fit
from deepgen.zoo.boltzmann import log_likelihood
from deepgen.zoo.boltzmann.machine import Machine

SMALL = {"binarise": "threshold", "chains": 20, "rate": 0.02}


@pytest.mark.parametrize("inferred", ["mean_field", "sampled"])
def test_a_few_steps_raise_the_exact_log_likelihood(inferred):
    recipe = BoltzmannMachine(**SMALL, hidden=2, inferred=inferred, temperature=2.0)
    data = recipe.load().rows(slice(0, 200))
    data = type(data)({"image": data["image"][:, 2:5, 2:5]}, "middles")
    torch.manual_seed(0)
    setup = recipe.setup(data)
    machine = Machine(setup.models["model"], (setup.models["model"]["image"],))
    before = log_likelihood(machine, {"image": data["image"]}).detach()
    fit(setup.phases, data, turns=30, batch=100, progress=False, device="cpu")
    gain = log_likelihood(machine, {"image": data["image"]}).detach() - before
    assert gain.mean() > 3 * gain.std() / 200**0.5


@pytest.mark.parametrize("learning", ["persistent", "fast", "tempered", "contrastive"])
def test_every_way_of_a_restricted_machine_raises_the_exact_log_likelihood(learning):
    recipe = RBM(binarise="threshold", hidden=4, learning=learning, chains=20, rate=0.5)
    data = recipe.load().rows(slice(0, 200))
    torch.manual_seed(0)
    setup = recipe.setup(data)
    machine = Machine(setup.models["model"], (setup.models["model"]["image"],))
    before = log_likelihood(machine, {"image": data["image"]}).detach()
    fit(setup.phases, data, turns=120, batch=100, progress=False, device="cpu")
    gain = log_likelihood(machine, {"image": data["image"]}).detach() - before
    assert gain.mean() > 3 * gain.std() / 200**0.5


def test_pixels_of_filters_start_as_often_on_as_all_pixels_together():
    recipe = ConvolutionalRBM(**SMALL, filters=2)
    data = recipe.load()
    model = recipe.setup(data).models["model"]
    bias = next(term for term in model.terms if repr(term) == "Bias(image)")
    torch.testing.assert_close(bias.bias.sigmoid(), data["image"].mean().reshape(1))


def test_filters_see_no_labels():
    recipe = ConvolutionalRBM(labels=True)
    with pytest.raises(ValueError, match="labels is True, and filters see no labels"):
        recipe.setup(recipe.load())


def test_reconstructions_of_a_belief_network_are_drawn(tmp_path):
    """Its pair has no bounds of its own, log Z is missing there: particles are refused, pictures are not."""
    run = deepgen.train(RECIPES["dbn"](layers=(3, 2), epochs=0.01), device="cpu", progress=False)
    PICTURES["reconstructions"](run, tmp_path / "drawn.png", None)
    assert (tmp_path / "drawn.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="has no guide to draw them from"):
        run.evaluate([5])
