"""Moments: names, shapes and the Gaussian with these moments."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pgm import Moments, Real, Variable

X, V, M = Variable("x", Real()), Variable("v", Real(2)), Variable("m", Real(2, 2))


@given(st.lists(st.sampled_from([X, V, M]), min_size=1, unique=True), st.lists(st.integers(1, 3), max_size=1))
@settings(max_examples=30)
def test_shapes_are_those_of_the_variables(variables: list[Variable], batch: list[int]) -> None:
    length = sum(v.domain.length for v in variables)
    wide = torch.randn(*batch, length, length)
    moments = Moments(tuple(variables), torch.arange(float(length)).expand(*batch, length), wide @ wide.mT)
    event = variables[0].shape if len(variables) == 1 else (length,)
    assert moments.mean.shape == moments.variance.shape == moments.std.shape == (*batch, *event)
    torch.testing.assert_close(moments.std.square(), moments.variance)
    flat = moments.variance.reshape(*batch, length)
    torch.testing.assert_close(flat, wide.square().sum(-1))
    assert len(moments.labels()) == length
    assert (moments.batch, moments.flat[..., 0].unique().tolist()) == (tuple(batch), [0])


def test_numbers_are_labelled_by_their_place() -> None:
    moments = Moments((M, X), torch.arange(5.0), torch.diag(torch.tensor([1.0, 4.0, 9.0, 0.0, 0.25])))
    assert moments.labels() == ("m[0,0]", "m[0,1]", "m[1,0]", "m[1,1]", "x")
    assert str(moments).splitlines() == [
        "m[0,0]  0.0000 ± 1.0000",
        "m[0,1]  1.0000 ± 2.0000",
        "m[1,0]  2.0000 ± 3.0000",
        "m[1,1]  3.0000 ± 0.0000",
        "x       4.0000 ± 0.5000",
    ]
    assert repr(moments) == "Moments(m, x: 5 numbers)"
    assert str(Moments((X,), torch.zeros(3, 1), torch.ones(3, 1, 1))) == "Moments(x: 1 numbers, 3 rows)"


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (-1e-17, 1.0, "0.0000 ± 1.0000"),
        (12.34567, 0.002, "12.3457 ± 0.0020"),
        (12.34567, 2e-5, "12.34567 ± 2e-05"),
        (1.5e-6, 0.0, "1.5e-06 ± 0"),
        (2e12, 1.0, "2e+12 ± 1"),
        (0.0, 0.0, "0.0000 ± 0.0000"),
        (math.nan, math.nan, "nan ± nan"),
    ],
)
def test_scales_far_from_one_are_printed_with_their_digits(mean: float, std: float, text: str) -> None:
    moments = Moments((X,), torch.tensor([mean], dtype=torch.float64), torch.tensor([[std**2]], dtype=torch.float64))
    assert str(moments) == f"x  {text}"


def test_the_gaussian_has_these_moments() -> None:
    mean, covariance = torch.tensor([1.0, -2.0]).double(), torch.tensor([[2.0, 0.6], [0.6, 1.0]]).double()
    found = Moments((V,), mean, covariance).gaussian().log_prob(torch.zeros(2).double())
    assert found.item() == pytest.approx(stats.multivariate_normal.logpdf([0, 0], mean, covariance))


def test_deviations_of_certain_and_unknown_numbers() -> None:
    """No infinite gradient at 0, no square root of what rounding made negative, NaN stays NaN."""
    covariance = torch.diag(torch.tensor([4.0, 0.0, -1e-17, float("nan")])).requires_grad_()
    std = Moments((Variable("w", Real(4)),), torch.zeros(4), covariance).std
    assert std[:3].tolist() == [2, 0, 0]
    assert std[3].isnan()
    std[:3].sum().backward()
    assert covariance.grad.diagonal()[:3].tolist() == [0.25, 0, 0]
