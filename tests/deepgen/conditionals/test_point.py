"""Families that are certain or equally wide in every direction."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from deepgen.conditionals import Isotropic, point
from deepgen.objectives import elbo, iwae
from deepgen.zoo.autoencoder import autoencoder
from pgm import Binary, ShapeError, Variable


def test_isotropic_is_a_multivariate_gaussian_of_one_variance():
    mean, x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    found = Isotropic(0.3)(mean).log_prob(x).sum(-1)
    torch.testing.assert_close(found, MultivariateNormal(mean, 0.09 * torch.eye(3)).log_prob(x))


def test_short_means_do_not_shorten_the_width():
    """log 0.1 is off by 6e-3 in bfloat16, which is 4 nats of an image of 784 numbers."""
    mean = torch.zeros(784, dtype=torch.bfloat16)
    found = Isotropic(0.1)(mean).log_prob(torch.zeros(784)).sum().item()
    assert found == pytest.approx(-784 * math.log(0.1 * math.sqrt(2 * math.pi)), rel=1e-5)


@pytest.mark.parametrize("learned", [True, False])
def test_its_width_is_learned_or_not(learned):
    assert [p.requires_grad for p in Isotropic(2.0, learned).parameters()] == [learned]


@pytest.mark.parametrize("deviation", [0.0, -1.0, math.nan])
def test_a_width_that_is_none_is_refused(deviation):
    with pytest.raises(ShapeError, match=r"Isotropic: deviation is .*, expected a number above 0\."):
        Isotropic(deviation)


def test_a_point_is_drawn_whatever_the_number_of_draws():
    values = torch.randn(4, 3, requires_grad=True)
    drawn = point(values).expand([2, 4, 3]).rsample()
    torch.testing.assert_close(drawn, values.expand(2, 4, 3))
    drawn.sum().backward()
    torch.testing.assert_close(values.grad, torch.full((4, 3), 2.0))


def test_with_one_code_a_row_more_draws_change_nothing():
    torch.manual_seed(0)
    pair, seen = autoencoder(Variable("x", Binary(5)), codes=2), {"x": torch.rand(6, 5).round()}
    one = elbo(pair.model, pair.guide, seen)
    torch.testing.assert_close(elbo(pair.model, pair.guide, seen, 3), one)
    torch.testing.assert_close(iwae(pair.model, pair.guide, seen, 3), one)
