"""The variational autoencoder beside Pyro, and beside probabilistic principal components."""

import math
from functools import partial

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor
from torch.distributions import MultivariateNormal

from deepgen import adam, arrays, cosine, fit, variational
from deepgen.conditionals import Isotropic
from deepgen.networks import convolutional, mlp
from deepgen.objectives import elbo, elbo_terms, iwae, log_weights
from deepgen.pair import Pair
from deepgen.testing import pyro_bound, pyro_trained
from deepgen.zoo.vae import vae
from pgm import Binary, Real, Variable, log_evidence, probabilistic_pca

QUIET = {"device": "cpu", "progress": False}
LABEL = Variable("label", range(3))
SEEN = {
    "x": torch.rand(6, 5, generator=torch.Generator().manual_seed(0)).round(),
    "label": torch.tensor([0, 1, 2, 0, 1, 2]),
}


def made(domain, label=None) -> Pair:
    torch.manual_seed(0)
    return vae(Variable("x", domain), 2, label=label, encoder=mlp(8), decoder=mlp(8))


@pytest.mark.parametrize("domain", [Binary(5), Real(5)])
@pytest.mark.parametrize("label", [None, LABEL])
def test_bound_is_pyros(domain, label):
    pair = made(domain, label)
    seen = pair.seen(SEEN)
    theirs, error = pyro_bound(pair, seen, 50)
    ours = elbo(pair.model, pair.guide, seen, 4000).sum(-1)
    assert abs(ours.item() - theirs) < 5 * error  # our own error is a third of theirs, the KL being in closed form


def test_plain_pyro_trains_it():
    losses = pyro_trained(made(Binary(5), LABEL), SEEN, steps=40, rate=3e-2)
    assert sum(losses[-20:]) < sum(losses[:20])


def test_what_is_observed_latent_and_given_follows_from_the_graphs():
    pair = made(Binary(5), LABEL)
    assert [[v.name for v in part] for part in (pair.observed, pair.latents, pair.given)] == [["x"], ["z"], ["label"]]


def test_samples_follow_their_label():
    pair = made(Binary(5), LABEL)
    values = pair.sample(4, {"label": torch.tensor([0, 1, 2, 0])}, seed=0)
    again = pair.sample(4, {"label": torch.tensor([1, 1, 2, 0])}, seed=0)
    changed = (pair.means(values)["x"] != pair.means(again)["x"]).any(-1)
    assert changed.tolist() == [True, False, False, False]


def hand_written(pair: Pair, weight: float):
    """A Pyro model and guide that use the same networks, with z's terms weighted by `poutine.scale`."""
    decoder, encoder = (module.conditionals[name].net for module, name in ((pair.model, "x"), (pair.guide, "z")))

    def model(x):
        with pyro.plate("rows", len(x)):
            with poutine.scale(scale=weight):
                z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 2), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=x)

    def guide(x):
        mean, log_deviation = encoder(x).chunk(2, -1)
        with pyro.plate("rows", len(x)), poutine.scale(scale=weight):
            pyro.sample("z", dist.Normal(mean, log_deviation.exp()).to_event(1))

    return model, guide


def with_gradients(pair: Pair, value):
    torch.manual_seed(1)
    total = value()
    return (total, *torch.autograd.grad(total, [p for m in pair.modules.values() for p in m.parameters()]))


def pyros(pair: Pair, weight: float):
    x = SEEN["x"]
    bound = TraceMeanField_ELBO()
    return with_gradients(pair, lambda: -bound.differentiable_loss(*hand_written(pair, weight), x))


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_the_weight_of_the_divergence_is_pyros_scale(beta):
    pair = made(Binary(5))
    terms = partial(elbo_terms, pair.model, pair.guide, {"x": SEEN["x"]})
    torch.testing.assert_close(with_gradients(pair, lambda: terms().bound(beta).sum()), pyros(pair, beta))


@pytest.mark.parametrize("enough", [True, False])
def test_free_nats_are_a_constant_until_they_are_used_up(enough):
    """Below the threshold the divergence has no weight, above it the bound is unchanged."""
    pair = made(Binary(5))
    terms = partial(elbo_terms, pair.model, pair.guide, {"x": SEEN["x"]})
    spent = terms().divergence["z"].mean().item()
    free = 3 * spent if enough else spent / 3
    value, *gradients = with_gradients(pair, lambda: terms().bound(free=free).sum())
    theirs, *expected = pyros(pair, 1e-12 if enough else 1.0)  # it takes no 0
    torch.testing.assert_close(value, theirs - 6 * free * enough)
    torch.testing.assert_close(gradients, expected)


SIZE, FACTORS, ROWS = 5, 2, 100


def points() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    loadings = torch.randn(FACTORS, SIZE, generator=generator) * torch.tensor([[2.0], [1.0]])
    noise = 0.5 * torch.randn(ROWS, SIZE, generator=generator)
    return (torch.randn(ROWS, FACTORS, generator=generator) @ loadings + noise) / 2 + 0.5


def linear_vae() -> Pair:
    torch.manual_seed(0)
    return vae(Variable("x", Real(SIZE)), FACTORS, encoder=mlp(), decoder=mlp(), family=Isotropic())


def exact_maximum(x: Tensor) -> float:
    """The mean log-likelihood at the maximum: Tipping and Bishop's closed form, from eigenvalues alone."""
    values = torch.linalg.eigvalsh(torch.cov(x.double().mT, correction=0)).flip(0)
    left = values[FACTORS:].mean()
    logs = values[:FACTORS].log().sum() + (SIZE - FACTORS) * left.log()
    return -0.5 * (SIZE * math.log(2 * math.pi) + logs.item() + SIZE)


def marginal(pair: Pair, x: Tensor) -> float:
    """The mean of log N(x; b, W W' + deviation^2 I) of a linear VAE."""
    conditional = pair.model.conditionals["x"]
    weights, bias = (p.detach().double() for p in conditional.net.parameters())
    width = conditional.family.log_deviation.detach().double().exp()
    covariance = weights @ weights.mT + width**2 * torch.eye(SIZE).double()
    return MultivariateNormal(bias, covariance).log_prob(x.double()).mean().item()


def test_a_linear_gaussian_one_learns_probabilistic_pca():
    """Exactly: its likelihood is at the closed-form maximum, and its bound, being tight, too (Lucas et al. 2019).

    Random draws make gradients noisy; the learning rate falls to 0, and what is left of a nat is below two thousandths
    of the likelihood, and, the guide being last to settle, below fifteen of the bound.
    """
    x, pair = points(), linear_vae()
    rate = cosine(500)
    fit(variational(pair, particles=4, optimiser=adam(5e-2), rate=rate), arrays(x=x), turns=500, batch=ROWS, **QUIET)
    exact = exact_maximum(x)
    library = probabilistic_pca(Variable("z", Real(FACTORS)), Variable("x", Real(SIZE)), x)
    assert log_evidence(library, given={"x": x.double()}).mean().item() == pytest.approx(exact, abs=1e-9)
    assert exact - 2e-3 < marginal(pair, x) < exact + 1e-5
    with torch.no_grad():
        bounds = log_weights(pair.model, pair.guide, {"x": x}, 400).double().mean(1)
    error = bounds.std().item() / math.sqrt(400)
    assert exact - 0.015 < bounds.mean().item() < exact + 5 * error


def test_at_that_maximum_every_draw_gives_the_exact_log_likelihood():
    """The loadings are orthogonal, so that the exact posterior is a guide of independent Gaussians."""
    x, pair = points(), linear_vae()
    library = probabilistic_pca(Variable("z", Real(FACTORS)), Variable("x", Real(SIZE)), x)
    fitted = library.conditionals["x"].regression()
    variance = fitted.scale[0, 0] ** 2
    inverse = torch.linalg.inv(fitted.weights @ fitted.weights.mT + variance * torch.eye(FACTORS))  # diagonal
    conditional, gain = pair.model.conditionals["x"], inverse @ fitted.weights
    values = [fitted.weights.mT, fitted.bias, variance.log() / 2]
    weights = torch.cat([gain, torch.zeros_like(gain)])
    biases = torch.cat([-gain @ fitted.bias, (variance * inverse.diagonal()).log() / 2])
    with torch.no_grad():
        parameters = [*conditional.net.parameters(), conditional.family.log_deviation, *pair.guide.parameters()]
        for parameter, value in zip(parameters, [*values, weights, biases], strict=True):
            parameter.copy_(value)
        found = log_weights(pair.model, pair.guide, {"x": x}, 7)
    torch.testing.assert_close(found, found[:1].expand(7, -1), atol=1e-4, rtol=0)
    assert found.double().mean().item() == pytest.approx(exact_maximum(x), abs=1e-5)


def test_more_draws_bound_more_tightly():
    """On average; each mean is of 4000 rows that are alike."""
    pair = made(Binary(5))
    seen = {"x": SEEN["x"][:1].expand(4000, 5)}
    with torch.no_grad():
        rows = [iwae(pair.model, pair.guide, seen, k).double() for k in (1, 5, 50)]
    means, errors = [r.mean().item() for r in rows], [r.std().item() / math.sqrt(4000) for r in rows]
    assert means[0] + 5 * errors[0] < means[1] - 5 * errors[1]
    assert means[1] + 5 * errors[1] < means[2] - 5 * errors[2]


def test_a_shape_of_the_code_or_as_many_numbers_is_the_same_model():
    x = Variable("x", Real(3))
    bounds = []
    for latents in (4, (4,)):
        torch.manual_seed(0)
        pair = vae(x, latents)
        bounds.append(elbo(pair.model, pair.guide, {"x": torch.ones(5, 3)}))
    assert torch.equal(*bounds)
    network = convolutional(4)
    assert vae(Variable("image", Real(8, 8)), (2, 4, 4), encoder=network, decoder=network).latents[0].shape == (2, 4, 4)
