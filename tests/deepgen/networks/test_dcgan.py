"""Deep convolutional generators and discriminators fit all sides, keep their guidelines, and use labels as they say."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from deepgen.networks.dcgan import dcgan_discriminator, dcgan_generator, patchgan
from deepgen.networks.spectral import spectral
from pgm import Real, Variable
from pgm.errors import ShapeError

Z, LABEL = Variable("z", Real(6)), Variable("label", range(3))
SIDES = {8: (4, 6), 28: (4, 6), 32: (4, 6, 8), 64: (4, 6, 8, 10)}
CONVOLUTIONS = nn.Conv2d | nn.ConvTranspose2d


def image(side, channels=None):
    return Variable("image", Real(side, side) if channels is None else Real(channels, side, side))


def labels(rows):
    return torch.eye(3)[torch.arange(rows) % 3]


def test_images_are_made_of_single_numbers_too():
    slant, x = Variable("slant", Real()), image(8)
    made, number = dcgan_generator(4, 8)([Z, slant], x.shape), torch.randn(4)
    as_column = dcgan_generator(4, 8)([Z, Variable("slant", Real(1))], x.shape)
    as_column.load_state_dict(made.state_dict())
    z = torch.randn(4, 6)
    torch.testing.assert_close(made(z, number), as_column(z, number[:, None]))


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("colours", [None, 1, 3])
@pytest.mark.parametrize("side", SIDES)
def test_images_of_all_sides_are_made_and_judged(side, colours, labelled):
    x, told = image(side, colours), [LABEL] * labelled
    shown = [labels(4)] * labelled
    drawn = dcgan_generator(*SIDES[side], attention=8)([Z, *told], x.shape)(torch.randn(4, 6), *shown)
    assert drawn.shape == (4, *x.shape)
    assert drawn.abs().max() <= 1
    assert dcgan_discriminator(*SIDES[side], attention=8)([x, *told], [])(drawn, *shown).shape == (4,)
    patches = (side // 2, side // 2)
    assert patchgan(4)([x, *told], patches)(drawn, *shown).shape == (4, *patches)


def test_generators_follow_the_guidelines():
    """Transposed convolutions alone, each followed by a batch norm and ReLU, but for the last, which a tanh follows."""
    made = dcgan_generator(8, 16)([Z], [3, 32, 32])
    order = [part for part in made.modules() if isinstance(part, CONVOLUTIONS | nn.BatchNorm2d | nn.ReLU | nn.Linear)]
    up, norm, relu = nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU
    assert [type(part) for part in order] == [up, norm, relu, up, norm, relu, up]
    assert [part.stride for part in order if isinstance(part, up)] == [(1, 1), (2, 2), (2, 2)]
    torch.testing.assert_close(made(torch.zeros(2, 6)), torch.zeros(2, 3, 32, 32), atol=1e-6, rtol=0)


def test_discriminators_follow_the_guidelines():
    """Strided convolutions and leaky ReLUs, a batch norm after all but the first, and no hidden layer that is dense."""
    made = dcgan_discriminator(8, 16, 24)([image(32, 3)], [])
    order = [type(part) for part in made.features]
    down, norm, leaky = nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU
    assert order == [down, leaky, down, norm, leaky, down, norm, leaky, nn.Flatten]
    assert {part.stride for part in made.features if isinstance(part, down)} == {(2, 2)}
    assert {part.negative_slope for part in made.features if isinstance(part, leaky)} == {0.2}
    assert [part.out_features for part in made.modules() if isinstance(part, nn.Linear)] == [1]


@pytest.mark.parametrize(
    "network", [dcgan_generator(64, 64)([Z], [16, 16]), dcgan_discriminator(64, 64)([image(16)], [])]
)
def test_weights_begin_with_a_deviation_of_002(network):
    for part in network.modules():
        if isinstance(part, CONVOLUTIONS) and part.weight.numel() > 5000:
            error = 0.02 / (2 * part.weight.numel()) ** 0.5  # of a standard deviation
            assert abs(part.weight.std().item() - 0.02) < 5 * error


def test_labels_that_share_parameters_are_a_plain_batch_norm():
    """And weights of the first layer for the labels that are 0: then the label changes nothing."""
    torch.manual_seed(0)
    told, plain = dcgan_generator(4, 8)([Z, LABEL], [16, 16]), dcgan_generator(4, 8)([Z], [16, 16])
    told.first.weight.data[6:] = 0
    plain.first.weight.data = told.first.weight.data[:6]
    for mine, its in zip(told.stages, plain.stages, strict=True):
        scale, shift = torch.randn(2, its.norm.num_features)
        mine.norm.scale.data[:], mine.norm.shift.data[:] = scale, shift
        its.norm.weight.data, its.norm.bias.data = scale, shift
        its.rest.load_state_dict(mine.rest.state_dict())
    z = torch.randn(5, 6)
    torch.testing.assert_close(told(z, labels(5)), plain(z))
    torch.testing.assert_close(told.eval()(z, labels(5)), plain.eval()(z))  # the running means of both are the same


@pytest.mark.parametrize(("maker", "shape"), [(dcgan_discriminator(4, 8), []), (patchgan(4, 8), [2, 2])])
def test_scores_are_linear_in_the_labels_embedding(maker, shape):
    """s(x, y; a V + b W) = a s(x, y; V) + b s(x, y; W) + (1 - a - b) s(x; 0), row by row."""
    torch.manual_seed(1)
    network = maker([image(8), LABEL], shape).eval()
    x, told = torch.rand(6, 8, 8), labels(6)
    directions = torch.randn(2, *network.head.embedding.weight.shape)

    def scores(embedding):
        network.head.embedding.weight.data = embedding
        return network(x, told)

    one, other, none = (scores(each) for each in (*directions, torch.zeros_like(directions[0])))
    found = scores(0.3 * directions[0] - 2 * directions[1])
    torch.testing.assert_close(found, 0.3 * one - 2 * other + 2.7 * none)
    assert not torch.allclose(one, none)


@settings(max_examples=12)
@given(st.integers(1, 3), st.integers(0, 7), st.integers(0, 7))
def test_patches_see_so_many_pixels_and_no_more(halvings, row, column):
    """By the gradient: the pixels that move a score are a square of 5 * 2^k - 2, as far as the image goes."""
    torch.manual_seed(2)
    network = patchgan(*[3] * halvings, norm="none")([image(64)], [64 // 2**halvings] * 2)
    for part in network.modules():  # none is 0 by chance, and no unit is flat
        if isinstance(part, nn.Conv2d):
            nn.init.uniform_(part.weight, 0.1, 1.0)
    x = torch.rand(1, 64, 64, requires_grad=True)
    network(x)[0, row, column].backward()
    moved = x.grad[0] != 0
    sees, apart = 5 * 2**halvings - 2, 2**halvings
    for place, axis in ((row, 1), (column, 0)):
        first = apart * place + apart // 2 - sees // 2
        expected = [max(first, 0), min(first + sees, 64) - 1]
        seen = moved.any(axis).nonzero()[:, 0]
        assert [seen.min().item(), seen.max().item()] == expected


@pytest.mark.parametrize("norm", ["layer", "instance", "none"])
def test_without_batch_norm_rows_are_judged_alone(norm):
    torch.manual_seed(3)
    made = dcgan_discriminator(4, 8, norm=norm, attention=4)([image(8), LABEL, Z], [])
    x, z, told = torch.rand(4, 8, 8), torch.randn(4, 6), labels(4)
    whole = made(x, told, z)
    torch.testing.assert_close(torch.stack([made(x[n], told[n], z[n]) for n in range(4)]), whole)


def test_with_batch_norm_they_are_not_while_learning():
    made = dcgan_discriminator(4, 8)([image(8)], [])
    x = torch.rand(4, 8, 8)
    assert not torch.allclose(made(x)[:2], made(x[:2]))
    torch.testing.assert_close(made.eval()(x)[:2], made.eval()(x[:2]))


def test_attention_begins_by_adding_nothing_and_is_reached_by_gradients():
    torch.manual_seed(4)
    looking = dcgan_discriminator(4, 8, attention=4)([image(8)], []).eval()
    plain = dcgan_discriminator(4, 8)([image(8)], []).eval()
    names = dict(
        zip(plain.state_dict(), (n for n in looking.state_dict() if ".gate" not in n and ".f." not in n), strict=True)
    )
    plain.load_state_dict({mine: looking.state_dict()[its] for mine, its in names.items()})
    x = torch.rand(3, 8, 8)
    torch.testing.assert_close(looking(x), plain(x))
    looking(x).sum().backward()
    gates = [p.grad for name, p in looking.named_parameters() if name.endswith("gate")]
    assert len(gates) == 2
    assert all(gate.abs() > 0 for gate in gates)


def test_spectral_norms_make_every_weight_one_that_stretches_nothing():
    torch.manual_seed(6)
    made = spectral(dcgan_discriminator(4, 8, attention=4), iterations=50)([image(8), LABEL], [])
    made(torch.rand(4, 8, 8), labels(4))
    weights = [part.weight for part in made.modules() if isinstance(part, CONVOLUTIONS | nn.Linear)]
    sizes = torch.stack([torch.linalg.matrix_norm(weight.flatten(1), 2) for weight in weights])
    torch.testing.assert_close(sizes, torch.ones(len(weights)), atol=1e-3, rtol=0)
    assert len(weights) == 2 + 2 * 2 + 2  # convolutions; looks and last of each attention; psi and the embedding


def test_batches_are_matched_as_torch_does():
    made = dcgan_generator(4, 8)([Z, LABEL], [8, 8]).eval()
    z, told = torch.randn(2, 1, 6), labels(3)
    whole = made(z, told)
    assert whole.shape == (2, 3, 8, 8)
    torch.testing.assert_close(whole[1, 2], made(z[1, 0], told[2]))


def test_smaller_images_are_enlarged_and_vectors_are_the_same_everywhere():
    """As if the discriminator had been given them so."""
    torch.manual_seed(5)
    made = dcgan_discriminator(4)([image(8), image(4), Z], []).eval()
    wide = dcgan_discriminator(4)([image(8), image(8), Variable("z", Real(6, 8, 8))], []).eval()
    wide.load_state_dict(made.state_dict())
    x, small, z = torch.rand(3, 8, 8), torch.rand(3, 4, 4), torch.randn(3, 6)
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(made(x, small, z), wide(x, large, z[..., None, None].expand(-1, -1, 8, 8)))


def test_errors_say_what_can_be_made():
    with pytest.raises(ShapeError, match="there are 3 numbers of channels, and sides of 28 x 28 .*; name 1 to 2."):
        dcgan_generator(8, 16, 32)([Z], [28, 28])
    with pytest.raises(
        ShapeError, match="sides of 7 x 9 cannot be halved .* take images whose sides are, such as 32, or mlp."
    ):
        dcgan_discriminator(8)([Variable("image", Real(7, 9))], [])
    with pytest.raises(ShapeError, match=r"dcgan_generator: channels are \[4, 0\], expected 1 or more at each size."):
        dcgan_generator(4, 0)([Z], [8, 8])
    with pytest.raises(ShapeError, match="there are 0 numbers of channels"):
        dcgan_generator()([Z], [8, 8])
    with pytest.raises(ShapeError, match="'image' is an image, expected vectors and labels; use convolutional."):
        dcgan_generator(8)([image(8)], [8, 8])
    with pytest.raises(ShapeError, match=r"the result has shape \(5,\), expected \[height, width\]; use mlp."):
        dcgan_generator(8)([Z], [5])
    with pytest.raises(ShapeError, match=r"no parent of \['z'\] is an image \[height, width\]; use mlp."):
        dcgan_discriminator(8)([Z], [])
    with pytest.raises(ShapeError, match=r"scores have shape \(4, 4\), expected \(\) a row; use patchgan."):
        dcgan_discriminator(8)([image(8)], [4, 4])
    with pytest.raises(ShapeError, match=r"patches is \(2, 2\), expected \(4, 4\) for images of \(8, 8\)."):
        patchgan(8)([image(8)], [2, 2])
    with pytest.raises(ValueError, match="norm is 'bach', expected 'batch', 'layer', 'instance', 'none'."):
        dcgan_generator(8, norm="bach")([Z], [8, 8])
