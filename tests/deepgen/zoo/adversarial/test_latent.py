"""Differences of latent variables have closed forms where the generator is linear; slants those of drawn lines."""

import pytest
import torch

from deepgen.networks import mlp
from deepgen.zoo.adversarial import gan
from deepgen.zoo.adversarial.latent import difference, ink, slant
from pgm import Real, Variable
from pgm.errors import PlanError

X = Variable("x", Real(3))


def test_of_a_linear_generator_a_difference_points_along_its_weights():
    """x = W z + b: z given a large sum of x lies along w = W^T 1; E[z | top share] = w / |w| * phi(q) / share."""
    torch.manual_seed(0)
    model = gan(X, latents=2, generator=mlp())
    rows, share = 20_000, 0.05
    found = difference(model, lambda x: x.sum(1), {}, rows, share)["z"]
    weights = next(part for part in model.generator.modules() if isinstance(part, torch.nn.Linear)).weight
    along = weights.sum(0) / weights.sum(0).norm()
    normal = torch.distributions.Normal(0.0, 1.0)
    beyond = normal.log_prob(normal.icdf(torch.tensor(1 - share))).exp() / share  # mean of the largest 5 %
    error = (2 / (share * rows)) ** 0.5  # of a component; along w less, since the tail is narrow
    assert (found - 2 * beyond * along).norm() < 5 * error


def test_a_share_is_of_a_row_or_more():
    with pytest.raises(PlanError, match="difference: share is 0.6 of 10 rows, expected a row or more, up to a half."):
        difference(gan(X, 2), ink, {}, rows=10, share=0.6)


@pytest.mark.parametrize("across", [-1, 0, 1, 2])
def test_slants_are_those_of_lines(across):
    line = torch.full((1, 5, 16), -1.0)
    for up in range(5):
        line[0, 4 - up, 8 + across * (up - 2)] = 1.0
    torch.testing.assert_close(slant(line), torch.tensor([float(across)]))
    torch.testing.assert_close(slant(0.3 * line + 5), slant(line))  # neither contrast nor brightness is a slant
    assert slant(torch.ones(1, 5, 16)) == 0  # no ink
