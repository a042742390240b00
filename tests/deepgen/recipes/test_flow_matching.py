"""The recipe of flow matching: points of unit variance, shades as a bound."""

from math import log

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from deepgen import Data
from deepgen.recipes.flow_matching import FlowMatching, likelihood
from deepgen.zoo.flow_matching import FlowMatching as Model
from deepgen.zoo.flow_matching import Velocity
from pgm import Real, Variable


class Still(nn.Module):
    """No velocity anywhere."""

    def forward(self, now: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return 0 * now


def test_points_have_unit_variance_and_held_out_ones_are_moved_alike():
    recipe = FlowMatching(data="grid")
    train, held = recipe.load()["x"], recipe.load("test")["x"]
    assert abs(train.square().mean().item() - 1) < 1e-4
    assert train.mean(0).abs().max() < 1e-4
    assert 1e-6 < abs(held.square().mean().item() - 1) < 0.05
    places = torch.cat([train, held])[:, 0]
    assert len(places.mul(2**0.5).round().unique()) == 5  # modes of both are at the same places


def test_figures_of_standing_still_are_those_of_noise():
    """Of numbers the density is the prior's; of two shades that are spread over [-2, 2] its mean in the bins."""
    points = Data({"x": torch.tensor([[0.5, -1.0], [0.0, 2.0]])}, "points")
    x = points.variable("x")
    (figure,) = likelihood(Model(x, Velocity(Still())), points, steps=1)
    assert figure.value == pytest.approx(Normal(0.0, 1.0).log_prob(points["x"]).sum(1).mean().item(), abs=1e-5)
    assert (figure.side, figure.unit) == ("estimate", "nats")

    shades = Data({"x": torch.tensor([[1.0, -1.0]]).repeat(4000, 2)}, "shades")
    nats, bits = likelihood(Model(Variable("x", Real(4)), Velocity(Still()), levels=2), shades, steps=1)
    bound = 4 * (log(2) - 0.5 * log(2 * torch.pi) - 0.5 * 4 / 3)  # E u^2 = 4 / 3 evenly over [0, 2]
    assert abs(nats.value - bound) < 5 * nats.error
    assert (nats.side, bits.side) == ("lower bound", "upper bound")
    assert bits.value == pytest.approx(-nats.value / 4 / log(2))


def test_guidance_needs_labels():
    with pytest.raises(ValueError, match="guidance is 1, which needs labels=True while training"):
        FlowMatching(guidance=1.0)
    with pytest.raises(ValueError, match="guidance is 1, which needs dropped above 0"):
        FlowMatching(guidance=1.0, labels=True, dropped=0.0)
