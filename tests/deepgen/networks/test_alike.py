"""Minibatch discrimination and octaves, beside loops by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deepgen.networks import convolutional, mlp
from deepgen.networks.alike import Alike, minibatch
from deepgen.networks.octaves import Octaves, octaves
from deepgen.zoo.adversarial import adversarial, gan, r1
from pgm import Real, Variable
from pgm.errors import PlanError, ShapeError

X = Variable("x", Real(2))


@settings(max_examples=10)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
def test_likeness_is_the_sum_over_the_other_rows(rows: int, kernels: int, width: int) -> None:
    alike, x = Alike(2, kernels, width), torch.randn(rows, 2)
    maps = alike.maps.detach().reshape(2, kernels, width)
    expected = torch.zeros(rows, kernels)
    for i in range(rows):
        for b in range(kernels):
            for j in set(range(rows)) - {i}:
                expected[i, b] += (-(x[i] @ maps[:, b] - x[j] @ maps[:, b]).abs().sum()).exp()
    torch.testing.assert_close(alike(x).detach(), expected, rtol=1e-5, atol=1e-5)


def test_the_order_of_a_batch_does_not_matter_but_its_rows_do() -> None:
    net, x = minibatch(mlp(8), mlp(8), features=5, kernels=3)([X], []), torch.randn(7, 2)
    order = torch.randperm(7)
    torch.testing.assert_close(net(x[order]), net(x)[order])
    assert not torch.allclose(net(x[:1]), net(x)[:1])


@pytest.mark.parametrize("below", [mlp(4), convolutional(4)], ids=["dense", "convolutional"])
def test_images_and_labels_are_seen_by_the_network_below(below) -> None:
    given = Variable("image", Real(4, 4)), Variable("label", range(3))
    found = gan(given[0], 2, label=given[1], discriminator=minibatch(below, mlp(4)))
    values = {"image": torch.randn(5, 4, 4), "label": torch.arange(5) % 3}
    assert found.scores(values).shape == (5,)


def test_penalties_of_single_rows_refuse_it() -> None:
    found = gan(X, 2, discriminator=minibatch(mlp(4), mlp(4)))
    with pytest.raises(PlanError, match=r"judges rows by their batch \(net.net.alike\)"):
        adversarial(found, penalty=r1())
    with pytest.raises(ShapeError, match="kernels and width are 64, 0 and 4, expected 1 or more each"):
        minibatch(mlp(), mlp(), kernels=0)


def test_octaves_are_sines_and_cosines_beside_the_numbers() -> None:
    label, x = Variable("label", range(2)), torch.randn(5, 2)
    seen = Octaves([X, label], 3, nn.ModuleList())
    angles = torch.cat([x, 2 * x, 4 * x], 1)
    torch.testing.assert_close(seen._waves(x), torch.cat([x, angles.sin(), angles.cos()], 1))
    assert octaves(mlp(4), 3)([X, label], [6])(x, torch.zeros(5, 2)).shape == (5, 6)


def test_octaves_are_one_or_more() -> None:
    with pytest.raises(PlanError, match="octaves: count is 0, expected 1 or more; for none take the network itself"):
        octaves(mlp(4), 0)


def test_octaves_make_a_linear_map_know_a_wave() -> None:
    """Least squares on what a linear network sees finds sin(4 x) to the last digit; on x alone it cannot."""
    x = torch.linspace(-3, 3, 200, dtype=torch.double)[:, None]
    seen = octaves(lambda given, shape: nn.Identity(), 3)([Variable("x", Real(1))], [7])(x)
    found = seen @ torch.linalg.lstsq(seen, (4 * x).sin()).solution
    torch.testing.assert_close(found, (4 * x).sin())
