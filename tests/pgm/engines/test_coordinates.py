"""Coordinates without bounds, and the curvature at a mode, against integrals and closed forms."""

import math
from collections.abc import Callable

import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm import BayesianNetwork, Gaussian, Model, Neural, Real, Variable
from pgm.engines.coordinates import coordinates
from pgm.engines.draws import seeded
from pgm.engines.laplace import laplace
from pgm.engines.question import ask
from pgm.evidence import read_evidence

CPU = torch.device("cpu")
ONE = torch.ones((), dtype=torch.float64)
PRIORS = {
    "gamma": (Real(), lambda: dist.Gamma(3 * ONE, 0.01 * ONE)),
    "beta": (Real(), lambda: dist.Beta(2 * ONE, 5 * ONE)),
    "shares": (Real(4), lambda: dist.Dirichlet(ONE * torch.tensor([1.0, 2.0, 3.0, 4.0]))),
    "matrix": (Real(2, 3), lambda: dist.Normal(50 * torch.ones(2, 3, dtype=torch.float64), 7.0).to_event(2)),
    "tails": (Real(), lambda: dist.StudentT(3 * ONE, 100 * ONE, 10 * ONE)),
}


def prior_only(domain: Real, make: Callable[[], dist.Distribution]) -> Model:
    return BayesianNetwork(Neural(Variable("x", domain), [], None, make))


@pytest.mark.parametrize("name", PRIORS)
def test_the_density_in_coordinates_integrates_to_one(name: str) -> None:
    model = prior_only(*PRIORS[name])  # type: ignore[arg-type]
    question, n = ask(model, ((0,),), read_evidence(model.graph, None, None), 0, "test"), 40_000
    with seeded(0, CPU), torch.no_grad():
        where = coordinates(question)
        wide = dist.StudentT(4.0, torch.zeros(len(where.centre), dtype=torch.float64), 1.3).to_event(1)
        vectors = wide.sample(torch.Size([n]))
        values, log_det = where.values(vectors)
        weights = (question.joint(question.terms).log_prob(values) + log_det - wide.log_prob(vectors)).exp()
    assert values["x"].shape == (n, *model["x"].shape)
    assert weights.mean().item() == pytest.approx(1.0, abs=4 * weights.std().item() / math.sqrt(n))


def test_coordinates_are_relative_to_the_prior() -> None:
    model = BayesianNetwork(Gaussian(Variable("x", Real(2)), [100.0, -5.0], [400.0, 0.01]))
    with seeded(0, CPU):
        where = coordinates(ask(model, ((0,),), read_evidence(model.graph, None, None), 0, "test"))
    # the median of 1,000 draws has standard error 1.253 / sqrt(1000), the quartiles' distance about 1.17 / sqrt(1000)
    away = (where.centre - torch.tensor([100.0, -5.0])) / torch.tensor([20.0, 0.1])
    assert bool((away.abs() < 4 * 1.253 / math.sqrt(1000)).all())
    assert bool(((where.scale / torch.tensor([20.0, 0.1])).log().abs() < 5 * 1.17 / math.sqrt(1000)).all())


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_a_gaussian_is_found_in_a_step(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(4, 4, generator=generator, dtype=torch.float64) + 2 * torch.eye(4)
    centre = 10 * torch.randn(4, generator=generator, dtype=torch.float64)
    precision = root @ root.mT + 0.1 * torch.eye(4)

    def log_density(points: Tensor) -> Tensor:
        away = points - centre
        return -0.5 * ((away @ precision) * away).sum(1)

    mode, found = laplace(log_density, torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(mode, centre, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, precision, rtol=1e-5, atol=1e-5)


def test_a_mode_is_climbed_to_from_where_the_density_curves_upwards() -> None:
    wells = lambda x: -((x[:, 0] ** 2 - 1) ** 2)  # noqa: E731
    mode, precision = laplace(wells, torch.tensor([0.1], dtype=torch.float64))
    assert mode.item() == pytest.approx(1.0, abs=1e-4)
    assert precision.item() == pytest.approx(8.0, rel=1e-3)  # the second derivative of (x^2 - 1)^2 at 1
