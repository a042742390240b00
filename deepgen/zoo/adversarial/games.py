"""The games: what discriminators and generators pay for scores, as plain functions of log odds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

Cost = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Game:
    """What each player pays for the score s of a row: the larger s, the more real the discriminator finds it.

    Args:
        name: for messages and tables.
        real, fake: what the discriminator pays for rows that are.
        generated: what the generator pays for a row of its own.
        inferred: what an encoder pays for a real row with what it was inferred to be made of: the reverse of `real`.
        odds: whether a score of 0 is undecided, so that counting errors has a meaning.

    Example:
        >>> import torch
        >>> game, undecided = non_saturating(), torch.zeros(())
        >>> round((game.real(undecided) + game.fake(undecided)).item(), 4)  # log 4
        1.3863
    """

    name: str
    real: Cost
    fake: Cost
    generated: Cost
    inferred: Cost
    odds: bool = True

    def __repr__(self) -> str:
        return f"Game({self.name})"


def minimax() -> Game:
    """The game of one value, E log D(x) + E log(1 - D(G(z))): at the best D it is 2 JS(p, q) - log 4.

    Its generator learns little while its rows are told apart with ease.

    Reference: Goodfellow et al. (2014), Generative adversarial nets.
    """
    return Game("minimax", _unlike, softplus, lambda s: -softplus(s), lambda s: -softplus(-s))


def non_saturating() -> Game:
    """The same discriminator; the generator makes E log D(G(z)) large, that is E log q(y = real | x) of fake rows.

    Reference: Goodfellow et al. (2014); Hu, Yang, Salakhutdinov and Xing (2018), where it is E log q^r(y | x).
    """
    return Game("non-saturating", _unlike, softplus, _unlike, softplus)


def least_squares(goal: float = 1.0) -> Game:
    """Scores are to be 1 for real rows and -1 for fake ones, by squared error; the generator wants its own at a goal.

    Args:
        goal: what the generator and an encoder want, 1 and -1 by default; with 0 they make Pearson's chi-squared
            divergence of (p + q) / 2 from q small, at the best critic.

    Reference: Mao, Li, Xie, Lau, Wang and Smolley (2017), Least squares generative adversarial networks.
    """
    return Game(
        "least squares",
        lambda s: (s - 1).square() / 2,
        lambda s: (s + 1).square() / 2,
        lambda s: (s - goal).square() / 2,
        lambda s: (s + goal).square() / 2,
    )


def hinge() -> Game:
    """Scores are pushed beyond 1 and -1 and no further; the generator raises its own.

    Reference: Lim and Ye (2017), Geometric GAN; Miyato, Kataoka, Koyama and Yoshida (2018), Spectral normalization for
    generative adversarial networks.
    """
    return Game("hinge", lambda s: (1 - s).relu(), lambda s: (1 + s).relu(), lambda s: -s, lambda s: s)


def wasserstein() -> Game:
    """Scores of real rows less those of fake ones, of a critic that must be kept smooth: by clipping or a penalty.

    Reference: Arjovsky, Chintala and Bottou (2017), Wasserstein generative adversarial networks.
    """
    return Game("wasserstein", lambda s: -s, lambda s: s, lambda s: -s, lambda s: s, odds=False)


def _unlike(scores: Tensor) -> Tensor:
    """-log sigmoid(s)."""
    return softplus(-scores)
