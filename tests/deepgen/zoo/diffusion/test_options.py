"""Diffusion with the options of training and of sampling: short floats, compiled networks, dropout, resuming."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepgen import arrays, fit
from deepgen.networks.timed import timed_mlp
from deepgen.networks.unet import unet
from deepgen.training.compiled import networks
from deepgen.training.phase import Moment
from deepgen.zoo.diffusion import Diffusion, cosine_noise, denoised, diffusion, optimal_variance
from deepgen.zoo.diffusion.bound import sampled_costs
from deepgen.zoo.flow_matching import flow_matching
from pgm import Real, Variable

X = Variable("x", Real(2))
DATA = arrays("points", x=torch.randn(32, 2, generator=torch.Generator().manual_seed(0)).clamp(-1, 1))
OPTIONS = {"batch": 8, "every": 3, "device": "cpu", "seed": 1, "progress": False}


def made(seed: int = 0, **options) -> Diffusion:
    torch.manual_seed(seed)
    return diffusion(X, timed_mlp(8, 8), noise=cosine_noise(10), **options)


def weights(model: Diffusion) -> Tensor:
    return nn.utils.parameters_to_vector(model.denoiser.parameters()).detach()


@pytest.mark.parametrize(
    ("goal", "predicts", "variance"),
    [("simple", "v", "posterior"), ("bound", "mean", "added"), ("hybrid", "noise", "learned")],
)
def test_short_floats_are_the_networks_alone(goal, predicts, variance):
    """What a network says is rounded to 8 bits; nothing that follows, and no schedule, is."""
    model = made(predicts=predicts, variance=variance)
    exact = deepcopy(model.denoiser.net)
    model.denoiser.net = Rounded(exact)
    found = []
    for short in (True, False):
        torch.manual_seed(4)
        model.denoiser.net.inside = short
        with torch.autocast("cpu", torch.bfloat16, enabled=short):
            found.append(denoised(model, goal).objective({"x": DATA["x"]}, Moment(1, 0, 0.0))["loss"])
    assert found[0].dtype == torch.float32
    torch.testing.assert_close(found[0], found[1])


class Rounded(nn.Module):
    """A network computed in long floats whose answer is short, by autocast or not."""

    inside = False

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *values: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            said = self.net(*values).to(torch.bfloat16)
        return said if self.inside else said.float()


@pytest.mark.parametrize(
    "options", [{"compile": "eager"}, {"accumulate": 2}, {"average": 0.9}, {"precision": "bf16"}], ids=str
)
def test_a_run_that_goes_on_is_the_run_that_never_stopped(options, tmp_path: Path):
    whole, other = made(), made(7)
    fit(denoised(whole, clip=1.0), DATA, turns=6, **OPTIONS, **options)
    fit(denoised(made(), clip=1.0), DATA, turns=4, out=tmp_path, **OPTIONS, **options)
    fit(denoised(other, clip=1.0), DATA, turns=6, out=tmp_path, resume=True, **OPTIONS, **options)
    assert torch.equal(weights(whole), weights(other))


def test_the_network_within_is_what_is_compiled():
    model, flow, during = made(), flow_matching(X, timed_mlp(8)), list[bool]()
    assert list(networks([model.denoiser, flow.velocity])) == [model.denoiser.net, flow.velocity.net]
    net = model.denoiser.net
    net.register_forward_pre_hook(lambda *_: during.append(net._compiled_call_impl is not None))
    plain = made()
    fit(denoised(model), DATA, turns=2, compile="eager", **OPTIONS)
    fit(denoised(plain), DATA, turns=2, **OPTIONS)
    assert during
    assert all(during)
    torch.testing.assert_close(weights(model), weights(plain))


def test_nothing_is_left_out_while_sampling_and_measuring():
    torch.manual_seed(0)
    model = diffusion(Variable("image", Real(4, 4)), unet(4, dropout=0.5), noise=cosine_noise(5))
    nn.init.normal_(model.denoiser.net.last[-1].weight)
    flow = flow_matching(model.x, lambda given, shape: model.denoiser.net)  # the same network
    data = arrays("images", image=torch.randn(4, 4, 4))

    def measured() -> list[Tensor]:
        torch.manual_seed(0)
        return [
            model.sample(3, seed=0),
            model.costs(data.columns).total,
            sampled_costs(model.denoiser, data["image"], event=2).total,
            optimal_variance(model, data, draws=4).denoiser.error,
            flow.sample(3, steps=2, seed=0),
            flow.carried(data["image"], steps=2),
            flow.log_prob(data.columns, steps=1, probes=1, seed=0),
        ]

    model.denoiser.net.down.eval()
    found = measured()
    assert model.denoiser.net.training
    assert not model.denoiser.net.down.training
    model.denoiser.eval()
    for training, resting in zip(found, measured(), strict=True):
        assert torch.equal(training, resting)


def test_channels_last_changes_no_result():
    """In float64 both orders of the same sums agree to rounding."""
    x, time = Variable("image", Real(8, 8)), Variable("time", Real(1))
    torch.manual_seed(0)
    net = unet(8, 16)([x, time], [8, 8]).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2)
    seen = torch.randn(3, 8, 8).double(), torch.rand(3, 1).double()
    last = net(*seen)
    net.first.register_forward_hook(lambda *_: _[2].as_subclass(Elsewhere))
    torch.testing.assert_close(last, net(*seen).as_subclass(Tensor))


class Elsewhere(Tensor):
    """A tensor that stays in the order in which it was made."""

    def contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
        return self.as_subclass(Tensor)
