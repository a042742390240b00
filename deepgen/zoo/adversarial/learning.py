"""The two phases of a game: the discriminator learns to tell, the generator to be taken for the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from math import inf
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from pgm.conditionals import Conditional
from pgm.errors import PlanError

from ...networks.alike import Alike
from ...training.phase import Batch, Moment, Phase
from ...training.schedules import Schedule, constant
from .games import Game, non_saturating
from .gan import Gan
from .monitors import instability, now_and_then
from .penalties import Penalty, Scores, Values
from .replay import Replay
from .unrolled import Unrolled

ALWAYS = constant()
Also = Callable[[Values, Batch], Mapping[str, Tensor]]
"""What else a generator pays: of its rows with what they were made of, and the batch; costs by name."""


def adversarial(
    gan: Gan,
    game: Game | None = None,
    *,
    steps: int = 1,
    penalty: Penalty | None = None,
    fade: Schedule = ALWAYS,
    replay: int = 0,
    unrolled: Unrolled | None = None,
    noise: Schedule | None = None,
    also: Also | None = None,
    critic: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[Phase, Phase]:
    """The discriminator makes E log q(y | x) large, then the generator E log q(1 - y | x); or any other game's costs.

    The generator's phase moves the guide's other nodes too: encoders that the discriminator sees learn to have real
    rows taken for fake ones (BiGAN), those that it does not see learn log q(c | x) of generated rows (InfoGAN). The
    history has the scores, the share of rows that the discriminator tells apart, and the norms of gradients.

    Args:
        gan: who plays.
        game: what they pay, by default `non_saturating()`.
        steps: batches of the discriminator's turn.
        penalty: what keeps it smooth, such as `gradient_penalty()`.
        fade: multiplies the penalty, by turns that are over, such as `geometric(1, 0.01, 3000)`: a smooth discriminator
            spreads rows over all modes, a sharper one then draws them in.
        replay: places of a pool of past generated rows, of which the discriminator sees some; 0 for none.
        unrolled: steps of the discriminator that the generator foresees; by default none.
        noise: the deviation of what is added to all rows that the discriminator sees, by turns that are over, such as
            `linear(0.5, 0, 1000)`: while it is not 0, real and generated rows overlap; by default none.
        also: further costs of the generator.
        critic: options of the discriminator's phase that differ, such as its optimiser.
        options: of both phases: `optimiser`, `rate`, `clip`.

    Raises:
        PlanError: when rows of a batch would be judged together under a penalty that is of single rows.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.adversarial import gan
        >>> adversarial(gan(Variable("x", Real(2)), 2), steps=5)[0]
        Phase(discriminator: moves discriminator, 5 steps a turn)

    Reference: Goodfellow et al. (2014), Generative adversarial nets; Hu, Yang, Salakhutdinov and Xing (2018), On
    unifying deep generative models, for both as variational expectation maximisation.
    """
    game = game or non_saturating()
    require_rows_alone(gan, penalty)
    x, learned = gan.x.name, {name: c for name, c in gan.encoders.items() if name not in gan.judged}
    pool = Replay(gan.discriminator.given, replay) if replay else None

    def tell_apart(moment: Moment, scores: Scores, real: Values, fake: Values) -> dict[str, Tensor]:
        weighed = None if penalty is None else lambda *seen: fade(moment.turn) * penalty(*seen)
        return told_apart(gan, game, weighed, through(scores, moment), real, fake)

    def discriminate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        with torch.no_grad():
            real, fake = gan.real(batch), gan.fake(len(batch[x]), given(batch))
        return tell_apart(moment, gan.scores, real, fake if pool is None else pool(fake))

    def generate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        fake = gan.fake(len(batch[x]), given(batch))
        real = gan.real(batch) if gan.judged or unrolled else batch
        scores: Scores = gan.scores
        if unrolled is not None:
            scores = unrolled.ahead(gan, lambda ahead: tell_apart(moment, ahead, real, fake)["loss"].mean())
        scores = through(scores, moment)
        costs = {"fooling": each(game.generated(scores(fake)))}
        if gan.judged:
            costs["inferring"] = each(game.inferred(scores(real)))
        costs |= {f"-log q({name})": -log_density(c, fake) for name, c in learned.items()}
        costs |= also(fake, batch) if also is not None else {}
        seen = now_and_then(moment.step, fake[x], batch[x])
        return {"loss": reduce(add, (cost.mean() for cost in costs.values())), **costs, **seen}

    def through(scores: Scores, moment: Moment) -> Scores:
        return scores if noise is None else noisy(scores, x, noise(moment.turn))

    def given(batch: Batch) -> dict[str, Tensor]:
        return {v.name: batch[v.name] for v in gan.given}

    moved: dict[str, nn.Module] = {"generator": gan.pair.model, **gan.encoders}
    common = {"clip": inf, "monitors": (instability,), **options}  # gradients are measured, if not cut
    learns: dict[str, nn.Module] = {"discriminator": gan.discriminator, **({} if pool is None else {"replay": pool})}
    first = Phase("discriminator", learns, discriminate, steps, **{**common, **(critic or {})})
    return first, Phase("generator", moved, generate, **common)


def told_apart(
    gan: Gan, game: Game, penalty: Penalty | None, scores: Scores, real: Values, fake: Values
) -> dict[str, Tensor]:
    """What the discriminator pays for its scores, and what the history says of them."""
    right, wrong = scores(real), scores(fake)
    loss = each(game.real(right)) + each(game.fake(wrong))
    cost = {} if penalty is None else {"penalty": penalised(gan, penalty, scores, real, fake)}
    return {"loss": loss + cost.get("penalty", 0), **cost, **judged(game, right, wrong)}


def penalised(gan: Gan, penalty: Penalty, scores: Scores, real: Values, fake: Values) -> Tensor:
    """A penalty on what generated rows differ in from real ones: x, and whatever else is inferred."""
    names = [v.name for v in gan.discriminator.given if v.name == gan.x.name or v.name in gan.judged]
    moved, made = ({name: values[name] for name in names} for values in (real, fake))
    return penalty(lambda values: scores({**real, **values}), moved, made)


def noisy(scores: Scores, name: str, deviation: float) -> Scores:
    """The scores of rows with Gaussian noise on one of their values.

    Reference: Sonderby, Caballero, Theis, Shi and Huszar (2017), Amortised MAP inference for image super-resolution;
    Arjovsky and Bottou (2017), Towards principled methods for training generative adversarial networks.
    """
    return lambda values: scores({**values, name: values[name] + deviation * torch.randn_like(values[name])})


def judged(game: Game, right: Tensor, wrong: Tensor) -> dict[str, Tensor]:
    """What the history says of scores of real and of fake rows."""
    found = {"real": each(right), "fake": each(wrong)}
    if game.odds:
        found["accuracy"] = each((right > 0).float() + (wrong < 0).float()) / 2
    return found


def each(scores: Tensor) -> Tensor:
    """The mean over patches, `[rows]`."""
    return scores.flatten(1).mean(1) if scores.dim() > 1 else scores


def log_density(encoder: Conditional, values: Values) -> Tensor:
    """log q of a node at the values that rows were made of, `[rows]`."""
    return encoder.log_prob(*(values[v.name] for v in encoder.scope))


def require_rows_alone(gan: Gan, penalty: Penalty | None) -> None:
    """Raise a `PlanError` where a critic under a penalty judges a row by its batch, so that slopes are of all rows."""
    kinds = (nn.modules.batchnorm._BatchNorm, Alike)
    shared = [name for name, part in gan.discriminator.named_modules() if isinstance(part, kinds)]
    if penalty is not None and shared:
        raise PlanError(
            f"adversarial: the discriminator judges rows by their batch ({shared[0]}), and a penalty is of the slope "
            "at single rows; take layers of another norm, or none, and no minibatch discrimination."
        )
