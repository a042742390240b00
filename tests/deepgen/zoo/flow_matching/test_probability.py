"""Diffusion as a flow: deterministic sampling is Euler's method, densities are those of the data."""

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from deepgen.networks.timed import timed_mlp
from deepgen.zoo.diffusion import Diffusion, Noise, cosine_noise, diffusion
from deepgen.zoo.diffusion.denoiser import Denoiser
from deepgen.zoo.flow_matching.ode import integrated
from deepgen.zoo.flow_matching.probability import probability_flow
from deepgen.zoo.flow_matching.velocity import field
from pgm import Real, Variable


class Best(nn.Module):
    """E(x_0 | x_t) of data N(1, 1 / 4), at steps and between them."""

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, now: Tensor, time: Tensor) -> Tensor:
        step = (time.double() * self.noise.steps).clamp(1, self.noise.steps - 1e-6)
        before = step.floor().long()
        signal = torch.lerp(self.noise.kept[before].sqrt(), self.noise.kept[before + 1].sqrt(), step - before)
        kept = signal.square().to(now)
        return 1 + kept.sqrt() / 4 / (kept / 4 + 1 - kept) * (now - kept.sqrt())


@pytest.mark.parametrize("predicts", ["noise", "data", "v", "mean"])
def test_eulers_method_at_the_times_of_the_steps_is_ddim(predicts):
    torch.manual_seed(0)
    model = diffusion(Variable("x", Real(2)), timed_mlp(8, 8), noise=cosine_noise(20), predicts=predicts)
    signal, spread = model.noise.kept.sqrt(), (1 - model.noise.kept).sqrt()
    times = (signal / (signal + spread)).flip(0).tolist()
    way = []
    found = model.sample(5, eta=0.0, seed=0, watch=lambda leg, now, start: way.append(now))
    first = way[0] / (signal + spread)[-1].float()
    *_, (_, same) = integrated(field(probability_flow(model).velocity), first, times, "euler")
    torch.testing.assert_close(same, found, atol=1e-3, rtol=1e-3)


def test_one_step_is_no_way():
    with pytest.raises(ValueError, match="probability_flow: the model has 1 step, expected 2 or more"):
        probability_flow(diffusion(Variable("x", Real(2)), timed_mlp(8), noise=cosine_noise(1)))


def test_densities_are_those_of_the_data():
    noise, x = cosine_noise(400), torch.linspace(0, 2, 5)[:, None]
    model = Diffusion(Variable("x", Real(1)), Denoiser(Best(noise), noise, "data"))
    found = probability_flow(model).log_prob({"x": x}, steps=100, method="midpoint")
    torch.testing.assert_close(found, Normal(1.0, 0.5).log_prob(x[:, 0]), atol=0.02, rtol=0)  # of noise at step 1
