"""Networks that know the time: dense ones, for points and codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, prod

import torch
from torch import Tensor, nn

from pgm.errors import ShapeError
from pgm.variable import Variable

from .network import Network, columns

WAVES = 64  # sines and cosines of the time


class Waves(nn.Module):
    """Sines and cosines of a time from 0 to 1, of frequencies from 1 to 1,000 in equal ratios.

    Args:
        count: how many numbers, sines and cosines together.

    Example:
        >>> Waves(4)(torch.zeros(1, 1))
        tensor([[0., 0., 1., 1.]])

    Reference: Vaswani et al. (2017), Attention is all you need; Ho, Jain and Abbeel (2020).
    """

    frequencies: Tensor

    def __init__(self, count: int = WAVES) -> None:
        super().__init__()
        powers = torch.linspace(0, log(1000.0), count // 2)
        self.register_buffer("frequencies", powers.exp(), persistent=False)

    def forward(self, time: Tensor) -> Tensor:
        """`[*batch, 1]` to `[*batch, count]`."""
        phase = time * self.frequencies
        return torch.cat([phase.sin(), phase.cos()], -1)


def timed_mlp(*hidden: int, activation: Callable[[], nn.Module] = nn.SiLU, octaves: int = 0) -> Network:
    """Makes dense networks of parents x, time and whatever else is given, with residual layers that see the time.

    Args:
        hidden: units of each layer; layers as wide as the one before are residual.
        activation: makes what comes after each of them.
        octaves: how many sines and cosines of each number of x are seen besides it, of frequencies 1, 2, 4, ...: for
            detail that is much finer than its deviation.

    Example:
        >>> from pgm import Real
        >>> x, time = Variable("x", Real(2)), Variable("time", Real(1))
        >>> timed_mlp(128, 128)([x, time], [2])(torch.zeros(5, 2), torch.zeros(5, 1)).shape
        torch.Size([5, 2])
    """

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        return TimedMLP(given, shape, hidden, activation, octaves)

    return make


class TimedMLP(nn.Module):
    """What `timed_mlp` makes.

    Args:
        given: x, time and others.
        shape: of the result.
        hidden, activation, octaves: as for `timed_mlp`.
    """

    def __init__(
        self,
        given: Sequence[Variable],
        shape: Sequence[int],
        hidden: Sequence[int],
        activation: Callable[[], nn.Module],
        octaves: int = 0,
    ) -> None:
        super().__init__()
        require_time(given, "timed_mlp")
        if not hidden:
            raise ShapeError("timed_mlp: there is no layer, expected the units of one or more, timed_mlp(128, 128).")
        self.axes = [1 if v.finite else len(v.shape) for v in given]
        self.shape, self.waves, self.activation = tuple(shape), Waves(), activation()
        self.octaves = octaves
        self.first = nn.Linear(columns(given) - 1 + 2 * octaves * columns(given[:1]), hidden[0])
        self.times = nn.ModuleList(nn.Linear(WAVES, width) for width in hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(hidden, hidden[1:], strict=False))
        self.last = nn.Linear(hidden[-1], prod(shape))

    def forward(self, x: Tensor, time: Tensor, *others: Tensor) -> Tensor:
        """x `[*batch, *event]`, time `[*batch, 1]` and others to numbers `[*batch, *shape]`."""
        axes = [self.axes[0], *self.axes[2:]]
        flat = [value.flatten(value.dim() - n) for value, n in zip((x, *others), axes, strict=True)]
        flat += [wave(2**octave * flat[0]) for octave in range(self.octaves) for wave in (torch.sin, torch.cos)]
        batch = torch.broadcast_shapes(*(value.shape[:-1] for value in flat))
        waves = self.waves(time)
        hidden = self.activation(self.first(_beside(flat, batch)) + self.times[0](waves))
        for layer, timed in zip(self.layers, self.times[1:], strict=True):
            more = self.activation(layer(hidden) + timed(waves))
            hidden = hidden + more if more.shape == hidden.shape else more
        return self.last(hidden).reshape(*hidden.shape[:-1], *self.shape)


def require_time(given: Sequence[Variable], subject: str) -> None:
    """Raise a `ShapeError` unless the second parent is a time."""
    if len(given) < 2 or given[1].shape != (1,):
        names = [v.name for v in given]
        raise ShapeError(f"{subject}: the parents are {names}, expected x, a time of domain Real(1), and others.")


def _beside(values: Sequence[Tensor], batch: Sequence[int]) -> Tensor:
    return torch.cat([value.expand(*batch, value.shape[-1]) for value in values], -1)
