"""What the recipe makes of data, and what it samples."""

import pytest
import torch
from torch import Tensor, nn

from deepgen.data.coarse import pooled
from deepgen.data.data import Data
from deepgen.networks.timed import TimedMLP
from deepgen.networks.unet import UNet
from deepgen.recipes.diffusion import Diffusion
from pgm.errors import PlanError


class Blown(nn.Module):
    """Says that x_0 is what the coarse image shows, in larger pixels."""

    def forward(self, x: Tensor, time: Tensor, coarse: Tensor) -> Tensor:
        return coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)


def images(side: int) -> Data:
    return Data({"image": torch.linspace(-1, 1, 2 * side * side).reshape(2, side, side)}, "stripes")


def test_small_images_get_a_dense_network_and_larger_ones_a_unet() -> None:
    small = Diffusion(hidden=(8,), channels=(8, 8))
    assert isinstance(small.model(images(8)).denoiser.net, TimedMLP)
    assert isinstance(small.model(Data({"x": torch.randn(2, 2)})).denoiser.net, TimedMLP)
    assert isinstance(small.model(images(16)).denoiser.net, UNet)
    assert isinstance(Diffusion(network="unet", channels=(8, 8)).model(images(8)).denoiser.net, UNet)
    assert isinstance(Diffusion(network="dense", hidden=(8,)).model(images(16)).denoiser.net, TimedMLP)


def test_samples_given_coarse_images_are_of_those_held_out() -> None:
    recipe = Diffusion(coarse=2, predicts="data", hidden=(8,), noise_steps=3)
    data, held = recipe.load("train"), recipe.load("test")
    assert torch.equal(data["coarse"], pooled(data["image"], 2))
    setup = recipe.setup(data)
    setup.phases[0].modules["denoiser"].net = Blown()
    assert torch.allclose(pooled(setup.sample(300, None), 2)[:297], (held["coarse"] + 1) / 2, atol=1e-5)
    assert torch.allclose(pooled(setup.sample(300, None), 2)[297:], (held["coarse"][:3] + 1) / 2, atol=1e-5)


def test_a_guidance_of_minus_one_forgets_what_is_given() -> None:
    recipe = Diffusion(labels=True, hidden=(8,), noise_steps=3)
    model = recipe.model(recipe.load())
    ones, twos = (
        model.sample(4, {"label": torch.full((4,), label)}, guidance=-1.0, seed=0, progress=False) for label in (1, 2)
    )
    other = model.sample(4, {"label": torch.full((4,), 2)}, seed=0, progress=False)
    assert torch.allclose(ones, twos, atol=1e-5)
    assert not torch.allclose(twos, other, atol=1e-3)


def test_what_does_not_go_together_is_named() -> None:
    with pytest.raises(PlanError, match="coarse images show their label already; take labels=False or coarse=0"):
        Diffusion(labels=True, coarse=2)
    with pytest.raises(PlanError, match="guidance is 1, which needs labels=True while training"):
        Diffusion(guidance=1.0)
