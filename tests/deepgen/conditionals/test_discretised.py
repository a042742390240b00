"""Discretised likelihoods: sums over all shades, double precision of another library, draws, Pyro."""

from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr
from scipy.stats import logistic

from deepgen.conditionals import neural
from deepgen.conditionals.discretised import GAUSSIAN, Discretised, discretised_gaussian, discretised_logistic, twice
from deepgen.networks import mlp
from deepgen.objectives import elbo
from deepgen.testing import pyro_bound
from deepgen.zoo.vae import vae
from pgm import Real, Variable
from pgm.errors import ShapeError

FAMILIES = {"logistic": (discretised_logistic, logistic.logcdf), "gaussian": (discretised_gaussian, log_ndtr)}
EACH = pytest.mark.parametrize("which", FAMILIES)
MEANS, LOG_SCALES = st.floats(-0.5, 1.5, width=32), st.floats(-7, 2, width=32)


def made(which: str, levels: int, mean: float, log_scale: float, dtype=torch.float32):
    parameters = torch.tensor([mean, log_scale], dtype=dtype)
    return FAMILIES[which][0](levels)(parameters)


def shades(levels: int, dtype=torch.float32) -> torch.Tensor:
    return torch.arange(levels, dtype=dtype)[:, None] / (levels - 1)


def reference(which: str, levels: int, mean: float, log_scale: float) -> np.ndarray:
    """In double precision, of the two sides the one where less cancels."""
    log_cdf, scale = FAMILIES[which][1], np.exp(log_scale)
    edges = (np.arange(levels + 1) - 0.5) / (levels - 1)
    edges[0], edges[-1] = -np.inf, np.inf
    z = (edges - mean) / scale
    low, high = z[:-1], z[1:]
    flip = low + high > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    with np.errstate(invalid="ignore"):
        return log_cdf(high) + np.log(-np.expm1(log_cdf(low) - log_cdf(high)))


@EACH
@settings(max_examples=30)
@given(mean=MEANS, log_scale=LOG_SCALES, levels=st.sampled_from([2, 17, 256]))
def test_single_precision_is_that_of_doubles(which: str, mean: float, log_scale: float, levels: int) -> None:
    """Rounding moves z by some eps / scale, at a slope of about |z|, and the log of the width of a bin by
    the errors of the two functions whose difference it is, some eps each, over that width."""
    found = made(which, levels, mean, log_scale).log_prob(shades(levels))[:, 0].double().numpy()
    expected, scale = reference(which, levels, mean, log_scale), np.exp(log_scale)
    z = np.abs(np.arange(levels) / (levels - 1) - mean) / scale
    allowed = 8 * 2.0**-23 * (1 + z / scale + (levels - 1) * scale + np.abs(expected))
    assert (np.abs(found - expected) <= allowed).all()
    exact = made(which, levels, mean, log_scale, torch.float64).log_prob(shades(levels, torch.float64))[:, 0]
    np.testing.assert_allclose(exact.numpy(), expected, rtol=1e-9, atol=1e-9)
    assert exact.exp().sum().item() == pytest.approx(1, abs=1e-9)


@EACH
@settings(max_examples=20)
@given(mean=st.floats(-30, 30, width=32), log_scale=LOG_SCALES, shade=st.integers(0, 255))
def test_slopes_far_out_are_those_of_doubles(which: str, mean: float, log_scale: float, shade: int) -> None:
    slopes = []
    for dtype in (torch.float32, torch.float64):
        parameters = torch.tensor([mean, log_scale], dtype=dtype, requires_grad=True)
        value = torch.tensor([shade / 255], dtype=dtype)
        found = FAMILIES[which][0](256)(parameters).log_prob(value)
        slopes.append(torch.autograd.grad(found.sum(), parameters)[0].double())
    width = 1 / (255 * np.exp(log_scale))
    size = slopes[1].abs().max().item() + 1
    torch.testing.assert_close(slopes[0], slopes[1], rtol=0, atol=size * 8 * 2.0**-23 * (64 + 1 / width**2))


@EACH
@pytest.mark.parametrize("levels", [2, 256])
def test_nothing_is_infinite_however_far_parameters_go(which: str, levels: int) -> None:
    means, log_scales = (
        torch.tensor([-1e4, -1.0, 0.0, 0.5, 2.0, 1e4]),
        torch.tensor([-100.0, -7.0, 0.0, 8.0, 20.0, 100.0]),
    )
    parameters = torch.cartesian_prod(means, log_scales).requires_grad_()
    found = FAMILIES[which][0](levels)(parameters).log_prob(shades(levels)[:, None])
    (slopes,) = torch.autograd.grad(found.sum(), parameters)
    assert found.isfinite().all()
    assert slopes.isfinite().all()


@EACH
def test_slopes_are_differences(which: str) -> None:
    parameters = torch.tensor([[0.3, -3.0], [0.3, 1.0], [2.0, -4.0], [-1.0, -2.0]], dtype=torch.float64)
    for shade in (0, 100, 255):
        value = torch.full((4, 1), shade / 255, dtype=torch.float64)
        torch.autograd.gradcheck(
            lambda p, value=value: FAMILIES[which][0](256)(p).log_prob(value), parameters.requires_grad_()
        )


@EACH
def test_draws_are_as_frequent_as_they_are_probable(which: str) -> None:
    law, n = made(which, 17, 0.2, -1.5), 40_000
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = law.sample((n,))[:, 0]
    counts = (drawn * 16).round().long().bincount(minlength=17)
    expected = n * law.log_prob(shades(17))[:, 0].exp()
    chi_squared = ((counts - expected).square() / expected).sum().item()
    assert abs(chi_squared - 16) < 5 * sqrt(2 * 16)  # its mean and standard deviation
    torch.testing.assert_close((drawn * 16).round() / 16, drawn)


@EACH
@settings(max_examples=20)
@given(mean=MEANS, log_scale=LOG_SCALES)
def test_the_mean_is_that_of_all_shades(which: str, mean: float, log_scale: float) -> None:
    law = made(which, 17, mean, log_scale, torch.float64)
    x = shades(17, torch.float64)
    torch.testing.assert_close(law.mean, (x * law.log_prob(x).exp()).sum(0), rtol=1e-9, atol=1e-12)


def test_a_model_of_shades_has_pyros_bound() -> None:
    image = Variable("image", Real(2, 4))
    pair = vae(image, 2, encoder=mlp(8), decoder=twice(mlp(8)), family=discretised_logistic(17))
    seen = {"image": (torch.rand(6, 2, 4, generator=torch.Generator().manual_seed(0)) * 16).round() / 16}
    theirs, error = pyro_bound(pair, seen, 200)
    ours = elbo(pair.model, pair.guide, seen, 4000).sum(-1)
    assert abs(ours.item() - theirs) < 5 * error  # our own error is a tenth of theirs and less
    assert pair.sample(5)["image"].shape == (5, 2, 4)
    assert pair.means(pair.infer(seen))["image"].shape == (6, 2, 4)


def test_one_level_is_refused() -> None:
    with pytest.raises(ShapeError, match="discretised: levels is 1, expected 2 or more"):
        discretised_gaussian(1)


def test_a_conditional_of_shades_without_parents() -> None:
    x = Variable("x", Real(3))
    law = neural(x, [], twice(mlp()), discretised_gaussian(2))
    assert law.log_prob(torch.zeros(3)).item() == pytest.approx(3 * log_ndtr(0.5), abs=1e-5)  # mean 0, edge at 1/2


def test_shades_from_another_black_are_the_same_shades():
    """From -1 to 1 everything is twice as wide and one lower."""
    centre, scale = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shades = torch.arange(17, dtype=torch.float64)[:, None] / 16
    one = Discretised(centre, scale.exp(), 17, GAUSSIAN)
    other = Discretised(2 * centre - 1, 2 * scale.exp(), 17, GAUSSIAN, low=-1.0)
    torch.testing.assert_close(other.log_prob(2 * shades - 1), one.log_prob(shades))
    torch.testing.assert_close(other.mean, 2 * one.mean - 1)
    torch.manual_seed(0)
    drawn = one.sample((9,))
    torch.manual_seed(0)
    torch.testing.assert_close(other.expand((3, 50)).sample((3,)).reshape(9, 50), 2 * drawn - 1)
