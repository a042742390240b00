"""f-divergences as games: what the best critic reads off is how far the generator is from the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Literal

import torch
from torch.nn.functional import logsigmoid

from pgm.errors import PlanError

from .games import Cost, Game

Name = Literal["forward KL", "reverse KL", "Pearson", "squared Hellinger", "Jensen-Shannon", "total variation"]


@dataclass(frozen=True)
class Divergence:
    """D_f(p, q) = sum_x q(x) f(p(x) / q(x)) = max_s E_p[g(s)] - E_q[f*(g(s))], of the data p and the generator's q.

    Args:
        name: for messages and tables.
        activation: g, which takes any score to where the convex conjugate f* is finite, and is f'(1) at 0.
        conjugate: f*(g(s)), of the score as well, so that it can be computed without overflow.

    Reference: Nguyen, Wainwright and Jordan (2010), Estimating divergence functionals and the likelihood ratio by
    convex risk minimization.
    """

    name: str
    activation: Cost
    conjugate: Cost


DIVERGENCES: Mapping[Name, Divergence] = {
    "forward KL": Divergence("forward KL", lambda s: 1 + s, torch.exp),
    "reverse KL": Divergence("reverse KL", lambda s: -(-s).exp(), lambda s: s - 1),
    "Pearson": Divergence("Pearson", lambda s: s, lambda s: s + s.square() / 4),
    "squared Hellinger": Divergence("squared Hellinger", lambda s: -(-s).expm1(), torch.expm1),
    "Jensen-Shannon": Divergence(
        "Jensen-Shannon", lambda s: (log(2) + logsigmoid(s)) / 2, lambda s: -(log(2) + logsigmoid(-s)) / 2
    ),
    "total variation": Divergence("total variation", lambda s: (s / 2).tanh() / 2, lambda s: (s / 2).tanh() / 2),
}
"""With f(u) = u log u, -log u, (u - 1)^2, (sqrt(u) - 1)^2, (u log u - (u + 1) log((u + 1) / 2)) / 2 and |u - 1| / 2."""


def f_divergence(divergence: Name | Divergence, saturating: bool = True) -> Game:
    """The game whose value at the best critic is an f-divergence of the data from the generator.

    Args:
        divergence: 'forward KL', KL(p || q) with the data as p; 'reverse KL', KL(q || p); 'Pearson', 'squared
            Hellinger', 'Jensen-Shannon', 'total variation'; or one of your own.
        saturating: whether the generator makes that value small; otherwise it makes E_q[g(s)] large, which teaches it
            more while its rows are told apart with ease.

    Raises:
        PlanError: when there is no divergence of that name.

    Example:
        >>> game, score = f_divergence("reverse KL"), torch.tensor(2.0).log()  # p is twice q everywhere
        >>> round(-(game.real(score) + game.fake(score)).item(), 4)  # -1/2 + 1 - log 2
        -0.1931

    Reference: Nowozin, Cseke and Tomioka (2016), f-GAN: training generative neural samplers using variational
    divergence minimization.
    """
    if isinstance(divergence, str) and divergence not in DIVERGENCES:
        raise PlanError(f"f_divergence: {divergence!r} is unknown, expected one of {', '.join(DIVERGENCES)}.")
    found = DIVERGENCES[divergence] if isinstance(divergence, str) else divergence
    g, conjugate = found.activation, found.conjugate
    if saturating:
        return Game(found.name, lambda s: -g(s), conjugate, lambda s: -conjugate(s), g)
    return Game(f"{found.name}, not saturating", lambda s: -g(s), conjugate, lambda s: -g(s), conjugate)
