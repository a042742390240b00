"""Recipes of variational autoencoders, short."""

import pytest
import torch

from deepgen.recipes.vae import VAE
from deepgen.training.fit import fit

SMALL = {"latents": 4, "hidden": (32,)}
WAYS = {
    "elbo": VAE(**SMALL),
    "annealed": VAE(**SMALL, annealing=20, free=0.5, labels=True),
    "flow": VAE(**SMALL, posterior="flow"),
    "iwae": VAE(**SMALL, objective="iwae", particles=3, activation="silu"),
    "dreg": VAE(**SMALL, objective="dreg", particles=3, activation="tanh"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_few_steps_raise_the_bound(way):
    torch.manual_seed(0)
    data = WAYS[way].load().rows(slice(0, 200))
    setup = WAYS[way].setup(data)
    (before, _) = setup.figures(data)
    fit(setup.phases, data, turns=30, batch=100, progress=False, device="cpu")
    after, tighter = setup.figures(data)
    assert after.value > before.value + 3 * (after.error + before.error)
    assert tighter.value > after.value
