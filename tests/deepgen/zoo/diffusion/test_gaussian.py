"""Diffusion of Gaussian data, whose best denoiser is a straight line: every expectation is known, and computed exactly.

Costs are quadratic in x_0 and in the noise, so that their mean over the four points one deviation away is exact.
"""

from math import e, log, pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deepgen import arrays, linear_noise, optimal_variance
from deepgen.zoo.diffusion import Diffusion, LearnedNoise, Noise, cosine_noise
from deepgen.zoo.diffusion.bound import prior_cost, step_cost
from deepgen.zoo.diffusion.denoiser import Denoiser
from deepgen.zoo.diffusion.process import at, noised
from deepgen.zoo.diffusion.schedule import FixedNoise
from pgm import Real, Variable

X = Variable("x", Real(1))
MEAN, DEVIATION = 0.3, 0.5
ENTROPY = 0.5 * log(2 * pi * e * DEVIATION**2)
SIGNS = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]]).double(), torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]).double()
means, deviations = st.floats(-1, 1), st.floats(0.3, 2)


class Best(nn.Module):
    """E(x_0 | x_t) of data N(mean, deviation^2)."""

    def __init__(self, schedule: FixedNoise | LearnedNoise, mean: float, deviation: float) -> None:
        super().__init__()
        self.schedule, self.mean, self.variance = schedule, mean, deviation**2

    def forward(self, now: Tensor, time: Tensor) -> Tensor:
        noise = self.schedule()
        kept = at(noise.kept, (time[..., 0] * noise.steps).round().long(), now)
        gain = kept.sqrt() * self.variance / (kept * self.variance + 1 - kept)
        return self.mean + gain * (now - kept.sqrt() * self.mean)


def best(noise: Noise | LearnedNoise, variance: str, mean: float = MEAN, deviation: float = DEVIATION) -> Diffusion:
    schedule = FixedNoise(noise) if isinstance(noise, Noise) else noise
    found = left(schedule().kept.detach(), deviation) if variance == "fitted" else None
    return Diffusion(X, Denoiser(Best(schedule, mean, deviation), schedule, "data", variance, found))


def left(kept: Tensor, deviation: float) -> Tensor:
    """Var(x_0 | x_t)."""
    return deviation**2 * (1 - kept) / (kept * deviation**2 + 1 - kept)


def expected(model: Diffusion, mean: float = MEAN, deviation: float = DEVIATION) -> tuple[Tensor, Tensor, Tensor]:
    """E L_T, E L_{t-1} for t = 2 to T, and E L_0, exactly."""
    noise = model.noise
    start, draw = (values.repeat(noise.steps, 1) for values in (mean + deviation * SIGNS[0], SIGNS[1]))
    steps = torch.arange(1, noise.steps + 1).repeat_interleave(4)
    now = noised(noise, start, steps, draw)
    cost = step_cost(noise, start, now, steps, model.denoiser(now, steps), 1, None).reshape(-1, 4).mean(1)
    return prior_cost(noise, start, 1).mean(), cost[1:], cost[0]


def total(model: Diffusion) -> float:
    prior, later, first = expected(model)
    return (prior + later.sum() + first).item()


def end_gap(noise: Noise, mean: float = MEAN, deviation: float = DEVIATION) -> float:
    """KL(q(x_T) || N(0, I))."""
    spread = noise.kept[-1] * deviation**2 + 1 - noise.kept[-1]
    return 0.5 * (spread + noise.kept[-1] * mean**2 - 1 - spread.log()).item()


def step_gap(noise: Noise, log_variance: Tensor, deviation: float) -> float:
    """Sum over t of KL(q(x_{t-1} | x_t) || p(x_{t-1} | x_t)), where means are the best.

    With nothing of the bound in it: variances and covariances of neighbours in the chain of Gaussians.
    """
    spread = noise.kept * deviation**2 + 1 - noise.kept  # Var(x_t)
    least = spread[:-1] - noise.alpha[1:] * spread[:-1].square() / spread[1:]  # Var(x_{t-1} | x_t)
    ratio = least / log_variance[1:].exp()
    return 0.5 * (ratio - 1 - ratio.log()).sum().item()


@settings(max_examples=20)
@given(st.integers(1, 30), means, deviations, st.sampled_from(["posterior", "added"]))
def test_each_term_has_its_closed_form(steps: int, mean: float, deviation: float, variance: str) -> None:
    noise = cosine_noise(steps)
    prior, later, first = expected(best(noise, variance, mean, deviation), mean, deviation)
    kept, error = noise.kept, left(noise.kept, deviation)
    used = noise.beta.clone() if variance == "added" else noise.posterior_variance.clone()
    used[1] = noise.beta[1]
    ratio, weight = noise.posterior_variance / used, noise.posterior_weights[0].square()
    exact = 0.5 * (ratio - 1 - ratio.log() + weight * error / used)
    torch.testing.assert_close(later, exact[2:])
    torch.testing.assert_close(first, 0.5 * (log(2 * pi) + used[1].log() + error[1] / used[1]))
    power = deviation**2 + mean**2
    torch.testing.assert_close(prior, 0.5 * (kept[-1] * power - kept[-1] - torch.log1p(-kept[-1])))


@settings(max_examples=20)
@given(st.integers(1, 100), means, deviations, st.sampled_from(["posterior", "added", "fitted"]))
def test_the_bound_is_the_entropy_and_a_known_gap(steps: int, mean: float, deviation: float, variance: str) -> None:
    noise = cosine_noise(steps)
    model = best(noise, variance, mean, deviation)
    prior, later, first = expected(model, mean, deviation)
    log_variance, _ = model.denoiser.log_variances(noise, model.denoiser.error)
    entropy = 0.5 * log(2 * pi * e * deviation**2)
    apart = end_gap(noise, mean, deviation) + step_gap(noise, log_variance, deviation)
    assert (prior + later.sum() + first).item() == pytest.approx(entropy + apart, abs=1e-6)


def test_the_gap_shrinks_with_the_steps_and_with_better_variances() -> None:
    """With the best variances nothing is lost on the way: what is left is KL(q(x_T) || N(0, I)), whatever T is."""
    gaps = {
        variance: [total(best(linear_noise(steps), variance)) - ENTROPY for steps in (30, 100, 300, 1000)]
        for variance in ("posterior", "added", "fitted")
    }
    for variance in ("posterior", "added"):
        assert gaps[variance] == sorted(gaps[variance], reverse=True)
    assert all(a > b > c > 0 for a, b, c in zip(*gaps.values(), strict=True))
    assert max(gaps["fitted"]) < 1e-5


@pytest.mark.parametrize("steps", [2, 5, 20])
def test_fewer_steps_have_a_better_bound_with_their_own_best_variances(steps: int) -> None:
    costs = {name: total(best(cosine_noise(100), name).respaced(steps)) for name in ("posterior", "added", "fitted")}
    assert costs["fitted"] < min(costs["posterior"], costs["added"])
    few, _ = cosine_noise(100).respaced(steps)
    assert costs["fitted"] - ENTROPY == pytest.approx(end_gap(few), abs=1e-6)


@settings(max_examples=20)
@given(means, deviations, st.floats(0.5, 2))
def test_no_variance_is_better_for_means_that_are_wrong(mean: float, deviation: float, factor: float) -> None:
    """Each term of the bound is least where the variance is fitted to the error, whatever the means are."""
    noise = cosine_noise(10)
    net = Best(FixedNoise(noise), mean, deviation)  # of other data than there are
    steps = torch.arange(1, 11).repeat_interleave(4)
    start, draw = (values.repeat(10, 1) for values in (MEAN + DEVIATION * SIGNS[0], SIGNS[1]))
    said = Denoiser(net, noise, "data").start(noised(noise, start, steps, draw), steps)
    error = torch.cat([torch.zeros(1), (said - start).square().reshape(-1, 4).mean(1)]).double()
    costs = [expected(Diffusion(X, Denoiser(net, noise, "data", "fitted", error * each)))[1:] for each in (1.0, factor)]
    for fitted, other in zip(*costs, strict=True):
        assert bool((fitted <= other + 1e-9).all())


def test_what_is_measured_is_the_error_of_the_best_denoiser() -> None:
    """A mean of n squares of Gaussians has the relative standard error sqrt(2 / n)."""
    torch.manual_seed(0)
    data, draws = arrays("Gaussian", x=MEAN + DEVIATION * torch.randn(100_000, 1)), 20_000
    model = optimal_variance(best(cosine_noise(8), "posterior"), data, draws=draws)
    exact = left(cosine_noise(8).kept, DEVIATION)
    found = model.denoiser.error
    assert found[0] == 0
    assert bool(((found[1:] / exact[1:] - 1).abs() < 5 * (2 / draws) ** 0.5).all())
    assert [leg.deviation for leg in model.route(4).legs] == pytest.approx(
        [leg.deviation for leg in best(cosine_noise(8), "fitted").route(4).legs], rel=0.03
    )


def test_unit_variance_is_what_added_is_best_for() -> None:
    """Ho, Jain and Abbeel (2020), section 3.2: optimal for x_0 ~ N(0, I); 'posterior' is for x_0 that is known."""
    noise = cosine_noise(10)
    added, fitted, known = (
        Denoiser(nn.Identity(), noise, "data", variance, error).log_variances(noise, noise.kept * 0 if known else error)
        for variance, error, known in (
            ("added", 1 - noise.kept, False), ("fitted", 1 - noise.kept, False), ("fitted", 1 - noise.kept, True),
        )
    )  # fmt: skip
    torch.testing.assert_close(fitted[0][1:], added[0][1:])
    torch.testing.assert_close(known[0][2:], noise.posterior_variance[2:].log())


@pytest.mark.parametrize(("variance", "draws"), [("learned", 10), ("added", 0)])
def test_refusals(variance: str, draws: int) -> None:
    model = Diffusion(X, Denoiser(nn.Identity(), cosine_noise(3), "data", variance))
    with pytest.raises(ValueError, match=f"variance is '{variance}' and draws is {draws}, expected any but 'learned'"):
        optimal_variance(model, arrays("nothing", x=torch.zeros(3, 1)), draws=draws)
