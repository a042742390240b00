"""Convolutional networks: images to numbers, numbers to images, images to images of other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch
from torch import Size, Tensor, nn
from torch.nn.functional import interpolate

from pgm.errors import ShapeError
from pgm.variable import Variable

from .network import Network, columns

Activation = Callable[[], nn.Module]


def convolutional(*channels: int, blocks: int = 1, activation: Activation = nn.ReLU) -> Network:
    """Makes convolutional networks; which way they go follows from the shapes of the parents and of the result.

    What has two axes or more is an image, `[height, width]` or `[channels, height, width]`; all else is a vector. From
    an image to a vector the sides are halved, upwards rounded, once for each number of channels, and from a vector to
    an image doubled as often; between images just as often as their sides say. Of several parents that are images
    the smaller ones are enlarged; vectors and labels are joined as channels that are the same everywhere.

    Args:
        channels: at half of the largest size, at a quarter of it, and so on; the last number holds for all smaller.
        blocks: residual blocks at each of these sizes.
        activation: makes what comes between layers.

    Raises:
        ShapeError: without channels, or when neither a parent nor the result is an image.

    Example:
        >>> from pgm import Real
        >>> z, x, network = Variable("z", Real(2)), Variable("x", Real(28, 28)), convolutional(32, 64)
        >>> network([x], [50])(torch.zeros(5, 28, 28)).shape, network([z], [28, 28])(torch.zeros(5, 2)).shape
        (torch.Size([5, 50]), torch.Size([5, 28, 28]))

    Reference: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition; He,
    Zhang, Ren and Sun (2016), Deep residual learning, for the blocks.
    """
    if not channels:
        raise ShapeError("convolutional: there are no channels, expected one number or more, convolutional(32, 64).")

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        return Convolutional(given, shape, channels, blocks, activation)

    return make


class Convolutional(nn.Module):
    """What `convolutional` makes.

    Args:
        given: parents.
        shape: of the result.
        channels, blocks, activation: as for `convolutional`.
    """

    def __init__(
        self,
        given: Sequence[Variable],
        shape: Sequence[int],
        channels: Sequence[int],
        blocks: int,
        activation: Activation,
    ) -> None:
        super().__init__()
        images = [v for v in given if image(v)]
        vectors = [v for v in given if not image(v)]
        self.axes = [len(v.shape) if not v.finite else 1 for v in given]
        self.shape = tuple(shape)
        layers = _Layers(channels, blocks, activation)
        if images:
            self.size = (max(v.shape[-2] for v in images), max(v.shape[-1] for v in images))
            before = sum(prod(v.shape[:-2]) for v in images) + columns(vectors)
            self.net = nn.Sequential(*layers.of_image(before, self.size, self.shape))
        elif len(shape) > 1:
            self.size = (1, 1)
            self.net = nn.Sequential(*layers.of_vector(columns(vectors), self.shape))
        else:
            raise ShapeError(
                f"convolutional: the parents {[v.name for v in given]} and the result of shape {self.shape} are "
                "vectors, expected an image [height, width] or [channels, height, width] among them; use mlp."
            )

    def forward(self, *values: Tensor) -> Tensor:
        """One tensor a parent to numbers, `[*batch, *shape]`."""
        splits = [value.dim() - axes for value, axes in zip(values, self.axes, strict=True)]
        batch = torch.broadcast_shapes(*(value.shape[:at] for value, at in zip(values, splits, strict=True)))
        parts = [self._channels(value, at, batch) for value, at in zip(values, splits, strict=True)]
        return self.net(torch.cat(parts, 1)).reshape([*batch, *self.shape])

    def _channels(self, value: Tensor, at: int, batch: Size) -> Tensor:
        """One parent's values as channels of the joint size, `[rows, channels, height, width]`."""
        wide = value.expand([*batch, *value.shape[at:]])
        if value.dim() - at < 2:
            return wide.reshape(batch.numel(), -1, 1, 1).expand(-1, -1, *self.size)
        found = wide.reshape(batch.numel(), -1, *value.shape[-2:])
        return found if found.shape[-2:] == self.size else interpolate(found, self.size)


def image(variable: Variable) -> bool:
    """Whether convolutions see a variable as an image: it has two axes or more.

    Example:
        >>> from pgm import Binary
        >>> image(Variable("x", Binary(28, 28))), image(Variable("label", range(10)))
        (True, False)
    """
    return not variable.finite and len(variable.shape) > 1


class Residual(nn.Module):
    """A residual block, x + f(x), at one size.

    Args:
        channels: of x.
        activation: makes what comes before each of two convolutions.
    """

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        first, second = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)
        self.net = nn.Sequential(activation(), first, activation(), second)

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, channels, height, width]` to the same."""
        found: Tensor = x + self.net(x)
        return found


class _Layers:
    """Layers one after the other, by sizes."""

    def __init__(self, channels: Sequence[int], blocks: int, activation: Activation) -> None:
        self.channels, self.blocks, self.activation = channels, blocks, activation

    def of_image(self, before: int, size: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[nn.Module]:
        if len(shape) < 2:
            sizes = _halves(size, len(self.channels))
            yield from self._down(before, len(sizes) - 1)
            yield nn.Flatten()
            yield nn.Linear(self._at(len(sizes) - 1) * prod(sizes[-1]), prod(shape))
            return
        goal = shape[-2:]
        if max(goal[0] / size[0], goal[1] / size[1]) > 1:
            times = max(_times(goal, size), 1)
            yield from self._first(before, times)
            yield from self._up(goal, times, prod(shape[:-2]))
            return
        times = _times(size, goal)
        yield from self._down(before, times) if times else self._first(before, 0)
        if _halves(size, times)[-1] != goal:
            yield nn.AdaptiveAvgPool2d(goal)
        yield nn.Conv2d(self._at(times), prod(shape[:-2]), 1)

    def of_vector(self, before: int, shape: tuple[int, ...]) -> Iterator[nn.Module]:
        times = len(self.channels)
        coarse, channels = _halves(shape[-2:], times)[-1], self._at(times)
        yield nn.Flatten()
        yield nn.Linear(before, channels * prod(coarse))
        yield nn.Unflatten(-1, (channels, *coarse))
        yield from self._rest(channels)
        yield from self._up(shape[-2:], times, prod(shape[:-2]))

    def _first(self, before: int, level: int) -> Iterator[nn.Module]:
        yield nn.Conv2d(before, self._at(level), 3, padding=1)
        yield from self._rest(self._at(level))

    def _down(self, before: int, times: int) -> Iterator[nn.Module]:
        for level in range(1, times + 1):
            yield nn.Conv2d(before, self._at(level), 3, stride=2, padding=1)
            yield from self._rest(self._at(level))
            before = self._at(level)

    def _up(self, goal: tuple[int, ...], times: int, after: int) -> Iterator[nn.Module]:
        sizes = _halves(goal, times)
        for level in range(times - 1, -1, -1):
            last = level == 0
            yield nn.Upsample(sizes[level])  # enlarged and then convolved: no pattern of squares
            yield nn.Conv2d(self._at(level + 1), after if last else self._at(level), 3, padding=1)
            yield from () if last else self._rest(self._at(level))

    def _rest(self, channels: int) -> Iterator[nn.Module]:
        """What follows every convolution that changes the size."""
        yield from (Residual(channels, self.activation) for _ in range(self.blocks))
        yield self.activation()

    def _at(self, level: int) -> int:
        """How many channels there are once the size has been halved so often."""
        return self.channels[min(max(level, 1), len(self.channels)) - 1]


def _halves(size: Sequence[int], times: int) -> list[tuple[int, ...]]:
    """A size and what halving makes of it, upwards rounded, as stride 2 does."""
    found = [tuple(size)]
    for _ in range(times):
        found.append(tuple((side + 1) // 2 for side in found[-1]))
    return found


def _times(large: Sequence[int], small: Sequence[int]) -> int:
    """How often a size can be halved, or has to be doubled, on the way to another one."""
    times, size = 0, tuple(large)
    while (half := _halves(size, 1)[-1]) != size and all(a >= b for a, b in zip(half, small, strict=True)):
        times, size = times + 1, half
    return times
