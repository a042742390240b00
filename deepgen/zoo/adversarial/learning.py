"""The two phases of a game: the discriminator learns to tell, the generator to be taken for the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    require_rows_alone(gan, penalty)
    pool = Replay(gan.discriminator.given, replay) if replay else None
    match = Match(gan, game or non_saturating(), penalty, fade, pool, unrolled, noise, also)
    moved: dict[str, nn.Module] = {"generator": gan.pair.model, **gan.encoders}
    common = {"clip": inf, "monitors": (instability,), **options}  # gradients are measured, if not cut
    learns: dict[str, nn.Module] = {"discriminator": gan.discriminator, **({} if pool is None else {"replay": pool})}
    first = Phase("discriminator", learns, match.discriminate, steps, **{**common, **(critic or {})})
    return first, Phase("generator", moved, match.generate, **common)


@dataclass(frozen=True, eq=False)
class Match:
    """Who plays, what they pay and what steadies them: its two methods are the objectives of the phases.

    Args:
        gan, game, penalty, fade, unrolled, noise, also: as for `adversarial`.
        pool: of past generated rows.
    """

    gan: Gan
    game: Game
    penalty: Penalty | None
    fade: Schedule
    pool: Replay | None
    unrolled: Unrolled | None
    noise: Schedule | None
    also: Also | None

    def discriminate(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """What the discriminator pays."""
        with torch.no_grad():
            real, fake = self.gan.real(batch), self._fake(batch)
        return self._told_apart(moment, self.gan.scores, real, fake if self.pool is None else self.pool(fake))

    def generate(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """What the generator pays, and the guide's other nodes."""
        gan, game, fake, x = self.gan, self.game, self._fake(batch), self.gan.x.name
        real = gan.real(batch) if gan.judged or self.unrolled else batch
        scores = self._through(self._foreseen(moment, real, fake), moment)
        costs = {"fooling": each(game.generated(scores(fake)))}
        if gan.judged:
            costs["inferring"] = each(game.inferred(scores(real)))
        unseen = (name for name in gan.encoders if name not in gan.judged)
        costs |= {f"-log q({name})": -log_density(gan.encoders[name], fake) for name in unseen}
        costs |= self.also(fake, batch) if self.also is not None else {}
        seen = now_and_then(moment.step, fake[x], batch[x])
        return {"loss": reduce(add, (cost.mean() for cost in costs.values())), **costs, **seen}

    def _fake(self, batch: Batch) -> dict[str, Tensor]:
        return self.gan.fake(len(batch[self.gan.x.name]), {v.name: batch[v.name] for v in self.gan.given})

    def _told_apart(self, moment: Moment, scores: Scores, real: Values, fake: Values) -> dict[str, Tensor]:
        penalty = self.penalty
        faded = None if penalty is None else lambda *seen: self.fade(moment.turn) * penalty(*seen)
        return told_apart(self.gan, self.game, faded, self._through(scores, moment), real, fake)

    def _foreseen(self, moment: Moment, real: Values, fake: Values) -> Scores:
        """The scores of the discriminator as it is, or after the steps that the generator foresees."""
        if self.unrolled is None:
            return self.gan.scores
        return self.unrolled.ahead(self.gan, lambda ahead: self._told_apart(moment, ahead, real, fake)["loss"].mean())

    def _through(self, scores: Scores, moment: Moment) -> Scores:
        return scores if self.noise is None else noisy(scores, self.gan.x.name, self.noise(moment.turn))


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
