"""Flows as posteriors beside zuko's own density, and beside a posterior that is no Gaussian."""

import builtins
import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import pgm
from deepgen.conditionals import Standard, flow
from deepgen.conditionals.flow import Remembered
from deepgen.networks import mlp
from deepgen.objectives import dreg, elbo, iwae, reinforce, reweighted_wake, vimco
from deepgen.pair import DRAWS, centre
from deepgen.testing import pyro_bound, pyro_trained
from deepgen.zoo.vae import vae
from pgm import Binary, GraphError, Model, Neural, PlanError, Real, Variable

Z, X = Variable("z", Real(3)), Variable("x", Real(2))


def conditional() -> tuple[pgm.Conditional, Tensor]:
    torch.manual_seed(0)
    made = flow(transforms=3, hidden=[16], features=8)(Z, [X], mlp(8))
    return made, torch.randn(5, 2)


@pytest.mark.parametrize("shape", [[], [4]])
def test_the_density_that_comes_with_a_draw_is_the_flows_own(shape):
    made, x = conditional()
    distribution = made.distribution(x)
    value = distribution.rsample(torch.Size(shape))
    torch.testing.assert_close(distribution.log_prob(value), made.log_prob(x, value.clone()), atol=1e-4, rtol=1e-4)


def test_it_is_remembered_for_that_draw_only_also_when_expanded():
    made, x = conditional()
    distribution = made.distribution(x)
    first = distribution.expand([4, 5]).rsample()
    kept = distribution.log_prob(first)
    assert kept is distribution.log_prob(first)
    second = distribution.expand([4, 5]).rsample()
    assert distribution.log_prob(second) is not kept
    torch.testing.assert_close(distribution.log_prob(first), kept, atol=1e-4, rtol=1e-4)


def test_gradients_of_a_density_that_is_remembered_are_those_of_one_that_is_computed():
    """Along a draw both are differentiated, the value and its density."""
    made, x = conditional()

    def gradients(again: bool) -> list[Tensor]:
        torch.manual_seed(1)
        distribution = made.distribution(x)
        value = distribution.rsample()
        density = made.distribution(x).log_prob(value) if again else distribution.log_prob(value)
        return list(torch.autograd.grad(density.sum(), [*made.parameters()]))

    torch.testing.assert_close(gradients(True), gradients(False), atol=2e-3, rtol=2e-3)


def test_the_density_integrates_to_one():
    torch.manual_seed(0)
    plane = flow(hidden=[8], features=4)(Variable("z", Real(2)), [X], mlp(4))
    axis = torch.linspace(-9, 9, 181)
    density = plane.log_prob(torch.tensor([0.3, -1.0]), torch.cartesian_prod(axis, axis)).exp()
    assert density.sum().item() * 0.1**2 == pytest.approx(1, abs=1e-4)  # smooth and 0 at the edges: errors vanish


def test_its_centre_is_the_mean_of_the_same_draws_whenever_it_is_asked_for():
    made, x = conditional()
    before = torch.get_rng_state()
    with torch.no_grad():
        found, again = centre(made, x), centre(made, x)
        assert torch.equal(found, again)
        assert torch.equal(torch.get_rng_state(), before)
        draws = made.distribution(x).sample([20_000])
    error = draws.std(0) * math.sqrt(1 / DRAWS + 1 / 20_000)
    assert bool(((found - draws.mean(0)).abs() < 5 * error).all())


class Banana(nn.Module):
    """The mean of x: z2 - z1 squared."""

    def forward(self, z: Tensor) -> Tensor:
        return z[..., 1:] - z[..., :1].square()


DEVIATION = 0.2  # of x, which is seen to be 0


@pytest.fixture(scope="module")
def bent():
    """The bound of a trained flow where the posterior is a banana, and its standard error."""
    torch.manual_seed(0)
    z, x = Variable("z", Real(2)), Variable("x", Real(1))
    model = Model(Standard(z), Neural(x, [z], lambda mean: Normal(mean, DEVIATION, validate_args=False), Banana()))
    guide = Model(flow(transforms=1, hidden=[32], features=4)(z, [x], mlp()))
    adam = torch.optim.Adam(guide.parameters(), 3e-2)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 200)
    for _ in range(200):
        adam.zero_grad()
        (-elbo(model, guide, {"x": torch.zeros(50, 1)}).mean()).backward()
        adam.step()
        slower.step()
    with torch.no_grad():
        each = elbo(model, guide, {"x": torch.zeros(20_000, 1)}).double()
    return each.mean().item(), standard_error(each).item()


def best_gaussian() -> float:
    """The largest bound of independent Gaussians, in closed form but for its maximisation."""
    mean, log_deviation = (torch.full([2], 0.1, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def bound() -> Tensor:
        (m1, m2), (v1, v2) = mean, (2 * log_deviation).exp()
        fourth = m1**4 + 6 * m1**2 * v1 + 3 * v1**2
        squared = m2**2 + v2 - 2 * m2 * (m1**2 + v1) + fourth  # E (z2 - z1^2)^2
        divergence = 0.5 * (mean.square().sum() + v1 + v2 - 2 - 2 * log_deviation.sum())
        return -0.5 * math.log(2 * math.pi * DEVIATION**2) - squared / (2 * DEVIATION**2) - divergence

    lbfgs = torch.optim.LBFGS([mean, log_deviation], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        lbfgs.zero_grad()
        (found := -bound()).backward()
        return found

    lbfgs.step(loss)
    return bound().item()


def test_where_the_posterior_is_bent_a_flow_is_tighter_than_any_gaussian(bent):
    bound, error = bent
    assert bound - 5 * error > best_gaussian()


def test_its_bound_lies_below_the_evidence_by_quadrature(bent):
    bound, error = bent
    axis = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    joint = Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(Banana()(z)[:, 0], DEVIATION).log_prob(torch.zeros(()))
    exact = joint.logsumexp(0).item() + 2 * math.log(0.01)
    assert best_gaussian() < exact
    assert bound < exact + 5 * error


def standard_error(x: Tensor) -> Tensor:
    return x.std() / math.sqrt(len(x))


def small() -> tuple:
    torch.manual_seed(0)
    label = Variable("label", range(3))
    pair = vae(
        Variable("x", Binary(5)), 2, label=label, encoder=mlp(8), decoder=mlp(8), posterior=flow(hidden=[8], features=8)
    )
    return pair, {"x": torch.rand(6, 5).round(), "label": torch.tensor([0, 1, 2, 0, 1, 2])}


def test_its_bound_is_pyros():
    pair, seen = small()
    theirs, error = pyro_bound(pair, seen, 50)
    with torch.no_grad():
        ours = torch.stack([elbo(pair.model, pair.guide, seen).sum() for _ in range(250)])
    assert abs(ours.mean().item() - theirs) < 5 * math.hypot(error, standard_error(ours).item())


def test_plain_pyro_trains_it():
    pair, seen = small()
    losses = pyro_trained(pair, seen, steps=40, rate=3e-2)
    assert sum(losses[-20:]) < sum(losses[:20])


def test_doubly_reparameterised_gradients_have_the_bounds_value():
    pair, seen = small()
    bounds = []
    for objective in (iwae, dreg):
        torch.manual_seed(3)
        bounds.append(objective(pair.model, pair.guide, seen, 4))
    torch.testing.assert_close(*bounds, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("objective", [reinforce, vimco, reweighted_wake])
def test_draws_without_gradients_leave_the_density_its_own(objective, monkeypatch):
    """The gradients of the guide are those of a flow that remembers nothing."""
    pair, seen = small()
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        total = objective(pair.model, pair.guide, seen, 4).sum()
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(total, [*pair.guide.parameters()])]))
        monkeypatch.setattr(Remembered, "log_prob", lambda made, value: made.made.log_prob(value))
    assert found[0].abs().max() > 0
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-3)


def test_it_is_of_numbers_in_a_row():
    with pytest.raises(GraphError, match=r"flow\(x\): it is Binary\(5\), expected Real\(n\); use neural\."):
        flow()(Variable("x", Binary(5)), [Z], mlp())


def test_without_zuko_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "zuko":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PlanError, match=r"flow: it is made by zuko; pip install 'pgm-deepgen\[deepgen\]'\."):
        flow()
