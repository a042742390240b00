"""The mixture VAE beside the sum over clusters written out, quadrature, and Pyro's enumeration."""

import math
from itertools import product

import pytest
import torch
from pyro.infer import TraceEnum_ELBO
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from deepgen.networks import mlp
from deepgen.objectives import elbo, log_weights
from deepgen.zoo.mixture import memberships, mixture_vae
from pgm import Binary, Real, Variable, as_pyro

LABEL, CLUSTERS = Variable("label", range(2)), 4
SEEN = {
    "x": torch.rand(6, 5, generator=torch.Generator().manual_seed(0)).round(),
    "label": torch.tensor([0, 1, 1, 0, 1, 0]),
}


def made(domain=None, label=None, latents=2):
    torch.manual_seed(0)
    x = Variable("x", domain or Binary(5))
    return mixture_vae(x, CLUSTERS, latents, label=label, encoder=mlp(8), decoder=mlp(8))


def written_out(pair, seen) -> Tensor:
    """log sum_c p(c) N(z; mean_c, deviation_c) + log p(x | z) - log q(z | x), one draw a row."""
    given = [seen["label"]] if pair.given else []
    conditionals, rows = pair.model.conditionals, len(seen["x"])
    q = pair.guide.conditionals["z"].distribution(seen["x"], *given)
    z = q.rsample()
    parts = []
    for c in range(CLUSTERS):
        at = torch.full((rows,), c)
        weight = conditionals["cluster"].distribution(*given).logits.log_softmax(-1)[..., c]
        parts.append(weight + conditionals["z"].distribution(at, *given).log_prob(z))
    likelihood = conditionals["x"].distribution(z, *given).log_prob(seen["x"])
    return torch.stack(parts).exp().sum(0).log() + likelihood - q.log_prob(z)


def with_gradients(pair, value) -> tuple:
    torch.manual_seed(1)
    total = value()
    return (total, *torch.autograd.grad(total, [p for m in pair.modules.values() for p in m.parameters()]))


@pytest.mark.parametrize("domain", [Binary(5), Real(5)])
@pytest.mark.parametrize("label", [None, LABEL])
def test_bound_and_gradient_are_those_of_the_sum_written_out(domain, label):
    pair = made(domain, label)
    seen = pair.seen(SEEN)
    ours = with_gradients(pair, lambda: elbo(pair.model, pair.guide, seen).sum())
    torch.testing.assert_close(ours, with_gradients(pair, lambda: written_out(pair, seen).sum()))


@pytest.mark.parametrize("label", [None, LABEL])
def test_bound_and_gradient_are_pyros(label):
    pair = made(label=label)
    seen = pair.seen(SEEN)
    program, proposal = as_pyro(pair.model, given=seen), as_pyro(pair.guide, given=seen)
    bound = TraceEnum_ELBO(max_plate_nesting=1)
    ours = with_gradients(pair, lambda: elbo(pair.model, pair.guide, seen).sum())
    torch.testing.assert_close(ours, with_gradients(pair, lambda: -bound.differentiable_loss(program, proposal)))


def test_plain_pyro_trains_it():
    pair = made(label=LABEL)
    bound = TraceEnum_ELBO(max_plate_nesting=1)(as_pyro(pair.model, given=SEEN), as_pyro(pair.guide, given=SEEN))
    adam, losses = torch.optim.Adam(bound.parameters(), 3e-2), []
    for _ in range(40):
        adam.zero_grad()
        loss = bound()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < sum(losses[:10])


def test_weights_average_to_the_evidence_by_quadrature():
    """p(x) of all images of two pixels is a sum over clusters and a fine grid of z."""
    pair = made(Binary(2), latents=1)
    z = torch.linspace(-12, 12, 2401)[:, None]
    conditionals = pair.model.conditionals
    shares = conditionals["cluster"].distribution().probs
    density = conditionals["z"].distribution
    prior = sum(shares[c] * density(torch.tensor(c)).log_prob(z).exp() for c in range(CLUSTERS))
    x = torch.tensor(list(product([0.0, 1.0], repeat=2)))
    exact = (prior[:, None] * conditionals["x"].distribution(z[:, None]).log_prob(x).exp()).sum(0) * 0.01
    exact = exact.detach()  # [images]
    assert exact.sum().item() == pytest.approx(1, abs=1e-4)
    list(pair.guide.parameters())[-1].data[1] += 1.0  # wider than the posterior, so that weights have a variance
    seen = {"x": x.expand(5000, 4, 2)}
    with torch.no_grad():
        weights = log_weights(pair.model, pair.guide, seen)[0].double().exp()
        bound = elbo(pair.model, pair.guide, seen).double().mean(0)
    assert bool(((weights.mean(0) - exact).abs() < 5 * weights.std(0) / math.sqrt(5000)).all())
    assert bool((bound < exact.log()).all())


@pytest.mark.parametrize("label", [None, LABEL])
def test_memberships_are_bayes_rule(label):
    pair = made(label=label)
    values = pair.infer(pair.seen(SEEN))
    given = [SEEN["label"]] if label else []
    joint = []
    for c in range(CLUSTERS):
        at = Normal(*_gaussian(pair, c, given))
        prior = pair.model.conditionals["cluster"].net(*_hot(given)).softmax(-1)[..., c]
        joint.append(prior * at.log_prob(values["z"]).sum(-1).exp())
    expected = torch.stack(joint, -1)
    torch.testing.assert_close(memberships(pair, values), (expected / expected.sum(-1, keepdim=True)).detach())


def _hot(given):
    return [torch.nn.functional.one_hot(each, 2).float() for each in given]


def _gaussian(pair, c, given):
    rows = torch.zeros(6, CLUSTERS)
    rows[:, c] = 1
    mean, log_deviation = pair.model.conditionals["z"].net(rows, *_hot(given)).chunk(2, -1)
    return mean, log_deviation.exp()


def test_samples_of_a_cluster():
    pair = made(label=LABEL)
    given = {"cluster": torch.tensor([0, 1, 2]), "label": torch.tensor([0, 0, 1])}
    values = pair.sample(3, given, seed=0)
    assert values["cluster"].tolist() == [0, 1, 2]
    assert isinstance(pair.model.conditionals["x"].distribution(values["z"], values["label"]).base_dist, Bernoulli)
    assert [[v.name for v in part] for part in (pair.observed, pair.latents, pair.given)] == [["x"], ["z"], ["label"]]
