"""Divergence and active units by level beside closed forms of linear Gaussian models, and of guides built by hand."""

import pytest
import torch

from deepgen.data.data import arrays
from deepgen.evaluate.latents import levels
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.zoo.hierarchical import markovian_hierarchical_vae
from deepgen.zoo.vae import vae
from pgm import Binary, Gaussian, LinearGaussian, Model, Real, Tabular, Variable
from pgm.errors import PlanError, ShapeError

ROWS = 2000
X, Z = Variable("x", Real(2)), Variable("z", Real(2))


def points() -> torch.Tensor:
    return torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_one_level_of_a_linear_model() -> None:
    """q(z | x) = N((x1 / 2, 0), diag(1/4, 1)): one unit is in use, with variance var(x1) / 4."""
    model = Model(Gaussian(Z, torch.zeros(2), torch.eye(2)), LinearGaussian(X, [Z], torch.eye(2), [0, 0], torch.eye(2)))
    guide = Model(LinearGaussian(Z, [X], [[0.5, 0.0], [0.0, 0.0]], [0.0, 0.0], [[0.25, 0.0], [0.0, 1.0]]))
    x = points()
    (level,) = levels(Pair(model, guide), arrays("points", x=x), draws=100)
    assert (level.name, level.active, level.units) == ("z", 1, 2)
    assert level.variances == pytest.approx([x[:, 0].var().item() / 4, 0.0], abs=1e-9)
    expected = 0.5 * (0.25 - 1 - torch.tensor(0.25).log().item() + x[:, 0].square().mean().item() / 4)
    assert level.kl == pytest.approx(expected, abs=5 * (0.5 * 2 / (100 * ROWS)) ** 0.5 * 2)
    assert level.error == pytest.approx((x[:, 0].square() / 8).std().item() / ROWS**0.5, rel=0.1)


def test_the_mean_of_an_upper_level_is_free_of_the_noise_below() -> None:
    """z1 = N(x, 1), z2 = N(z1 / 10, 1): E[z2 | x] = x / 10 varies by 1 / 100 of x, while z1 / 10 varies by twice that.

    The covariance of two halves of 2 draws each is unbiased, with a standard error of about v / sqrt(rows), v the
    variance 0.01 + 0.005 of a half.
    """
    x, one, two = (Variable(name, Real(1)) for name in ("x", "z1", "z2"))

    def link(child, parent, slope):
        return LinearGaussian(child, [parent], [[slope]], [0.0], [[1.0]])

    model = Model(Gaussian(two, [0.0], [[1.0]]), link(one, two, 0.5), link(x, one, 0.5))
    guide = Model(link(one, x, 1.0), link(two, one, 0.1))
    rows = points()[:, :1]
    found = levels(Pair(model, guide), arrays("points", x=rows), draws=4)
    assert [level.name for level in found] == ["z2", "z1"]
    expected = rows.var().item() / 100
    assert abs(found["z2"].variances[0] - expected) < 5 * 0.015 / ROWS**0.5
    assert found["z1"].variances[0] == pytest.approx(rows.var().item(), abs=1e-9)


def test_states_are_active_where_their_probabilities_vary() -> None:
    k, seen = Variable("k", 2), Variable("seen", 2)
    model = Model(Tabular(k, [], [0.5, 0.5]), Tabular(seen, [k], [[0.7, 0.3], [0.3, 0.7]]))
    guide = Model(Tabular(k, [seen], [[0.9, 0.1], [0.5, 0.5]]))
    (level,) = levels(Pair(model, guide), arrays("bits", seen=torch.arange(10) % 2))
    variance = torch.tensor([0.9, 0.5]).repeat(5).var().item()
    assert level.variances == pytest.approx([variance, variance])
    assert level.active == 2


def test_a_guide_that_ignores_the_data_is_seen_to_have_collapsed() -> None:
    torch.manual_seed(0)
    pair = markovian_hierarchical_vae(Variable("x", Binary(3)), [2, 2], encoder=mlp(4), decoder=mlp(4))
    with torch.no_grad():
        for conditional in (*pair.guide.conditionals.values(), pair.model.conditionals["z1"]):
            for parameter in conditional.parameters():
                parameter.zero_()
    found = levels(pair, arrays("bits", x=torch.rand(50, 3).round()))
    assert [(level.kl, level.active) for level in found] == [(0.0, 0), (0.0, 0)]
    assert str(found).splitlines()[1].split() == ["z2", "0.00", "±", "0.00", "0", "of", "2"]
    assert found.row == {"kl of z2": 0, "kl of z1": 0, "active units of z2": 0, "active units of z1": 0}
    figures = {figure.name: figure for figure in found.figures}
    assert (figures["kl of z1"].unit, figures["active units of z1"].value) == ("nats", 0)


def test_draws_are_from_the_seed_alone() -> None:
    torch.manual_seed(0)
    pair = markovian_hierarchical_vae(Variable("x", Binary(3)), [2, 2], encoder=mlp(4), decoder=mlp(4))
    data = arrays("bits", x=torch.rand(50, 3).round())
    before = torch.get_rng_state()
    assert levels(pair, data) == levels(pair, data) != levels(pair, data, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_one_draw_is_not_enough() -> None:
    with pytest.raises(PlanError, match="levels: draws is 1, expected 2 or more"):
        levels(vae(Variable("x", Binary(3)), 2), arrays("bits", x=torch.zeros(5, 3)), draws=1)


def test_one_row_does_not_vary() -> None:
    with pytest.raises(ShapeError, match="levels: bits has one row, expected two or more"):
        levels(vae(Variable("x", Binary(3)), 2), arrays("bits", x=torch.zeros(1, 3)))
