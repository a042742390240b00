"""Wide images by the network of small ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

from deepgen.networks.windows import Windows, widened
from pgm import Real, Variable
from pgm.errors import ShapeError

TIME, LABEL = Variable("time", Real(1)), Variable("label", range(3))


class Sight(nn.Module):
    """The image times the time, plus the label's number, plus the image that is given, enlarged."""

    def forward(self, x, time, label=None, small=None):
        found = x * time[..., None, None]
        if label is not None:
            found = found + label.argmax(-1)[..., None, None, None]
        return found if small is None else found + small.repeat_interleave(2, -1).repeat_interleave(2, -2)


class Mean(nn.Module):
    """Every pixel gets the mean of all of its window."""

    def forward(self, x, time):
        return x.mean((-2, -1), keepdim=True).expand(x.shape)


def by_hand(net, x, size, stride):
    """Window after window, pixel after pixel."""
    total, weight = torch.zeros_like(x), torch.zeros(x.shape[-2:], dtype=x.dtype)
    tent = [torch.tensor([min(i + 1, n - i) for i in range(n)], dtype=x.dtype) for n in size]
    for top in range(0, x.shape[-2] - size[0] + 1, stride[0]):
        for left in range(0, x.shape[-1] - size[1] + 1, stride[1]):
            here = (..., slice(top, top + size[0]), slice(left, left + size[1]))
            total[here] += tent[0][:, None] * tent[1] * net(x[here])
            weight[here] += tent[0][:, None] * tent[1]
    return total / weight


@settings(max_examples=12)
@given(some.data())
def test_the_mean_of_all_windows_that_see_a_pixel(data):
    size = data.draw(some.tuples(some.integers(1, 4), some.integers(1, 4)))
    stride = tuple(data.draw(some.integers(1, side)) for side in size)
    sides = tuple(s + step * data.draw(some.integers(0, 2)) for s, step in zip(size, stride, strict=True))
    channels = data.draw(some.sampled_from([(), (3,)]))
    wide = Windows(Mean(), [Variable("x", Real(*channels, *size)), TIME], sides, stride).double()
    x = torch.randn(2, *channels, *sides, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = by_hand(lambda window: window.mean((-2, -1), keepdim=True), x, size, stride)
    torch.testing.assert_close(wide(x, torch.zeros(2, 1)), wanted)


@settings(max_examples=10)
@given(some.sampled_from([(1, 1), (2, 4), (4, 2), (4, 4)]))
def test_a_network_that_sees_a_pixel_alone_never_knows_of_windows(stride):
    x = Variable("x", Real(3, 4, 4))
    wide, now, time = Windows(Sight(), [x, TIME], (8, 16), stride), torch.randn(5, 3, 8, 16), torch.rand(5, 1)
    torch.testing.assert_close(wide(now, time), Sight()(now, time))


def test_labels_and_images_that_are_given():
    """Images of fewer pixels are cut at the same places; labels are those of a row, or of a window."""
    x, small = Variable("x", Real(1, 4, 4)), Variable("small", Real(1, 2, 2))
    wide = Windows(Sight(), [x, TIME, LABEL, small], (4, 12), 4)
    now, time, coarse = torch.randn(2, 1, 4, 12), torch.rand(2, 1), torch.randn(2, 1, 2, 6)
    large = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
    one, each = torch.tensor([2, 1]), torch.tensor([[0, 1, 2], [2, 0, 0]])

    def hot(labels):
        return nn.functional.one_hot(labels, 3).float()

    plain = now * time[..., None, None] + large
    torch.testing.assert_close(wide(now, time, hot(one), coarse), plain + one.reshape(2, 1, 1, 1))
    numbers = each.repeat_interleave(4, -1).reshape(2, 1, 1, 12)
    torch.testing.assert_close(wide(now, time, hot(each), coarse), plain + numbers)


def test_two_numbers_a_pixel_stay_side_by_side():
    class Twice(nn.Module):
        def forward(self, x, time):
            return torch.cat([x, -x], -1)

    wide, now = Windows(Twice(), [Variable("x", Real(4, 4)), TIME], (4, 10), 3), torch.randn(2, 3, 4, 10)
    torch.testing.assert_close(wide(now, torch.rand(2, 3, 1)), torch.cat([now, -now], -1))


def test_the_network_runs_once_on_all_windows():
    class Counting(Mean):
        seen = ()

        def forward(self, x, time):
            self.seen = (*self.seen, x.shape)
            return super().forward(x, time)

    net = Counting()
    Windows(net, [Variable("x", Real(4, 4)), TIME], (8, 12), 2)(torch.zeros(5, 8, 12), torch.zeros(5, 1))
    assert net.seen == ((5, 3 * 5, 4, 4),)


def test_images_grow_and_words_stay():
    x, small, words = Variable("x", Real(3, 4, 8)), Variable("small", Real(3, 2, 4)), Variable("words", Real(2, 7))
    assert [widened(v, x, (8, 24)).shape for v in (x, small, LABEL, words)] == [(3, 8, 24), (3, 4, 12), (), (2, 7)]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: Windows(Mean(), [Variable("x", Real(4)), TIME], (4, 8), 2), "'x' is Real.4., expected an image"),
        (lambda x: Windows(Mean(), [x], (4, 8), 2), r"the parents are \['x'\], expected x, a time"),
        (lambda x: Windows(Mean(), [x, TIME], (3, 8), 2), r"sides are \(3, 8\), expected at least those of 'x'"),
        (lambda x: Windows(Mean(), [x, TIME], (4, 12), 5), "stride is 5, expected 1 to 4, so that windows of 4 meet"),
        (lambda x: Windows(Mean(), [x, TIME], (4, 11), 3), "do not end at 11; take 10 or 13, or another stride"),
        (
            lambda x: Windows(Sight(), [x, TIME, Variable("small", Real(2, 2))], (4, 7), 3),
            r"\(3, 3\) pixels of 'x' \(4, 4\) are not whole pixels of 'small' \(2, 2\)",
        ),
        (
            lambda x: Windows(Mean(), [x, TIME, LABEL], (4, 8), 4)(torch.zeros(4, 8), torch.zeros(1), torch.eye(3)),
            "'label' is given for 3 windows, expected 2, or one",
        ),
    ],
)  # fmt: skip
def test_refusals(make, text):
    with pytest.raises(ShapeError, match=text):
        make(Variable("x", Real(4, 4)))
