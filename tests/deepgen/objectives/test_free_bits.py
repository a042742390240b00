"""Free bits and warm-up in the bound that is trained: max(free, mean divergence) for each latent variable."""

import pytest
import torch
from torch import Tensor

from deepgen.networks import mlp
from deepgen.objectives import Terms, elbo_terms
from deepgen.pair import Pair
from deepgen.phases import variational
from deepgen.training.phase import Moment
from deepgen.training.schedules import linear
from deepgen.zoo.ladder import ladder_vae
from pgm import Binary, Variable

SEEN = {"x": torch.rand(16, 5, generator=torch.Generator().manual_seed(0)).round()}


@pytest.fixture
def pair() -> Pair:
    torch.manual_seed(0)
    return ladder_vae(Variable("x", Binary(5)), [3, 2], upward=4, encoder=mlp(6), decoder=mlp(6))


def terms(pair: Pair) -> Terms:
    torch.manual_seed(1)
    return elbo_terms(pair.model, pair.guide, SEEN)


def gradient(pair: Pair, value: Tensor) -> list[Tensor]:
    parameters = list({id(p): p for m in (pair.model, pair.guide) for p in m.parameters()}.values())
    return list(torch.autograd.grad(value, parameters, materialize_grads=True))


def test_the_batch_pays_the_larger_of_what_is_free_and_what_each_level_costs(pair: Pair) -> None:
    found = terms(pair)
    costs = {name: each.mean().item() for name, each in found.divergence.items()}
    between = sum(costs.values()) / 2
    assert min(costs.values()) < between < max(costs.values())
    expected = found.reconstruction.mean().item() - sum(max(between, cost) for cost in costs.values())
    assert found.bound(free=between).mean().item() == pytest.approx(expected, rel=1e-6)


def test_below_what_is_free_a_level_has_no_gradient_and_above_it_the_usual_one(pair: Pair) -> None:
    costs = {name: each.mean().item() for name, each in terms(pair).divergence.items()}
    cheap, dear = sorted(costs, key=lambda name: costs[name])
    between = sum(costs.values()) / 2
    found = terms(pair)
    with_free = gradient(pair, found.bound(free=between).mean())
    found = terms(pair)
    without_cheap = gradient(pair, (found.reconstruction - found.divergence[dear]).mean())
    torch.testing.assert_close(with_free, without_cheap, atol=1e-7, rtol=1e-5)
    found = terms(pair)
    only_reconstruction = gradient(pair, found.reconstruction.mean())
    found = terms(pair)
    torch.testing.assert_close(gradient(pair, found.bound(free=1e3).mean()), only_reconstruction, atol=1e-6, rtol=1e-4)
    assert cheap != dear


def test_the_weight_of_divergences_follows_its_schedule(pair: Pair) -> None:
    phase = variational(pair, beta=linear(0.0, 1.0, 10))
    for step, beta in ((0, 0.0), (5, 0.5), (20, 1.0)):
        torch.manual_seed(1)
        recorded = phase.objective(SEEN, Moment(step, step, 0.0))
        found = terms(pair)
        expected = -(found.reconstruction - beta * sum(found.divergence.values()))
        torch.testing.assert_close(recorded["loss"], expected)
        assert set(recorded) == {"loss", "reconstruction", "kl of z2", "kl of z1"}
