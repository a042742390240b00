"""Products of Gaussian experts beside quadrature, and features beside the net they hold."""

from math import log, pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deepgen.conditionals import Product, Standard, features, neural
from deepgen.networks import mlp
from pgm import LinearGaussian, Real, Variable
from pgm.errors import GraphError, PlanError

Z, X, Y = (Variable(name, Real()) for name in "zxy")
NUMBERS = st.floats(-2, 2)
SCALES = st.floats(0.2, 3)


@settings(max_examples=5)
@given(NUMBERS, SCALES, NUMBERS, SCALES)
def test_a_product_is_the_normalised_product_of_densities(one, s, other, t):
    experts = LinearGaussian(Z, [X], [1.0], 0.0, s), LinearGaussian(Z, [Y], [1.0], 0.0, t)
    z, x, y = torch.linspace(-20, 20, 4001, dtype=torch.float64), torch.tensor(one), torch.tensor(other)
    both = (experts[0].log_prob(x, z) + experts[1].log_prob(y, z)).exp()
    expected = (both / both.sum() / 0.01).log()
    found = Product(*experts).log_prob(x, y, z)
    near = both > 1e-12 * both.max()
    torch.testing.assert_close(found[near], expected[near], atol=1e-6, rtol=1e-6)


def test_experts_share_parents_and_keep_their_order():
    """Three experts with parents (x, y), (y), (): the product is that of two taken by hand, whatever the grouping."""
    z, x, y = Variable("z", Real(2)), Variable("x", Real(3)), Variable("y", Real(4))
    torch.manual_seed(0)
    one, two, three = neural(z, [x, y], mlp(5)), neural(z, [y], mlp()), Standard(z)
    values = [torch.randn(6, 3), torch.randn(6, 4)]
    whole = Product(one, two, three)
    assert whole.given == (x, y)
    made = whole.distribution(*values)
    parts = [one.distribution(*values), two.distribution(values[1]), three.distribution()]
    precision = sum(1 / part.variance for part in parts)
    torch.testing.assert_close(made.variance, 1 / precision)
    torch.testing.assert_close(made.mean, sum(part.mean / part.variance for part in parts) / precision)
    assert made.event_shape == (2,)


def test_a_product_has_no_trouble_with_experts_that_are_sure():
    z = Variable("z", Real(1))
    sure = neural(z, [Variable("x", Real(1))], mlp())
    with torch.no_grad():
        sure.net.net[0].weight.zero_()
        sure.net.net[0].bias.copy_(torch.tensor([3.0, -60.0]))  # a variance beyond single precision
    made = Product(Standard(z), sure).distribution(torch.zeros(2, 1))
    torch.testing.assert_close(made.mean, torch.full((2, 1), 3.0))
    torch.testing.assert_close(made.base_dist.scale.log(), torch.full((2, 1), -60.0))
    torch.testing.assert_close(made.log_prob(made.mean), torch.full((2,), 60 - 0.5 * log(2 * pi)))  # no square of it


def test_what_cannot_be_multiplied_is_named():
    with pytest.raises(GraphError, match=r"the experts are of \['x', 'z'\], expected one child"):
        Product(LinearGaussian(Z, [X], [1.0], 0.0, 1.0), LinearGaussian(X, [Y], [1.0], 0.0, 1.0))
    bent = neural(Variable("z", Real(1)), [X], mlp(), lambda loc: torch.distributions.Laplace(loc, 1.0))
    with pytest.raises(PlanError, match=r"Neural\(z \| x\) is a Laplace, expected independent Gaussians"):
        Product(bent).distribution(torch.zeros(3))


def test_features_see_parents_as_conditionals_do():
    image, label, d = Variable("image", Real(2, 3)), Variable("label", range(4)), Variable("d", Real(5))
    torch.manual_seed(0)
    made = features(d, [image, label], mlp(7))
    images, labels = torch.randn(6, 2, 3), torch.tensor([0, 1, 2, 3, 0, 1])
    columns = torch.cat([images.flatten(1), torch.eye(4)[labels]], -1)
    first, bend, last = (layer for layer in made.modules() if isinstance(layer, nn.Linear | nn.ReLU))
    torch.testing.assert_close(made.draw(images, labels), last(bend(first(columns))))
