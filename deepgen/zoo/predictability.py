"""Predictability minimisation: units of a code that cannot be told from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from pgm.domains import Binary, Real
from pgm.errors import GraphError
from pgm.model import Model
from pgm.neural import Family, Neural
from pgm.point import Point
from pgm.variable import Variable

from ..conditionals import Isotropic, neural
from ..networks import Network, columns, mlp
from ..pair import Pair
from ..training.phase import Batch, Moment, Phase

HIDDEN = mlp(200, activation=nn.Tanh)


@dataclass(frozen=True, eq=False)
class Coder:
    """An autoencoder with units in (0, 1), and predictors of each unit from all the others.

    Args:
        pair: p(x | z), and a guide that is certain of z.
        predictor: z -> guess, of which number i does not depend on unit i.
    """

    pair: Pair
    predictor: Model

    @property
    def modules(self) -> dict[str, Model]:
        """All three graphs, by name."""
        return {**self.pair.modules, "predictor": self.predictor}

    def codes(self, batch: Mapping[str, Tensor]) -> Tensor:
        """z of rows of x, `[*batch, units]`."""
        found = self.pair.guide.conditionals["z"]
        return found.draw(*(batch[v.name] for v in found.given))

    def guesses(self, batch: Mapping[str, Tensor], codes: Tensor) -> Tensor:
        """What the others say of each unit, `[*batch, units]`."""
        found = self.predictor.conditionals["guess"]
        values = {**batch, "z": codes}
        return found.draw(*(values[v.name] for v in found.given))


def predictability_minimisation(
    x: Variable,
    units: int,
    *,
    label: Variable | None = None,
    encoder: Network = HIDDEN,
    decoder: Network = HIDDEN,
    hidden: int = 16,
    family: Family | None = None,
) -> Coder:
    """A code z = f(x) in (0, 1), a decoder p(x | z), and for each unit a predictor P_i of it from all the others.

    Predictors make sum_i (z_i - P_i)^2 small, the encoder makes it large: see `predictability_game`. A predictor's best
    is E[z_i | others], so that the game's value is the variance of the units that others do not explain; it is largest
    for units that are independent, on half of the time, and sure.

    Args:
        x: what is observed: `Binary` pixels, or `Real` numbers.
        units: how many z has, 2 or more.
        label: a variable that all of it is conditioned on.
        encoder, decoder: make the networks.
        hidden: units of each predictor.
        family: of p(x | z): by default Bernoulli for pixels, for numbers a Gaussian of width 1. A width that is learned
            shrinks, and with it what the game counts beside the reconstruction.

    Raises:
        GraphError: when there is a single unit.

    Example:
        >>> from pgm import Real
        >>> coder = predictability_minimisation(Variable("x", Real(4)), units=3)
        >>> coder.pair, coder.predictor.graph.parents["guess"]
        (Pair(x explained by z), ('z',))

    Reference: Schmidhuber (1992), Learning factorial codes by predictability minimization; Schmidhuber, Eldracher and
    Foltin (1996), Semilinear predictability minimization produces well-known feature detectors.
    """
    if units < 2:
        raise GraphError(f"predictability_minimisation: units is {units}, expected 2 or more that predict each other.")
    z, guess, also = Variable("z", Real(units)), Variable("guess", Real(units)), [label] if label is not None else []
    likelihood = family or (None if isinstance(x.domain, Binary) else Isotropic(learned=False))
    model = Model(neural(x, [z, *also], decoder, likelihood), name="decoder")
    guide = Model(Neural(z, [x, *also], squashed, encoder([x, *also], [units])), name="encoder")
    others = Others(units, columns(also), hidden)
    return Coder(Pair(model, guide), Model(Neural(guess, [z, *also], squashed, others), name="predictors"))


def predictability_game(
    coder: Coder, reconstruction: float = 0.1, steps: tuple[int, int] = (1, 1), **options: Any
) -> tuple[Phase, Phase]:
    """Predictors learn to tell each unit from the others, the encoder to surprise them and yet to be inverted.

    The encoder and the decoder make sum_i (z_i - P_i)^2 + reconstruction * log p(x | z) large, the gradient going
    through the predictors too.

    Args:
        coder: who plays.
        reconstruction: what a nat of log p(x | z) counts; of numbers with width 1, half a squared error.
        steps: batches of the predictors' turn and of the others'.
        options: of both phases.

    Example:
        >>> from pgm import Real
        >>> predictability_game(predictability_minimisation(Variable("x", Real(4)), units=3))[1]
        Phase(encode: moves model, guide, 1 step a turn)

    Reference: Schmidhuber (1992), Learning factorial codes by predictability minimization.
    """
    x = coder.pair.observed[0].name
    decoder = coder.pair.model.conditionals[x]

    def surprise(batch: Batch) -> tuple[Tensor, Tensor]:
        codes = coder.codes(batch)
        return codes, (codes - coder.guesses(batch, codes)).square().sum(-1)

    def predict(batch: Batch, moment: Moment) -> Tensor:
        return surprise(batch)[1]

    def encode(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        codes, error = surprise(batch)
        values = {**batch, "z": codes}
        likelihood = decoder.log_prob(*(values[v.name] for v in decoder.scope))
        return {"loss": -error - reconstruction * likelihood, "surprise": error, "reconstruction": -likelihood}

    first = Phase("predict", {"predictor": coder.predictor}, predict, steps[0], **options)
    return first, Phase("encode", coder.pair.modules, encode, steps[1], **options)


class Others(nn.Module):
    """A number for each unit from all the others: one small network a unit, with weights that are masked.

    Args:
        units: how many.
        also: numbers that every network sees, such as those of a label.
        hidden: units of each network.

    Example:
        >>> others = Others(3)
        >>> jacobian = torch.autograd.functional.jacobian(others, torch.rand(3))
        >>> jacobian.diagonal()
        tensor([0., 0., 0.])
    """

    seen: Tensor

    def __init__(self, units: int, also: int = 0, hidden: int = 16) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(units, units + also, hidden) / sqrt(units + also))
        self.bias = nn.Parameter(torch.zeros(units, hidden))
        self.out = nn.Parameter(torch.randn(units, hidden) / sqrt(hidden))
        self.last = nn.Parameter(torch.zeros(units))
        mask = torch.cat([1 - torch.eye(units), torch.ones(units, also)], -1)
        self.register_buffer("seen", mask.unsqueeze(-1), persistent=False)

    def forward(self, *values: Tensor) -> Tensor:
        """`[*batch, units]` from units `[*batch, units]` and whatever else, `[*batch, also]`."""
        inside = torch.einsum("...j,ijh->...ih", torch.cat(values, -1), self.weights * self.seen)
        return ((inside + self.bias).tanh() * self.out).sum(-1) + self.last


def squashed(logits: Tensor) -> Distribution:
    """All probability on numbers in (0, 1) with these log odds: a family for `Neural`."""
    return Point(logits.sigmoid())


def bit_information(codes: Tensor) -> Tensor:
    """The mutual information between units, each taken as on or off at 1/2, over the rows given, `[units, units]`.

    Args:
        codes: `[rows, units]` in (0, 1).

    Returns:
        Nats; on the diagonal the entropies.

    Example:
        >>> bit_information(torch.tensor([[0.1, 0.2], [0.9, 0.8]]))
        tensor([[0.6931, 0.6931],
                [0.6931, 0.6931]], dtype=torch.float64)
    """
    on = torch.stack([codes <= 0.5, codes > 0.5], -1).double()  # [rows, units, states]
    joint = torch.einsum("ria,rjb->ijab", on, on) / len(on)
    share = on.mean(0)
    product = share[:, None, :, None] * share[None, :, None, :]
    return torch.xlogy(joint, joint / product.clamp_min(1e-300)).sum((-2, -1))
