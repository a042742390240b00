"""Shorter processes with the same network, and laws that tie the terms of the bound to errors of predictions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deepgen.networks.timed import timed_mlp
from deepgen.pictures import graph
from deepgen.zoo.diffusion import Diffusion, Noise, cosine_noise, diffusion, linear_noise
from deepgen.zoo.diffusion.bound import step_cost
from deepgen.zoo.diffusion.denoiser import VARIANCES, Denoiser
from deepgen.zoo.diffusion.prediction import PREDICTIONS, from_data, to_data
from deepgen.zoo.diffusion.process import noised
from deepgen.zoo.diffusion.route import route
from pgm import Real, Variable

X = Variable("x", Real(2))
GENTLE = Noise(0.8 ** torch.arange(13).double())  # a network that has learned nothing stays within bounds


def made(predicts: str = "v", variance: str = "posterior", noise: Noise | None = None) -> Diffusion:
    torch.manual_seed(0)
    return diffusion(X, timed_mlp(8), noise=noise or GENTLE, predicts=predicts, variance=variance)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("predicts", PREDICTIONS)
def test_the_model_of_some_steps_goes_the_way_of_the_whole_through_them(predicts: str, variance: str) -> None:
    model, steps = made(predicts, variance), [2, 3, 7, 12]
    fewer = model.respaced(steps)
    torch.testing.assert_close(fewer.sample(5, seed=1), model.sample(5, steps=steps, seed=1), rtol=1e-4, atol=1e-5)
    assert [leg.step for leg in model.route(steps).legs] == steps[::-1]
    for one, other in zip(fewer.route().legs, model.route(steps).legs, strict=True):
        assert [one.start, one.now, one.deviation] == pytest.approx([other.start, other.now, other.deviation])


@settings(max_examples=20)
@given(st.integers(2, 50), st.sampled_from(["noise", "data", "v"]), st.integers(0, 20))
def test_each_term_is_a_weight_times_the_squared_error(steps: int, predicts: str, seed: int) -> None:
    """With posterior variances, L_{t-1} = (snr[t-1] - snr[t]) / 2 |error of x_0|^2: Kingma et al. (2021), (13).

    With those added, it is beta / (2 alpha (1 - kept)) |error of the noise|^2 and a constant: equation 12 of Ho et al.
    (2020), where L_simple leaves the weight out.
    """
    noise, generator = cosine_noise(steps), torch.Generator().manual_seed(seed)
    start, draw, said = torch.randn(3, steps - 1, 2, generator=generator, dtype=torch.float64)
    t = torch.arange(2, steps + 1)
    now = noised(noise, start, t, draw)
    found = to_data(noise, predicts, said, now, t)
    cost = {}
    for variance in ("posterior", "added"):
        denoiser = Denoiser(nn.Identity(), noise, predicts, variance)
        cost[variance] = step_cost(noise, start, now, t, denoiser.backward_of(noise, said, None, now, t), 1, None)
    weight = (noise.snr[t - 1] - noise.snr[t]) / 2
    torch.testing.assert_close(cost["posterior"], weight * (found - start).square().sum(-1))
    error = (from_data(noise, "noise", found, now, t) - draw).square().sum(-1)
    ratio = noise.posterior_variance[t] / noise.beta[t]
    weight = noise.beta[t] / (2 * noise.alpha[t] * (1 - noise.kept[t]))
    torch.testing.assert_close(cost["added"], weight * error + ratio - 1 - ratio.log())


@pytest.mark.parametrize("noise", [linear_noise(1000), cosine_noise(50)])
@pytest.mark.parametrize("steps", [5, None])
def test_an_ancestral_share_of_noise_is_that_of_the_posterior(noise: Noise, steps: int | None) -> None:
    """Song, Meng and Ermon (2021), section 4.1: with eta = 1 the way is that of DDPM."""
    denoiser = Denoiser(nn.Identity(), noise, "v", "posterior")
    for one, other in zip(route(denoiser, steps, 1.0).legs, route(denoiser, steps).legs, strict=True):
        assert [one.start, one.now, one.deviation] == pytest.approx([other.start, other.now, other.deviation], abs=1e-9)


def test_where_no_signal_is_left_the_end_costs_nothing_and_samples_are_finite() -> None:
    kept = linear_noise(10).kept.clone()
    kept[-1] = 0
    model = made(noise=Noise(kept))
    found = model.costs({"x": torch.randn(4, 2)})
    assert found.prior.tolist() == [0, 0, 0, 0]
    assert bool(found.total.isfinite().all())
    assert bool(model.sample(4, seed=0).isfinite().all())


def test_arrows_of_the_model_are_marked_as_a_networks_and_those_of_the_guide_are_not() -> None:
    dot = graph(made().respaced(2).pair).dot
    arrows = {line.split("[")[0].replace('"', "").strip(): line for line in dot.splitlines() if "->" in line}
    marked = {name for name, line in arrows.items() if "normalbox" in line}
    assert marked == {name for name in arrows if name.startswith("model")}
    assert len(arrows) == 4
