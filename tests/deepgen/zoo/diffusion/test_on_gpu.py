"""Diffusion on a GPU: all of it is where the model is, and equals that of the CPU where nothing is random."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor

from deepgen import arrays, fit
from deepgen.networks.timed import timed_mlp
from deepgen.networks.unet import unet
from deepgen.training.phase import Moment
from deepgen.zoo.diffusion import Diffusion, cosine_noise, denoised, diffusion, learned_noise
from deepgen.zoo.diffusion.bound import prior_cost, step_cost
from deepgen.zoo.diffusion.prediction import from_data
from deepgen.zoo.diffusion.process import noised
from deepgen.zoo.diffusion.sampling import Sampler, walk
from pgm import Real, Variable

pytestmark = pytest.mark.gpu
LABEL, STEPS = Variable("label", range(3)), 20
NETWORKS = {"points": ((2,), timed_mlp(16, 16)), "images": ((8, 8), unet(8, 16))}


def made(kind: str, noise=None, **options) -> Diffusion:
    """A model that says something: the last layer of a new U-Net is zero."""
    torch.manual_seed(0)
    shape, network = NETWORKS[kind]
    noise = noise or cosine_noise(STEPS)
    model = diffusion(Variable("x", Real(*shape)), network, label=LABEL, noise=noise, **options)
    for parameter in model.denoiser.net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def elsewhere(model: Diffusion) -> Diffusion:
    """A copy on the GPU."""
    options = {"given": model.given, "levels": model.levels, "dropped": model.dropped}
    return Diffusion(model.x, deepcopy(model.denoiser).to("cuda"), **options)


def rows(model: Diffusion, count: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(count, *model.x.shape, generator=generator).mul(4).round() / 2 - 1
    return {"x": x, "label": torch.arange(count) % 3}


@pytest.fixture(autouse=True)
def whole_floats(monkeypatch):
    """Convolutions in float32, as those of the CPU are."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("predicts", ["v", "data"])
@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_the_deterministic_way_is_that_of_the_cpu(kind, predicts, guidance):
    model = made(kind, predicts=predicts)
    seen, legs, sampler = rows(model), model.route(5, 0.0).legs, Sampler(guidance, (-1.0, 1.0))
    here, there = (
        walk(
            each.denoiser,
            seen["x"].to(device),
            each.told({"label": seen["label"].to(device)}),
            legs=legs,
            sampler=sampler,
        )
        for each, device in ((model, "cpu"), (elsewhere(model), "cuda"))
    )
    assert there.device.type == "cuda"
    torch.testing.assert_close(here, there.cpu(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(("predicts", "variance", "levels"), [("noise", "added", None), ("v", "learned", 5)])
def test_bounds_and_their_gradients_are_those_of_the_cpu(kind, predicts, variance, levels):
    model = made(kind, predicts=predicts, variance=variance, levels=levels)
    seen, found = rows(model), list[list[Tensor]]()
    draw = torch.randn(seen["x"].shape, generator=torch.Generator().manual_seed(2))
    steps = torch.tensor([1, 2, 5, 10, 15, STEPS])
    for each, device in ((model, "cpu"), (elsewhere(model), "cuda")):
        x, at, told = seen["x"].to(device), steps.to(device), each.told({"label": seen["label"].to(device)})
        now = noised(each.noise, x, at, draw.to(device))
        back = each.denoiser(now, at, *told)
        cost = step_cost(each.noise, x, now, at, back, each.event, levels) + prior_cost(each.noise, x, each.event)
        gradients = torch.autograd.grad(cost.mean(), list(each.denoiser.net.parameters()))
        wanted = from_data(each.noise, predicts, x, now, at)
        found.append([value.detach().cpu() for value in (now, wanted, back.mean, back.start, cost, *gradients)])
        assert cost.device.type == device
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(here, there, rtol=2e-3, atol=2e-3 * here.abs().max().item())


@pytest.mark.parametrize("noise", [cosine_noise(STEPS), learned_noise(STEPS)], ids=["fixed", "learned"])
def test_everything_follows_the_model(noise):
    model = elsewhere(made("points", noise=noise, predicts="v"))
    seen = {name: value.to("cuda") for name, value in rows(model).items()}
    given = {"label": seen["label"]}
    costs = model.costs(seen)
    found = [model.noise.kept, costs.total, model.sample(6, given, steps=3), *model.pair.sample(6, given).values()]
    found += [
        model.sample(6, given, steps=3, known=seen["x"], mask=torch.tensor([1, 0]), repeats=2),
        model.sample(6, given, steps=3, start=seen["x"].cpu(), eta=1.0),
        model.respaced(4).costs(seen).total,
        denoised(model, "bound").objective(seen, Moment(0, 0, 0.0))["loss"],
    ]
    assert {value.device.type for value in found} == {"cuda"}
    model.denoiser.to("cpu")
    assert model.noise.kept.device.type == "cpu"
    assert model.sample(6, {"label": given["label"].cpu()}, steps=3).device.type == "cpu"


@pytest.mark.parametrize("options", [{}, {"precision": "bf16"}, {"precision": "bf16", "compile": True}], ids=str)
def test_points_are_learned_there(options):
    data = arrays("two points", x=torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).repeat(64, 1))
    torch.manual_seed(0)
    model = diffusion(Variable("x", Real(2)), timed_mlp(32, 32), noise=cosine_noise(20), predicts="v")
    history = fit(denoised(model), data, turns=400, batch=64, device="cuda", progress=False, **options)
    assert history["simple.loss"][-1] < history["simple.loss"][0]
    found = model.sample(200, seed=0)
    apart = (found - found.sign()).abs().amax(1)
    assert ((apart < 0.5) & (found.prod(1) < 0)).float().mean() > 0.9
    assert {parameter.dtype for parameter in model.denoiser.parameters()} == {torch.float32}


def test_a_step_of_training_waits_for_the_device_nowhere():
    model = elsewhere(made("images", predicts="v", levels=5))
    batch = {name: value.to("cuda") for name, value in rows(model).items()}
    objective = denoised(model).objective
    objective(batch, Moment(0, 0, 0.0))["loss"].mean().backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        objective(batch, Moment(1, 0, 0.0))["loss"].mean().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
