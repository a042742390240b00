"""Closed forms of the noise process beside exact inference on the chain that they are about."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen.zoo.diffusion import Noise, cosine_noise, linear_noise
from deepgen.zoo.diffusion.prediction import PREDICTIONS, from_data, line, to_data
from deepgen.zoo.diffusion.process import noised, posterior_mean
from pgm import BayesianNetwork, Gaussian, LinearGaussian, Real, Variable, infer

shares = st.lists(st.floats(0.05, 0.95), min_size=1, max_size=5)


def noise_of(alphas: list[float]) -> Noise:
    return Noise(torch.tensor([1.0, *alphas], dtype=torch.float64).cumprod(0))


def chain(noise: Noise) -> BayesianNetwork:
    """x0 -> x1 -> ... as linear Gaussians; what x0 is itself does not matter once it is observed."""
    x = [Variable(f"x{t}", Real()) for t in range(noise.steps + 1)]
    steps = [
        LinearGaussian(x[t], [x[t - 1]], [noise.alpha[t].sqrt().item()], 0.0, noise.beta[t].item())
        for t in range(1, noise.steps + 1)
    ]
    return BayesianNetwork(Gaussian(x[0], 0.0, 1.0), *steps)


@settings(max_examples=15)  # each is a network of its own to be planned
@given(shares, st.floats(-3, 3))
def test_marginals_are_those_of_the_chain(alphas: list[float], start: float) -> None:
    noise = noise_of(alphas)
    found = infer(chain(noise), given={"x0": start})
    steps = torch.arange(1, noise.steps + 1)
    means = noised(
        noise, torch.full((len(steps),), start, dtype=torch.float64), steps, torch.zeros(len(steps)).double()
    )
    exact = torch.stack([found[f"x{t}"].mean.reshape(()) for t in steps.tolist()])
    variances = torch.stack([found[f"x{t}"].covariance.reshape(()) for t in steps.tolist()])
    torch.testing.assert_close(means, exact)
    torch.testing.assert_close(1 - noise.kept[1:], variances)


@settings(max_examples=15)
@given(shares.filter(lambda a: len(a) > 1), st.floats(-3, 3), st.floats(-3, 3))
def test_posterior_is_that_of_the_chain(alphas: list[float], start: float, end: float) -> None:
    noise = noise_of(alphas)
    last = noise.steps
    found = infer(chain(noise), [f"x{last - 1}"], given={"x0": start, f"x{last}": end})[f"x{last - 1}"]
    values = [torch.tensor([v], dtype=torch.float64) for v in (start, end)]
    mean = posterior_mean(noise, *values, torch.tensor([last]))
    torch.testing.assert_close(mean, found.mean.reshape(1))
    torch.testing.assert_close(noise.posterior_variance[last], found.covariance.reshape(()))


@given(shares, st.sampled_from(PREDICTIONS), st.sampled_from(PREDICTIONS), st.integers(0, 10))
def test_predictions_say_the_same(alphas: list[float], one: str, other: str, seed: int) -> None:
    noise, generator = noise_of(alphas), torch.Generator().manual_seed(seed)
    start, draw = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    steps = torch.randint(1, noise.steps + 1, (4,), generator=generator)
    now = noised(noise, start, steps, draw)
    back = to_data(noise, one, from_data(noise, one, start, now, steps), now, steps)
    torch.testing.assert_close(back, start)
    said = from_data(noise, other, back, now, steps)
    torch.testing.assert_close(said, from_data(noise, other, start, now, steps))
    torch.testing.assert_close(from_data(noise, "noise", start, now, steps), draw)


@pytest.mark.parametrize("noise", [linear_noise(1000), cosine_noise(1000), linear_noise(7), cosine_noise(1)])
def test_respaced_processes_keep_the_signal(noise: Noise) -> None:
    for steps in {1, noise.steps // 3 + 1, noise.steps}:
        fewer, chosen = noise.respaced(steps)
        torch.testing.assert_close(fewer.kept, noise.kept[chosen], rtol=0, atol=0)
        torch.testing.assert_close(fewer.alpha.cumprod(0), fewer.kept)


def test_published_ends_of_the_linear_schedule() -> None:
    """Ho, Jain and Abbeel (2020), section 4: KL(q(x_T | x_0) || N(0, I)) is about 1e-5 bits per dimension."""
    noise = linear_noise(1000)
    kept = noise.kept[-1]
    power = torch.tensor(0.25, dtype=torch.float64)  # of an image in [-1, 1], about
    bits = 0.5 * (kept * power - kept - torch.log1p(-kept)) / torch.log(torch.tensor(2.0))
    assert 3e-6 < bits < 3e-5


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ([1.0], "expected .T . 1. with one step or more"),
        ([1.0, 0.5, 0.5], "kept goes from 0.5 to 0.5 at step 2, expected less at every step"),
        ([1.0, 0.5, 0.7], "from 0.5 to 0.7 at step 2"),
        ([0.9, 0.5], "kept goes from 0.9 to 0.5, expected from 1 to 0"),
        ([1.0, -0.1], "expected from 1 to 0"),
    ],
)
def test_what_is_no_schedule_is_refused(kept: list[float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Noise(torch.tensor(kept))


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="steps is 0, expected 1 or more"):
        linear_noise(0)
    with pytest.raises(ValueError, match="steps is 1001, expected 1 to 1000"):
        linear_noise(1000).respaced(1001)
    with pytest.raises(ValueError, match="steps are .5, 3., expected some from 1 to 1000, upwards"):
        linear_noise(1000).respaced([5, 3])
    with pytest.raises(ValueError, match="what is predicted is 'velocity', expected one of 'noise', 'data'"):
        line(linear_noise(10), "velocity")
