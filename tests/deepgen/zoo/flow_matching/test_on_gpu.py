"""Flow matching on a GPU: everything happens where the model is, and comes out as on the CPU."""

import pytest
import torch

from deepgen.networks.timed import timed_mlp
from deepgen.training.phase import Moment
from deepgen.zoo.flow_matching import flow_matching, matched
from pgm import Real, Variable

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("options", [{}, {"steps": 5}, {"steps": 5, "probes": 2, "seed": 0}])
def test_densities_and_ways_are_those_of_the_cpu(options):
    torch.manual_seed(0)
    model = flow_matching(Variable("x", Real(2)), timed_mlp(16), label=Variable("label", range(3)))
    batch, found = {"x": torch.randn(6, 2), "label": torch.arange(6) % 3}, []
    for device in ("cpu", "cuda"):
        model.velocity.to(device)
        there = {name: value.to(device) for name, value in batch.items()}
        density = model.log_prob(there, **{**options, "probes": None})
        way = model.carried(there["x"], there, begin=1.0, end=0.0, steps=options.get("steps"))
        assert model.log_prob(there, **options).device.type == device
        found.append([density.cpu(), way.cpu()])
    torch.testing.assert_close(*found, atol=1e-3, rtol=1e-3)


def test_draws_and_losses_are_there():
    model = flow_matching(Variable("x", Real(2)), timed_mlp(8), levels=3)
    model.velocity.to("cuda")
    drawn = model.sample(4, steps=3, known=torch.zeros(4, 2), mask=torch.tensor([1, 0]), seed=0)
    loss = matched(model, "optimal").objective({"x": drawn}, Moment(0, 0, 0.0))["loss"]
    assert drawn.device.type == loss.device.type == "cuda"
