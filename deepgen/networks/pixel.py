"""Autoregressive networks on grids: each site given those before it, line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn.functional import pad

from pgm.variable import Variable

from .convolutional import convolutional, image
from .mlp import mlp
from .network import Network

Logits = Callable[[Tensor, Tensor], Tensor]


def pixel_cnn(channels: int = 64, layers: int = 4, kernel: int = 3) -> Network:
    """Makes gated PixelCNNs, which return distributions of grids of states: a net for `Neural` without a family.

    The shape that it is called with is `[states, height, width]`; the child is `Count(height, width)`, or
    `Binary(height, width)` of two states. Parents add to what each layer computes: vectors and labels at each site by
    weights of its own, images by convolutions.

    Args:
        channels: of every layer.
        layers: how many; with the kernel they say how far a site sees.
        kernel: width of the convolutions, odd.

    Example:
        >>> from pgm import Count, Neural
        >>> code, label = Variable("code", Count(7, 7)), Variable("label", range(10))
        >>> prior = Neural(code, [label], None, pixel_cnn(8, layers=2)([label], [64, 7, 7]))
        >>> prior.draw(torch.tensor([3, 4])).shape, prior.log_prob(torch.tensor(3), torch.zeros(7, 7)).shape
        (torch.Size([2, 7, 7]), torch.Size([]))

    Reference: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu (2016), Conditional image
    generation with PixelCNN decoders.
    """
    return lambda given, shape: PixelCNN(given, shape, channels, layers, kernel)


class PixelCNN(nn.Module):
    """What `pixel_cnn` makes.

    Args:
        given: parents.
        shape: `[states, height, width]`.
        channels, layers, kernel: as for `pixel_cnn`.
    """

    def __init__(
        self, given: Sequence[Variable], shape: Sequence[int], channels: int, layers: int, kernel: int
    ) -> None:
        super().__init__()
        self.states, *size = shape
        self.place = nn.Parameter(torch.zeros(channels, *size))
        network = convolutional(channels) if any(image(v) for v in given) else mlp()
        self.condition = network(given, [channels, *size]) if given else None
        self.embedding = nn.Embedding(self.states, channels)
        self.layers = nn.ModuleList(Gated(channels, kernel) for _ in range(layers))
        first, last = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, self.states, 1)
        self.head = nn.Sequential(nn.ReLU(), first, nn.ReLU(), last)

    def forward(self, *given: Tensor) -> Raster:
        """One tensor a parent to the distribution of the grid, of batch shape `[*batch]`."""
        context = self.place if self.condition is None else self.place + self.condition(*given)
        return Raster(self.logits, context, self.states)

    def logits(self, values: Tensor, context: Tensor) -> Tensor:
        """Unnormalised log probabilities of the states at each site given the sites before.

        Args:
            values: states `[rows, height, width]`; lines below can be left out here and in the context.
            context: `[rows, channels, height, width]`.

        Returns:
            `[rows, states, height, width]`.
        """
        above = self.embedding(values).permute(0, 3, 1, 2)
        left = pad(above, (1, 0))[..., :-1]
        for layer in self.layers:
            above, left = layer(above, left, context)
        found: Tensor = self.head(left)
        return found


class Gated(nn.Module):
    """Two gated convolutions: of all lines above a site, and of what is left of it, which also sees the first.

    Args:
        channels: of what comes in and goes out.
        kernel: width, odd.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.reach, twice = kernel // 2, 2 * channels
        self.above = nn.Conv2d(channels, twice, (self.reach + 1, kernel))
        self.left = nn.Conv2d(channels, twice, (1, self.reach + 1))
        self.link = nn.Conv2d(twice, twice, 1)
        self.context = nn.Conv2d(channels, 2 * twice, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, above: Tensor, left: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Lines down to this one, and this line up to here, `[rows, channels, height, width]`, to the same."""
        known_above, known_left = self.context(context).chunk(2, 1)
        lines = self.above(pad(above, (self.reach, self.reach, self.reach, 0)))
        before = self.left(pad(left, (self.reach, 0))) + self.link(pad(lines, (0, 0, 1, 0))[..., :-1, :])
        return _gate(lines + known_above), left + self.out(_gate(before + known_left))


class Raster(Distribution):
    """States on a grid, p(x) = prod_i p(x_i | x_1 ... x_{i-1}), line by line from the upper left.

    The density is one pass of the network, a draw one pass a site.

    Args:
        logits: takes states `[rows, height, width]` and the context; returns `[rows, states, height, width]`, each site
            a function of the sites before it.
        context: what the sites are given, `[*batch, channels, height, width]`.
        states: how many a site has.
    """

    arg_constraints = {}

    def __init__(self, logits: Logits, context: Tensor, states: int) -> None:
        self.logits, self.context, self.states = logits, context, states
        super().__init__(context.shape[:-3], context.shape[-2:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(constraints.integer_interval(0, self.states - 1), 2)

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Raster:
        return Raster(self.logits, self.context.expand(*batch_shape, *self.context.shape[-3:]), self.states)

    def log_prob(self, value: Tensor) -> Tensor:
        batch = torch.broadcast_shapes(value.shape[:-2], self.batch_shape)
        wide = value.expand(*batch, *self.event_shape).reshape(-1, *self.event_shape)
        known = wide.clamp(0, self.states - 1).long()
        logs = self.logits(known, self._rows(batch)).log_softmax(1).gather(1, known[:, None])[:, 0]
        return logs.masked_fill(known != wide, -torch.inf).sum((1, 2)).reshape(batch)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        batch = Size((*sample_shape, *self.batch_shape))
        context, (height, width) = self._rows(batch), self.event_shape
        found = torch.zeros(batch.numel(), height, width, dtype=torch.long, device=context.device)
        for line in range(height):
            for column in range(width):
                logits = self.logits(found[:, : line + 1], context[:, :, : line + 1])[:, :, line, column]
                found[:, line, column] = logits.float().softmax(1).multinomial(1)[:, 0]
        return found.reshape(*batch, height, width).to(context.dtype)

    def _rows(self, batch: Size) -> Tensor:
        """The context of each row, `[rows, channels, height, width]`."""
        return self.context.expand(*batch, *self.context.shape[-3:]).reshape(-1, *self.context.shape[-3:])


def _gate(x: Tensor) -> Tensor:
    one, other = x.chunk(2, 1)
    return one.tanh() * other.sigmoid()
