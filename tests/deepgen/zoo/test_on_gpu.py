"""Autoencoders and VAEs on a GPU: bounds where the model is, equal to those of the CPU where nothing is random."""

import pytest
import torch

from deepgen.conditionals import flow
from deepgen.networks import mlp
from deepgen.objectives import denoising, elbo, noisy
from deepgen.zoo.autoencoder import autoencoder
from deepgen.zoo.mixture import memberships, mixture_vae
from deepgen.zoo.vae import vae
from pgm import Binary, Real, Variable

X, LABEL = Variable("x", Binary(5)), Variable("label", range(3))
OPTIONS = {"label": LABEL, "encoder": mlp(8), "decoder": mlp(8)}
FAMILIES = {
    "autoencoder": lambda: autoencoder(X, 2, sparsity=0.1, **OPTIONS),
    "squared": lambda: autoencoder(Variable("x", Real(5)), 2, **OPTIONS),
    "vae": lambda: vae(X, 2, **OPTIONS),
    "flow": lambda: vae(X, 2, posterior=flow(), **OPTIONS),
    "mixture": lambda: mixture_vae(X, 4, 2, **OPTIONS),
}
pytestmark = pytest.mark.gpu


def batch(device):
    return {"x": torch.ones(6, 5, device=device), "label": torch.tensor([0, 1, 2, 0, 1, 2], device=device)}


@pytest.mark.parametrize("name", FAMILIES)
def test_bounds_have_gradients_in_every_parameter_there(name):
    pair, seen = FAMILIES[name](), batch("cuda")
    for module in pair.modules.values():
        module.to("cuda")
    found = elbo(pair.model, pair.guide, seen) + denoising(pair.model, pair.guide, seen, noisy(0.1), 2)
    found.sum().backward()
    assert found.device.type == "cuda"
    assert all(
        p.grad is not None and p.grad.device.type == "cuda" for m in pair.modules.values() for p in m.parameters()
    )


@pytest.mark.parametrize("name", ["autoencoder", "squared"])
def test_bounds_without_draws_are_those_of_the_cpu(name):
    pair, found = FAMILIES[name](), []
    for device in ("cpu", "cuda"):
        for module in pair.modules.values():
            module.to(device)
        found.append(elbo(pair.model, pair.guide, batch(device)).cpu())
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_memberships_are_where_the_model_is():
    pair = FAMILIES["mixture"]()
    for module in pair.modules.values():
        module.to("cuda")
    assert memberships(pair, pair.infer(batch("cuda"))).device.type == "cuda"
