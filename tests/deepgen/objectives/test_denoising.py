"""Denoising beside ridge regression, which it is where everything is linear, and beside Pyro."""

import math
from functools import partial

import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from deepgen.conditionals import Isotropic
from deepgen.networks import mlp
from deepgen.objectives import denoising, elbo, masked, noisy
from deepgen.phases import maximised
from deepgen.zoo.autoencoder import autoencoder
from deepgen.zoo.mixture import mixture_vae
from deepgen.zoo.vae import vae
from pgm import Binary, Gaussian, LinearGaussian, Model, PlanError, Real, Variable, as_pyro

NOISE, DRAWS = 0.6, 20_000
X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([2.0, 1.0, 0.5])


def linear(weights: Tensor):
    """x is reconstructed as weights x~, the decoder being the identity."""

    def encoder(given, shape):
        net = nn.Linear(3, 3, bias=False)
        net.weight.data.copy_(weights)
        return net

    def decoder(given, shape):
        return nn.Identity()

    return autoencoder(
        Variable("x", Real(3)), 3, encoder=encoder, decoder=decoder, family=Isotropic(1.0, learned=False)
    )


def drawn(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The objective of many corruptions `[draws]`, and gradients in the weights from them, `[parts, 3, 3]`."""
    torch.manual_seed(1)
    pair, parts = linear(weights), 50
    values = denoising(pair.model, pair.guide, {"x": X.expand(DRAWS, 8, 3)}, noisy(NOISE)).mean(1)
    means = values.reshape(parts, -1).mean(1)
    (parameter,) = pair.guide.parameters()
    gradients = [torch.autograd.grad(mean, parameter, retain_graph=True)[0] for mean in means]
    return values.detach(), torch.stack(gradients)


def ridge() -> Tensor:
    """The weights of ridge regression of X on itself, `[to, from]`, with penalty rows * noise^2."""
    second = X.mT @ X / len(X)
    return second @ torch.linalg.inv(second + NOISE**2 * torch.eye(3))


@pytest.mark.parametrize("weights", [torch.eye(3), 0.5 * torch.ones(3, 3), ridge()])
def test_the_value_is_squared_error_with_the_penalty_of_ridge_regression(weights):
    """E |x - W x~|^2 = |x - W x|^2 + noise^2 |W|^2 (Bishop 1995)."""
    values, _ = drawn(weights)
    squared = (X - X @ weights.mT).square().sum(-1).mean() + NOISE**2 * weights.square().sum()
    expected = -0.5 * (3 * math.log(2 * math.pi) + squared.item())
    assert values.mean().item() == pytest.approx(expected, abs=5 * values.std().item() / math.sqrt(DRAWS))


def test_the_optimum_is_ridge_regression():
    """Its gradient is 0 there and nowhere near."""
    for weights, zero in ((ridge(), True), (ridge() + 0.2 * torch.eye(3), False)):
        _, gradients = drawn(weights)
        off = gradients.mean(0).abs() / (gradients.std(0) / math.sqrt(len(gradients)))
        assert bool((off < 5).all()) == zero


def small(domain):
    torch.manual_seed(0)
    x, label = Variable("x", domain), Variable("label", range(3))
    options = {"label": label, "encoder": mlp(8), "decoder": mlp(8)}
    return [autoencoder(x, 2, **options), vae(x, 2, **options)]


def thinned(x: Tensor) -> Tensor:
    return x * torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize("domain", [Binary(5), Real(5)])
@pytest.mark.parametrize("number", [0, 1])
def test_value_and_gradient_are_pyros_with_a_guide_that_sees_what_is_corrupted(domain, number):
    pair, bound = small(domain)[number], [Trace_ELBO, TraceMeanField_ELBO][number]()
    seen = {"x": torch.rand(6, 5).round(), "label": torch.tensor([0, 1, 2, 0, 1, 2])}
    program, guide = as_pyro(pair.model, given=seen), as_pyro(pair.guide, given={**seen, "x": thinned(seen["x"])})
    proposal = poutine.block(guide, hide=list(seen))
    found = []
    for value in (
        lambda: -bound.differentiable_loss(program, proposal),
        lambda: denoising(pair.model, pair.guide, seen, thinned).sum(),
    ):
        torch.manual_seed(2)
        total = value()
        found.append((total, *torch.autograd.grad(total, [*pair.model.parameters(), *pair.guide.parameters()])))
    torch.testing.assert_close(*found)


def test_without_corruption_it_is_the_bound_also_with_states_to_sum():
    torch.manual_seed(0)
    pair = mixture_vae(Variable("x", Binary(5)), clusters=3, latents=2, encoder=mlp(8), decoder=mlp(8))
    seen, found = {"x": torch.rand(6, 5).round()}, []
    for objective in (elbo, partial(denoising, corrupt=lambda x: x)):
        torch.manual_seed(1)
        found.append(objective(pair.model, pair.guide, seen, particles=3))
    torch.testing.assert_close(*found)


def test_priors_look_at_what_is_not_corrupted():
    """c -> z -> x and c -> x: at each row -KL(q(z | x~, c~) || p(z | c)) + E_q log p(x | z, c) + log p(c)."""
    c, z, x = (Variable(name, Real()) for name in "czx")
    model = Model(
        Gaussian(c, 0.0, 1.0), LinearGaussian(z, [c], [2.0], 0.0, 1.0), LinearGaussian(x, [z, c], [1.0, 1.0], 0.0, 1.0)
    )
    guide = Model(LinearGaussian(z, [x, c], [0.5, 0.5], 0.5, 0.25))
    rows = torch.tensor([[1.0, 2.0]], dtype=torch.float64).expand(DRAWS, 2)
    found = denoising(model, guide, {"c": rows[:, 0], "x": rows[:, 1]}, torch.zeros_like).detach()
    q, p = Normal(0.5, 0.5), Normal(2.0, 1.0)  # all that q sees is 0
    explained = Normal(1.5, 1.0).log_prob(torch.tensor(2.0)) - 0.25 / 2  # of x, at the mean of q less its variance
    expected = Normal(0.0, 1.0).log_prob(torch.tensor(1.0)) - kl_divergence(q, p) + explained
    assert found.mean().item() == pytest.approx(expected.item(), abs=5 * found.std().item() / math.sqrt(DRAWS))


def test_each_particle_is_corrupted_anew():
    pair, shapes = small(Real(5))[0], []

    def corrupt(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return noisy(1.0)(x)

    seen = {"x": torch.zeros(6, 5), "label": torch.zeros(6, dtype=torch.long)}
    assert denoising(pair.model, pair.guide, seen, corrupt, particles=4).shape == (6,)
    assert shapes == [(4, 6, 5)]


def test_masking_sets_numbers_to_nothing():
    torch.manual_seed(0)
    found = masked(0.25)(torch.full((40_000,), 3.0))
    assert set(found.tolist()) == {0.0, 3.0}
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=5 * math.sqrt(0.25 * 0.75 / 40_000))


def test_corruptions_that_are_none_are_refused():
    with pytest.raises(PlanError, match=r"masked: share is 1\.5, expected 0 to 1\."):
        masked(1.5)
    with pytest.raises(PlanError, match=r"noisy: deviation is -0\.3, expected 0 or more, in the units of x\."):
        noisy(-0.3)


def test_it_is_a_phase():
    assert repr(maximised(linear(torch.eye(3)), partial(denoising, corrupt=noisy(0.1)))).startswith("Phase(denoising:")


def test_particles_are_counted_from_one():
    pair = linear(torch.eye(3))
    with pytest.raises(PlanError, match=r"denoising: particles is 0, expected 1 or more\."):
        denoising(pair.model, pair.guide, {"x": X}, noisy(1.0), 0)
