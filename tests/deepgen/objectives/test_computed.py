"""A guide that computes features of its own says the same as one whose networks contain them."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from deepgen.conditionals import Standard
from deepgen.objectives import dreg, elbo, iwae, reweighted_wake, sleep
from deepgen.pair import Pair
from pgm import Deterministic, LinearGaussian, Model, Neural, Real, Variable, normal

X, Z, FEATURES = Variable("x", Real(3)), Variable("z", Real(2)), Variable("features", Real(4))
SEEN = {"x": torch.randn(5, 3, generator=torch.Generator().manual_seed(0))}


@pytest.fixture
def pairs() -> tuple[Pair, Pair]:
    """One model with two guides that share their networks."""
    torch.manual_seed(0)
    features, head = nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Linear(4, 4)
    model = Model(Standard(Z), Neural(X, [Z], normal, nn.Linear(2, 6)))
    apart = Model(Deterministic(FEATURES, [X], features), Neural(Z, [FEATURES], normal, head))
    return Pair(model, apart), Pair(model, Model(Neural(Z, [X], normal, nn.Sequential(features, head))))


def gradients(pair: Pair, objective) -> list[Tensor]:
    torch.manual_seed(1)
    found = objective(pair.model, pair.guide).mean()
    parameters = [*pair.model.parameters(), *pair.guide.parameters()]
    return [found.detach(), *torch.autograd.grad(found, parameters, allow_unused=True, materialize_grads=True)]


@pytest.mark.parametrize("objective", [elbo, iwae, dreg, reweighted_wake])
def test_bounds_and_gradients_are_those_of_one_network(pairs, objective):
    first, second = (gradients(pair, partial(_seen, objective)) for pair in pairs)
    torch.testing.assert_close(first, second)


def test_sleep_is_that_of_one_network(pairs):
    first, second = (gradients(pair, partial(sleep, rows=7)) for pair in pairs)
    torch.testing.assert_close(first, second)


def test_features_are_no_latents_of_the_pair(pairs):
    assert (pairs[0].latents, pairs[0].observed) == ((Z,), (X,))
    assert set(pairs[0].infer(SEEN)) == {"x", "features", "z"}


def test_a_drawn_variable_of_the_guide_alone_is_refused(pairs):
    other = Model(LinearGaussian(FEATURES, [X], torch.zeros(3, 4), torch.zeros(4), torch.eye(4)))
    with pytest.raises(ValueError, match="all of them variables of the model unless computed"):
        elbo(pairs[0].model, other, SEEN)


def _seen(objective, model: Model, guide: Model) -> Tensor:
    return objective(model, guide, SEEN)
