"""What flow matching learns from."""

from itertools import permutations

import pytest
import torch

from deepgen import adam, arrays, cosine, fit
from deepgen.networks.timed import timed_mlp
from deepgen.training.phase import Moment
from deepgen.zoo.flow_matching import flow_matching, matched
from deepgen.zoo.flow_matching.learning import nearest_pairs, spread, times
from pgm import Real, Variable

X, NOW = Variable("x", Real(2)), Moment(0, 0, 0.0)


def test_times_are_spread_evenly():
    torch.manual_seed(0)
    drawn = torch.stack([times(8, torch.device("cpu")) for _ in range(500)])
    assert bool(((drawn.sort(1).values * 8).floor() == torch.arange(8)).all())
    assert abs(drawn[:, 0].mean().item() - 0.5) < 5 * (1 / 12 / 500) ** 0.5
    assert abs((drawn * 8 % 1)[:, 0].mean().item() - 0.5) < 5 * (1 / 12 / 500) ** 0.5


def test_the_loss_of_standing_still_is_what_there_is_to_move():
    """E |data - (1 - s) noise|^2 a number of x = variance and square of the data + (1 - s)^2."""
    model = flow_matching(X, timed_mlp(4), smallest=0.2)
    with torch.no_grad():
        for parameter in model.velocity.net.last.parameters():
            parameter.zero_()
    torch.manual_seed(0)
    loss = matched(model).objective({"x": torch.full((4_000, 2), 3.0)}, NOW)["loss"].detach()
    assert abs(loss.mean() - (9 + 0.64)) < 5 * loss.std() / 4_000**0.5


def test_an_optimal_coupling_is_the_nearest_of_all():
    torch.manual_seed(0)
    data, noise = torch.randn(5, 2), torch.randn(5, 2)
    costs = {order: (data - noise[list(order)]).square().sum().item() for order in permutations(range(5))}
    assert tuple(nearest_pairs(data, noise).tolist()) == min(costs, key=costs.__getitem__)


def test_shades_are_spread_evenly_around_themselves():
    torch.manual_seed(0)
    found = spread(torch.zeros(4000, 2), 5)
    assert found.abs().max() <= 0.25
    assert abs(found.var().item() - 0.5**2 / 12) < 0.002  # five standard errors: 0.5^2 sqrt(1 / 180 / 8,000) 5 = 0.001
    assert torch.equal(spread(found, None), found)


def test_points_on_a_line_are_learned():
    """Data at two of four corners, each as often: so are nearly all samples."""
    data = arrays("two points", x=torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).repeat(64, 1))
    torch.manual_seed(0)
    model = flow_matching(X, timed_mlp(32, 32))
    phase = matched(model, "optimal", optimiser=adam(5e-3), rate=cosine(200))
    fit(phase, data, turns=200, batch=64, device="cpu", progress=False)
    corners = model.sample(500, steps=10, seed=0).sign()
    assert (corners.sum(1) == 0).float().mean() > 0.95
    assert abs((corners[:, 0] > 0).float().mean() - 0.5) < 5 * (0.25 / 500) ** 0.5


def test_refusals():
    with pytest.raises(ValueError, match="coupling is 'best', expected 'independent' or 'optimal'"):
        matched(flow_matching(X), "best")
    with pytest.raises(ValueError, match="an optimal coupling would tie noise to label; expected coupling='independ"):
        matched(flow_matching(X, label=Variable("label", range(2))), "optimal")
