"""Pixels that look at words."""

import pytest
import torch
from torch import nn

from deepgen.networks.attention import Reading, Words
from deepgen.networks.unet import unet
from pgm import Real, Variable

COLOUR, PLACE, TEXT = Variable("colour", range(3)), Variable("place", range(2)), Variable("text", Real(4, 5))
X, TIME = Variable("x", Real(1, 4, 4)), Variable("time", Real(1))


def spoken(module: nn.Module) -> nn.Module:
    """The same where layers that are 0 at first are not."""
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


@pytest.fixture
def said() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.eye(3)[[2, 0]], torch.eye(2)[[1, 1]], torch.randn(2, 4, 5)]


@pytest.mark.parametrize(("channels", "heads"), [(8, 4), (6, 1)])
def test_attention_by_hand(channels, heads):
    """Pixel by pixel and head by head: the mean of values, weighted by how well keys fit the query."""
    torch.manual_seed(0)
    reading, x, words = spoken(Reading(channels, 5)), torch.randn(2, channels, 3, 2), torch.randn(2, 7, 5)
    normed, each = reading.norm(x), channels // heads
    found = torch.zeros_like(x)
    for row, i, j, head in torch.cartesian_prod(*map(torch.arange, (2, 3, 2, heads))).tolist():
        own = slice(head * each, (head + 1) * each)
        query = (reading.query.weight[:, :, 0, 0] @ normed[row, :, i, j] + reading.query.bias)[own]
        keys, values = (words[row] @ reading.looks.weight.T + reading.looks.bias).chunk(2, -1)
        weights = (keys[:, own] @ query / each**0.5).softmax(0)
        found[row, own, i, j] = weights @ values[:, own]
    last = torch.einsum("dc,nchw->ndhw", reading.last.weight[:, :, 0, 0], found) + reading.last.bias[:, None, None]
    torch.testing.assert_close(reading(x, words), x + last, atol=1e-4, rtol=1e-4)


def test_pixels_do_not_see_the_order_of_words_but_words_know_their_place(said):
    reading, words, x = spoken(Reading(4, 8)), spoken(Words([COLOUR, PLACE, TEXT], 8)), torch.randn(2, 4, 2, 2)
    seen, order = words(said), torch.tensor([3, 0, 5, 1, 4, 2])
    assert seen.shape == (2, 6, 8)
    torch.testing.assert_close(reading(x, seen[:, order]), reading(x, seen), atol=1e-4, rtol=1e-4)
    turned = words([*said[:2], said[2].flip(1)])  # the same words of the text in another order
    assert (reading(x, turned) - reading(x, seen)).abs().amax() > 1e-2


def test_no_word_is_a_word_that_is_learned(said):
    """Of what is not given only the place is left, and it has a gradient."""
    words = Words([COLOUR, PLACE, TEXT], 8)
    nothing = words([torch.zeros_like(value) for value in said])
    torch.testing.assert_close(nothing, nn.functional.layer_norm(words.places, [8]).expand(2, 6, 8))
    one = words([torch.zeros(2, 3), *said[1:]])
    torch.testing.assert_close(one[:, 1:], words(said)[:, 1:])
    (nothing * torch.randn(8)).sum().backward()
    assert bool((words.places.grad.abs().sum(1) > 0).all())
    assert all(float(meaning.weight.grad.abs().sum()) == 0 for meaning in words.meanings)


def test_words_are_heard_as_soon_as_their_last_layer_learns(said):
    """At first a network says the same whatever it reads; the slope of what it says by that layer is not 0."""
    net = unet(4, 8, attention=4, words=True)([X, TIME, COLOUR, PLACE, TEXT], [1, 4, 4])
    nn.init.normal_(net.last[-1].weight)
    values = torch.randn(2, 1, 4, 4), torch.rand(2, 1)
    torch.testing.assert_close(net(*values, *said), net(*values, *(torch.zeros_like(value) for value in said)))
    net(*values, *said).square().sum().backward()
    slopes = [module.last.weight.grad.abs().sum() for module in net.modules() if isinstance(module, Reading)]
    assert len(slopes) == 7  # two on the way down, one in the middle, four on the way up
    assert min(slopes) > 0


def test_words_are_no_vectors():
    """What becomes a word is told to no block; without words to be said there is nothing to be read."""
    net = unet(4, words=True)([X, TIME, COLOUR, Variable("small", Real(1, 2, 2))], [1, 4, 4])
    bare = unet(4, words=True)([X, TIME], [1, 4, 4])
    assert net.tell[0].in_features == bare.tell[0].in_features
    assert net.first.in_channels == 2
    assert not [module for module in bare.modules() if isinstance(module, Reading)]
