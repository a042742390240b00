"""Autoencoders that compare images by what a discriminator sees in them."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import torch
from torch import Tensor

from pgm.domains import Real
from pgm.errors import GraphError, PlanError
from pgm.model import Model
from pgm.variable import Variable

from ...conditionals.discriminator import Discriminator
from ...conditionals.generated import Generated
from ...conditionals.neural import neural
from ...conditionals.standard import Standard
from ...networks import Network
from ...networks.hidden import Hidden, hidden
from ...objectives.bound import minus_kl
from ...pair import Pair
from ...training.phase import Batch, Moment, Phase
from .games import Game, non_saturating
from .gan import DENSE, FLAG, Gan, flipped
from .learning import each, require_rows_alone, told_apart
from .monitors import instability, now_and_then
from .penalties import Penalty, Values


def vae_gan(
    x: Variable,
    latents: int = 32,
    *,
    label: Variable | None = None,
    generator: Network = DENSE,
    encoder: Network = DENSE,
    discriminator: Network = DENSE,
    features: int = 64,
) -> Gan:
    """A variational autoencoder without a density of x: generator, encoder q(z | x), and a discriminator q(y | x).

    The discriminator computes features d(x), and its score is linear in these. `learned_similarity` compares x with its
    reconstruction by features in place of pixels, as if p(d(x) | z) were a Gaussian around d(G(z)).

    Args:
        x: what is generated, `Real`: points, or images with shades from -1 to 1.
        latents: how many numbers z has.
        label: a variable that all networks are told.
        generator, encoder: make their networks.
        discriminator: makes the network of its features, which are a vector.
        features: how many there are.

    Raises:
        GraphError: when x is not `Real`.

    Example:
        >>> found = vae_gan(Variable("image", Real(8, 8)), latents=4)
        >>> found, len(learned_similarity(found))
        (Gan(image from z, infers z), 3)

    Reference: Larsen, Sonderby, Larochelle and Winther (2016), Autoencoding beyond pixels using a learned similarity
    metric.
    """
    z, told = Variable("z", Real(latents)), [label] if label is not None else []
    model = Model(flipped(), Standard(z), Generated(x, FLAG, [z, *told], generator), name="generator")
    judge = Discriminator(FLAG, [x, *told], hidden(discriminator, features))
    return Gan(Pair(model, Model(neural(z, [x, *told], encoder), judge, name="guide")))


def learned_similarity(
    gan: Gan,
    game: Game | None = None,
    *,
    gamma: float = 0.05,
    deviation: float = 0.2,
    steps: int = 1,
    penalty: Penalty | None = None,
    critic: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[Phase, Phase, Phase]:
    """Discriminator, encoder and generator take turns; what is alike the discriminator's features say.

        similarity   S = E_q(z|x) |d(x) - d(G(z))|^2 / (2 deviation^2)
        encoder      makes KL(q(z | x) || p(z)) + S small
        generator    makes gamma S + what it pays for scores small

    Fake rows are reconstructions and draws from the prior, half of a batch each.

    Args:
        gan: what `vae_gan` made.
        game: what is paid for scores, by default `non_saturating()`.
        gamma: how much the generator cares for reconstructions beside being taken for real.
        deviation: of features around those of a reconstruction: the smaller, the more z says of a row; 0.2 suits
            features under `r1(1.0)`.
        steps: batches of the discriminator's turn.
        penalty: what keeps it smooth, such as `r1(1.0)`.
        critic: options of the discriminator's phase that differ, such as its optimiser.
        options: of all phases: `optimiser`, `rate`, `clip`.

    Raises:
        GraphError: when the discriminator has no features, or a latent variable is not inferred.
        PlanError: when gamma is below 0, the deviation is not above, or rows of a batch would be judged together under
            a penalty.

    Example:
        >>> from deepgen.zoo.adversarial import vae_gan
        >>> for phase in learned_similarity(vae_gan(Variable("image", Real(8, 8)))):
        ...     print(phase)
        Phase(discriminator: moves discriminator, 1 step a turn)
        Phase(encoder: moves z, 1 step a turn)
        Phase(generator: moves generator, 1 step a turn)

    Reference: Larsen, Sonderby, Larochelle and Winther (2016), Autoencoding beyond pixels using a learned similarity
    metric.
    """
    game, x = game or non_saturating(), gan.x.name
    _require(gan, gamma, deviation, penalty)

    def discriminate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = _half(reconstructed(gan, batch)[0], _drawn(gan, batch))
        return told_apart(gan, game, penalty, gan.scores, batch, fake)

    def encode(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        again, costs = reconstructed(gan, batch)
        apart = similarity(gan, batch, again) / deviation**2
        return {"loss": apart + torch.stack(list(costs.values())).sum(0), "similarity": apart, **costs}

    def generate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        (again, _), drawn = reconstructed(gan, batch), _drawn(gan, batch)
        apart = similarity(gan, batch, again) / deviation**2
        fooling = each(game.generated(gan.scores(_half(again, drawn))))
        seen = now_and_then(moment.step, drawn[x], batch[x])
        return {"loss": gamma * apart + fooling, "similarity": apart, "fooling": fooling, **seen}

    common = {"clip": inf, "monitors": (instability,), **options}  # gradients are measured, if not cut
    judge = {"discriminator": gan.discriminator}
    return (
        Phase("discriminator", judge, discriminate, steps, **{**common, **(critic or {})}),
        Phase("encoder", gan.encoders, encode, **common),
        Phase("generator", {"generator": gan.pair.model}, generate, **common),
    )


def _require(gan: Gan, gamma: float, deviation: float, penalty: Penalty | None) -> None:
    """Raise an error that says at once what is missing, or a number that is out of range."""
    if not gamma >= 0 or not deviation > 0:
        raise PlanError(
            f"learned_similarity: gamma is {gamma!r} and deviation {deviation!r}, expected 0 or more, and above 0."
        )
    require_rows_alone(gan, penalty)
    hidden_of(gan)


def reconstructed(gan: Gan, batch: Values) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the generator makes of latent variables that the guide infers of rows, and what these cost, by name.

    Args:
        gan: whose guide infers all latent variables of rows alone.
        batch: rows, `[rows, *event]` by name.
    """
    known, costs = {v.name: batch[v.name] for v in gan.given}, dict[str, Tensor]()
    for name in (v.name for v in gan.latents):
        guess, prior = gan.encoders[name], gan.pair.model.conditionals[name]
        q, p = guess.distribution(*(batch[v.name] for v in guess.given)), prior.distribution()
        z = known[name] = q.rsample()
        closed = minus_kl(q, p)
        costs[f"kl of {name}"] = q.log_prob(z) - p.log_prob(z) if closed is None else -closed
    return gan.fake(len(batch[gan.x.name]), known), costs


def similarity(gan: Gan, one: Values, other: Values) -> Tensor:
    """|d(x) - d(x')|^2 / 2, with the features d of the discriminator, `[rows]`.

    Args:
        gan: what `vae_gan` made.
        one, other: what the discriminator sees, `[rows, *event]` by name.
    """
    net = gan.discriminator.net
    first, second = (
        hidden_of(gan).features(*net.seen(*(values[v.name] for v in gan.discriminator.given)))
        for values in (one, other)
    )
    return (first - second).square().sum(-1) / 2


def hidden_of(gan: Gan) -> Hidden:
    """The network of the discriminator, with features to look at.

    Raises:
        GraphError: when it has none, or the guide does not infer all latent variables.
    """
    net = gan.discriminator.net.net
    if not isinstance(net, Hidden) or gan.judged or any(v.name not in gan.encoders for v in gan.latents):
        raise GraphError(
            f"learned_similarity: the guide is {gan.pair.guide!r}, expected an encoder of each latent variable and a "
            "discriminator of rows by hidden features; take what vae_gan makes, or a discriminator by hidden(...)."
        )
    return net


def _drawn(gan: Gan, batch: Values) -> dict[str, Tensor]:
    """As many draws from the prior as there are rows, given the same labels."""
    return gan.fake(len(batch[gan.x.name]), {v.name: batch[v.name] for v in gan.given})


def _half(one: Values, other: Values) -> dict[str, Tensor]:
    """The first half of the rows of one and the second half of the other."""
    return {name: torch.cat([one[name][: len(x) // 2], x[len(x) // 2 :]]) for name, x in other.items()}
