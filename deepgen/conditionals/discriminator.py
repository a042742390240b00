"""q(y | x): whether rows are real, as log odds that a network computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from pgm.conditionals import Conditional
from pgm.errors import GraphError, ShapeError
from pgm.terms import Capabilities
from pgm.variable import Variable

from ..networks.network import Network
from .features import Seeing
from .generated import SOURCES


class Discriminator(Conditional):
    """q(y | x, ...) = sigmoid(score(x, ...)) for y = 'real'; a score is a log odds, or what a critic thinks of x.

    Args:
        flag: y, with the states 'fake' and 'real'.
        given: what the network sees: x, and labels, latent variables or other images beside it.
        network: makes it.
        patches: the shape of the scores of a row, such as `(4, 4)` for a judgement of each part of an image; the log
            odds of the row are their mean.
        pack: how many rows are judged together, so that rows too much alike are seen as such. A batch is then so many
            times shorter in scores, and what does not fill a pack is left out.

    Raises:
        GraphError: when y has other states, or nothing is seen.
        ShapeError: when there is no row in a pack.

    Example:
        >>> from pgm import Real
        >>> from deepgen.networks import mlp
        >>> y, x = Variable("y", SOURCES), Variable("x", Real(2))
        >>> [Discriminator(y, [x], mlp(8), pack=n).scores(torch.zeros(6, 2)).shape for n in (1, 2)]
        [torch.Size([6]), torch.Size([3])]

    Reference: Goodfellow et al. (2014), Generative adversarial nets; Isola, Zhu, Zhou and Efros (2017), Image-to-image
    translation with conditional adversarial networks, for patches; Lin, Khetan, Fanti and Oh (2018), PacGAN.
    """

    def __init__(
        self, flag: Variable, given: Sequence[Variable], network: Network, patches: Sequence[int] = (), pack: int = 1
    ) -> None:
        super().__init__(flag, given)
        if not flag.finite or flag.states != SOURCES:
            raise GraphError(f"{self.subject}: {flag.name!r} is {flag!r}, expected the states 'fake' and 'real'.")
        if not given:
            raise GraphError(f"{self.subject}: it sees nothing; give it x.")
        if pack < 1:
            raise ShapeError(f"{self.subject}: pack is {pack!r}, expected 1 row or more.")
        self.pack = pack
        packed = [_renamed(v, place) for place in range(pack) for v in given] if pack > 1 else list(given)
        self.net = Seeing(packed, network(packed, patches))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(enumerable=False, reparameterised=False, has_log_prob=True)

    @property
    def enumerable(self) -> bool:
        return False

    def scores(self, *given: Tensor) -> Tensor:
        """Log odds that rows are real, `[rows, *patches]`; of packs, `[rows // pack, *patches]`.

        Args:
            given: values of the parents, `[rows, *event]` each.

        Raises:
            ShapeError: when there are too few rows for a pack.
        """
        values = list(given) if self.pack == 1 else self._packed(given)
        found: Tensor = self.net(*values)
        return found

    forward = scores

    def _packed(self, given: Sequence[Tensor]) -> list[Tensor]:
        rows = len(given[0]) // self.pack
        if rows == 0:
            raise ShapeError(f"{self.subject}: there are {len(given[0])} rows, expected {self.pack} or more, a pack.")
        return [value[place * rows : (place + 1) * rows] for place in range(self.pack) for value in given]

    def distribution(self, *given: Tensor) -> Distribution:
        """q(y | x), `[*batch]`; what is said of a pack is said of all its rows, the last is filled with first ones."""
        splits = [value.dim() - len(v.shape) for v, value in zip(self.given, given, strict=True)]
        batch = torch.broadcast_shapes(*(value.shape[:at] for value, at in zip(given, splits, strict=True)))
        events = [value.shape[at:] for value, at in zip(given, splits, strict=True)]
        rows = prod(batch)
        filled = torch.arange(-(-rows // self.pack) * self.pack, device=given[0].device) % max(rows, 1)
        wide = (v.expand([*batch, *event]).reshape(-1, *event)[filled] for v, event in zip(given, events, strict=True))
        odds = self.scores(*wide).unsqueeze(-1).flatten(1).mean(-1).repeat(self.pack)[:rows].reshape(batch)
        return Categorical(logits=torch.stack([torch.zeros_like(odds), odds], -1), validate_args=False)


def _renamed(variable: Variable, place: int) -> Variable:
    """The same variable of another row of a pack."""
    return replace(variable, name=f"{variable.name}_{place}")
