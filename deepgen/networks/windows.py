"""Wide images by the network of small ones: overlapping windows, averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import fold

from pgm.domains import Real
from pgm.errors import ShapeError
from pgm.variable import Variable

from .convolutional import image
from .timed import require_time

Sides = tuple[int, int]


class Windows(nn.Module):
    """A network of small images, applied to overlapping windows of a wide one; results are averaged where they overlap.

    A pixel's answer is the mean of those of all windows that see it, weighted by how far the pixel is from their edges:
    sum_w weight_w(pixel) net(window w)(pixel) / sum_w weight_w(pixel). All windows are one batch.

    Args:
        net: the network of small images, with parents x, time and others.
        given: its parents; images among the others, with sides in the ratio of x's, are cut as x is; the rest is told
            to all windows alike.
        sides: height and width of the wide image, in pixels.
        stride: pixels from one window to the next, down and across, or one number for both.

    Raises:
        ShapeError: when x is no image, or windows that far apart do not end at the edges, or leave gaps.

    Example:
        >>> from deepgen import unet
        >>> x, time = Variable("image", Real(8, 8)), Variable("time", Real(1))
        >>> wide = Windows(unet(8)([x, time], [8, 8]), [x, time], (8, 32), stride=4)
        >>> wide
        Windows(image, 1 x 7 of (8, 8) in (8, 32))
        >>> wide(torch.zeros(5, 8, 32), torch.zeros(5, 1)).shape
        torch.Size([5, 8, 32])

    Reference: Bar-Tal, Yariv, Lipman and Dekel (2023), MultiDiffusion: fusing diffusion paths for controlled image
    generation.
    """

    weight: Tensor
    total: Tensor

    def __init__(self, net: Callable[..., Any], given: Sequence[Variable], sides: Sides, stride: int | Sides) -> None:
        super().__init__()
        require_time(given, "windows")
        x = given[0]
        if not image(x):
            raise ShapeError(f"windows: {x.name!r} is {x.domain!r}, expected an image of two axes or more.")
        self.net, self.names, self.sides = net, [v.name for v in given], (sides[0], sides[1])
        self.axes = [1 if v.finite else len(v.shape) for v in given]
        self.size, self.stride = _sides(x), _both(stride)
        self.places = places(x, self.sides, stride)
        self.cuts = [(_sides(v), scaled(self.stride, v, x)) if _follows(v, x) else None for v in given]
        down, across = (_tent(side) for side in self.size)
        self.register_buffer("weight", down[:, None] * across, persistent=False)
        ones = self.weight.flatten()[None, :, None].expand(1, -1, prod(self.places))
        self.register_buffer("total", fold(ones, self.sides, self.size, stride=self.stride)[0, 0], persistent=False)

    def forward(self, x: Tensor, time: Tensor, *others: Tensor) -> Tensor:
        """x `[*batch, *event]`, time `[*batch, 1]` and others to numbers `[*batch, *shape]`, of the wide image.

        What is no image may differ by window, `[*batch, windows, *event]`, row by row from the top left: a label each.
        """
        batch = x.dim() - self.axes[0]
        parts = [self._part(number, value, batch) for number, value in enumerate((x, time, *others))]
        said = self.net(*parts)
        times = said.shape[-1] // self.size[1]  # several numbers for each pixel are side by side in the last axis
        return torch.cat([self._joined(each) for each in said.chunk(times, -1)], -1)

    def _part(self, number: int, value: Tensor, batch: int) -> Tensor:
        """One parent as windows see it, `[*batch, windows or 1, *event]`."""
        axes, cut = self.axes[number], self.cuts[number]
        if cut is not None:
            return _cut(value, *cut, axes)
        if value.dim() - axes <= batch:
            return value.unsqueeze(-axes - 1)
        if value.shape[-axes - 1] != prod(self.places):
            found, name = value.shape[-axes - 1], self.names[number]
            raise ShapeError(f"windows: {name!r} is given for {found} windows, expected {prod(self.places)}, or one.")
        return value

    def _joined(self, said: Tensor) -> Tensor:
        """The mean over windows, `[*batch, windows, *event]` to `[*batch, *event]` of the wide image."""
        batch, event = said.shape[: -self.axes[0] - 1], said.shape[-self.axes[0] : -2]
        flat = (said * self.weight).movedim(-self.axes[0] - 1, -1)  # windows last
        columns = flat.reshape(batch.numel(), -1, prod(self.places))
        found: Tensor = fold(columns, self.sides, self.size, stride=self.stride) / self.total
        return found.reshape(*batch, *event, *self.sides)

    def __repr__(self) -> str:
        down, across = self.places
        return f"Windows({self.names[0]}, {down} x {across} of {self.size} in {self.sides})"


def widened(given: Variable, x: Variable, sides: Sides) -> Variable:
    """A variable of the wide model for one of the small model: images grow as x does, all else stays.

    Args:
        given: x itself, or what the network is told besides.
        x: the small image.
        sides: of the wide image.

    Example:
        >>> widened(Variable("small", Real(3, 4, 4)), Variable("image", Real(3, 8, 8)), (8, 32))
        Variable('small', Real(3, 4, 16))
    """
    return Variable(given.name, Real(*given.shape[:-2], *scaled(sides, given, x))) if _follows(given, x) else given


def scaled(lengths: Sides, given: Variable, x: Variable) -> Sides:
    """Lengths in pixels of x as pixels of another image, which may have more or fewer of them.

    Raises:
        ShapeError: when these are not whole numbers.
    """
    ratios = zip(lengths, given.shape[-2:], x.shape[-2:], strict=True)
    found = [divmod(length * side, whole) for length, side, whole in ratios]
    if any(rest for _, rest in found):
        raise ShapeError(
            f"windows: {lengths} pixels of {x.name!r} {x.shape[-2:]} are not whole pixels of {given.name!r} "
            f"{given.shape[-2:]}; take a stride that is."
        )
    return found[0][0], found[1][0]


def places(x: Variable, sides: Sides, stride: int | Sides) -> Sides:
    """How many windows of the size of x there are in a wide image, down and across; arguments as for `Windows`.

    Raises:
        ShapeError: when they do not end at the edges, or leave gaps.

    Example:
        >>> places(Variable("image", Real(8, 8)), (8, 32), stride=4)
        (1, 7)
    """
    for window, side, step in zip(_sides(x), sides, _both(stride), strict=True):
        if side < window:
            raise ShapeError(f"windows: sides are {sides}, expected at least those of {x.name!r}, {_sides(x)}.")
        if not 1 <= step <= window:
            raise ShapeError(f"windows: stride is {step}, expected 1 to {window}, so that windows of {window} meet.")
        if (side - window) % step:
            near = side - (side - window) % step
            raise ShapeError(
                f"windows: windows of {window} pixels, {step} apart, do not end at {side}; "
                f"take {near} or {near + step}, or another stride."
            )
    ends = zip(_sides(x), sides, _both(stride), strict=True)
    down, across = ((side - window) // step + 1 for window, side, step in ends)
    return down, across


def _sides(v: Variable) -> Sides:
    return v.shape[-2], v.shape[-1]


def _follows(v: Variable, x: Variable) -> bool:
    """Whether a variable is an image of the same form as x, and no sequence of words."""
    return image(v) and v.shape[-2] * x.shape[-1] == v.shape[-1] * x.shape[-2]


def _both(stride: int | Sides) -> Sides:
    return (stride, stride) if isinstance(stride, int) else stride


def _cut(value: Tensor, size: Sides, stride: Sides, axes: int) -> Tensor:
    """All windows of images `[*batch, *event]`, row by row, `[*batch, windows, *event]`."""
    found = value.unfold(-2, size[0], stride[0]).unfold(-2, size[1], stride[1])  # [..., down, across, height, width]
    return found.flatten(-4, -3).movedim(-3, -axes - 1)


def _tent(side: int) -> Tensor:
    """Weights that fall from the middle to both ends, `[side]`."""
    places = torch.arange(side)
    return torch.minimum(places + 1, side - places) / ((side + 1) // 2)
