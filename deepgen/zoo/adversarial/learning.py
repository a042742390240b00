"""The two phases of a game: the discriminator learns to tell, the generator to be taken for the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from pgm.conditionals import Conditional
from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from .games import Game, non_saturating
from .gan import Gan
from .penalties import Penalty

Values = Mapping[str, Tensor]
Also = Callable[[Values, Batch], Mapping[str, Tensor]]
"""What else a generator pays: of its rows with what they were made of, and the batch; costs by name."""


def adversarial(
    gan: Gan,
    game: Game | None = None,
    *,
    steps: int = 1,
    penalty: Penalty | None = None,
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
        also: further costs of the generator.
        critic: options of the discriminator's phase that differ, such as its optimiser.
        options: of both phases: `optimiser`, `rate`, `clip`.

    Raises:
        PlanError: when rows of a batch would be normalised together under a penalty that is of single rows.

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

    def discriminate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        with torch.no_grad():
            real, fake = gan.real(batch), gan.fake(len(batch[x]), given(batch))
        right, wrong = gan.scores(real), gan.scores(fake)
        loss = each(game.real(right)) + each(game.fake(wrong))
        cost = {} if penalty is None else {"penalty": penalised(gan, penalty, real, fake)}
        return {"loss": loss + cost.get("penalty", 0), **cost, **judged(game, right, wrong)}

    def generate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        fake = gan.fake(len(batch[x]), given(batch))
        costs = {"fooling": each(game.generated(gan.scores(fake)))}
        if gan.judged:
            costs["inferring"] = each(game.inferred(gan.scores(gan.real(batch))))
        costs |= {f"-log q({name})": -log_density(c, fake) for name, c in learned.items()}
        costs |= also(fake, batch) if also is not None else {}
        return {"loss": torch.stack([cost.mean() for cost in costs.values()]).sum(), **costs}

    def given(batch: Batch) -> dict[str, Tensor]:
        return {v.name: batch[v.name] for v in gan.given}

    moved: dict[str, nn.Module] = {"generator": gan.pair.model, **gan.encoders}
    common = {"clip": inf, **options}  # gradients are measured, if not cut
    first = Phase(
        "discriminator", {"discriminator": gan.discriminator}, discriminate, steps, **{**common, **(critic or {})}
    )
    return first, Phase("generator", moved, generate, **common)


def penalised(gan: Gan, penalty: Penalty, real: Values, fake: Values) -> Tensor:
    """A penalty on what generated rows differ in from real ones: x, and whatever else is inferred."""
    names = [v.name for v in gan.discriminator.given if v.name == gan.x.name or v.name in gan.judged]
    return penalty(
        lambda values: gan.scores({**real, **values}), {n: real[n] for n in names}, {n: fake[n] for n in names}
    )


def judged(game: Game, right: Tensor, wrong: Tensor) -> dict[str, Tensor]:
    """What the history says of scores of real and of fake rows."""
    found = {"real": each(right), "fake": each(wrong)}
    if game.odds:
        found["accuracy"] = (each((right > 0).float()) + each((wrong < 0).float())) / 2
    return found


def each(scores: Tensor) -> Tensor:
    """The mean over patches, `[rows]`."""
    return scores.flatten(1).mean(1) if scores.dim() > 1 else scores


def log_density(encoder: Conditional, values: Values) -> Tensor:
    """log q of a node at the values that rows were made of, `[rows]`."""
    return encoder.log_prob(*(values[v.name] for v in encoder.scope))


def require_rows_alone(gan: Gan, penalty: Penalty | None) -> None:
    """Raise a `PlanError` where a critic under a penalty normalises over the batch, so that slopes are of all rows."""
    norms = [
        name for name, part in gan.discriminator.named_modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
    ]
    if penalty is not None and norms:
        raise PlanError(
            f"adversarial: the discriminator normalises over its batch ({norms[0]}), and a penalty is of the slope at "
            "single rows; take layers of another norm, or none."
        )
