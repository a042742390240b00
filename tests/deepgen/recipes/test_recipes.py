"""Every recipe learns from digits for a turn, draws itself, and comes back from its folder as it was."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import deepgen
from deepgen.cli.train import OPTIONS
from deepgen.recipes import RECIPES
from deepgen.recipes.settings import settings
from deepgen.runs.pictures import watching
from deepgen.training.phase import Moment, named_modules

pytestmark = pytest.mark.usefixtures("no_curves")

SMALL = {
    "boltzmann_machine": {"hidden": 2, "rounds": 1},
    "convolutional_rbm": {"filters": 4},
    "convolutional_ladder": {"channels": 8},
    "cycle_gan": {"channels": (4, 8), "judge": (4,)},
    "diffusion": {"network": "unet", "channels": (8, 16), "sample_steps": 5},
    "flow_matching": {"hidden": (8,), "sample_steps": 2},
    "gan": {"channels": (4, 8)},
    "latent_diffusion": {"autoencoder": (8, 8), "channels": (8, 16), "noise_steps": 10, "sample_steps": 3},
    "pix2pix": {"channels": (4, 8), "judge": (4,)},
    "vq_vae": {"channels": (8, 8), "prior_channels": 8},
    "vq_vae_2": {"channels": (8, 8), "prior_channels": 8},
}  # convolutions as wide as by default would take most of the time


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_draws_itself_and_comes_back(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name](epochs=1e-9, batch=8, **SMALL.get(name, {}))
    run = deepgen.train(recipe, tmp_path, device="cpu", progress=False)
    assert run.history["turn"][-1] == 1
    drawn = run.sample(3, seed=0)
    assert drawn.shape == (3, 8, 8)
    assert torch.equal(deepgen.load(tmp_path).sample(3, seed=0), drawn)
    assert {"graph.png", "samples-000000001.png"} <= {path.name for path in tmp_path.iterdir()}
    before = {name: value.clone() for name, value in _state(run)}
    watching(run)(Moment(1, 1, 1.0))
    assert all(torch.equal(before[name], value) for name, value in _state(run)), "a look at held-out rows left a trace"


def _state(run: deepgen.Run) -> list[tuple[str, Tensor]]:
    modules = named_modules(run.setup.phases).items()
    return [(f"{name}.{key}", value) for name, module in modules for key, value in module.state_dict().items()]


@pytest.mark.parametrize("name", RECIPES)
def test_no_setting_is_called_as_an_option_of_every_run(name: str) -> None:
    assert not set(settings(RECIPES[name])) & set(OPTIONS)
