"""Networks that translate images: shapes, shortcuts, shades, and sizes that do not fit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen.networks.translating import unet_generator
from pgm import Real, Variable
from pgm.errors import ShapeError

LABEL, Z = Variable("label", range(3)), Variable("z", Real(2))


def image(*shape: int) -> Variable:
    return Variable("source", Real(*shape))


@settings(max_examples=10)
@given(st.integers(3, 17), st.integers(3, 17), st.sampled_from(["batch", "layer", "instance", "none"]))
def test_any_sides_come_back(height: int, width: int, norm) -> None:
    channels = (4, 6) if min(height, width) > 4 else (4,)
    net = unet_generator(*channels, norm=norm)([image(2, height, width), Z, LABEL], [3, height, width])
    found = net(torch.randn(5, 2, height, width), torch.randn(5, 2), torch.eye(3)[[0, 1, 2, 0, 1]])
    assert found.shape == (5, 3, height, width)
    assert found.abs().max() <= 1


def test_every_pixel_sees_all_and_itself_at_once() -> None:
    """The gradient of a pixel is anywhere; without the way down it is that of the last layer's 3 x 3 pixels."""
    torch.manual_seed(0)
    net = unet_generator(8, 8, norm="none")([image(8, 8)], [8, 8])
    rows = torch.randn(1, 8, 8, requires_grad=True)
    (slope,) = torch.autograd.grad(net(rows)[0, 0, 0], rows)
    assert (slope[0] != 0).float().mean() > 0.5
    torch.nn.init.zeros_(net.last.weight[:, :8])
    (slope,) = torch.autograd.grad(net(rows)[0, 4, 4], rows)
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[3:6, 3:6] = True
    assert torch.equal(slope[0] != 0, expected)


def test_all_weights_learn() -> None:
    net = unet_generator(4, 8, 8)([image(16, 16), Z], [16, 16])
    net(torch.randn(3, 16, 16), torch.randn(3, 2)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize(
    ("given", "shape", "channels", "said"),
    [
        ([image(8, 8)], [16, 16], (4,), r"'source' is 8 x 8 and the result 16 x 16, expected the same sides"),
        ([image(8, 8)], [8, 8], (4, 4, 4), r"there are 3 numbers of channels, expected 1 to 2 for sides of 8 x 8"),
        ([image(8, 8)], [8, 8], (), r"there are 0 numbers of channels, expected 1 to 2"),
        ([image(8, 8)], [8, 8], (4, 0), r"channels are \[4, 0\], expected 1 or more at each size"),
        ([Z], [8, 8], (4,), r"the parents are \['z'\] .* expected images, \[height, width\]; use mlp"),
        ([image(8, 8)], [64], (4,), r"the result has shape \(64,\), expected images"),
    ],
)
def test_sizes_that_do_not_fit(given, shape, channels, said) -> None:
    with pytest.raises(ShapeError, match=f"unet_generator: .*{said}"):
        unet_generator(*channels)(given, shape)
