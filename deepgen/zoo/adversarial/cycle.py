"""Translation without pairs: there and back again should be where one began (CycleGAN)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from pgm.errors import GraphError, PlanError
from pgm.model import Model
from pgm.variable import Variable

from ...networks import Network
from ...training.phase import Batch, Moment, Phase
from .games import Game, least_squares
from .gan import DENSE, Gan
from .learning import each, require_rows_alone, told_apart
from .monitors import instability, now_and_then
from .penalties import Penalty, require_weight
from .replay import Replay
from .translation import apart, translator


@dataclass(frozen=True, eq=False)
class Cycle:
    """Two translators, there and back: each makes what the other is given.

    Args:
        forth: makes x of a source.
        back: makes sources of x.

    Raises:
        GraphError: when they do not fit together, or a discriminator sees what there are no pairs for.

    Example:
        >>> from pgm import Real
        >>> cycle(Variable("image", Real(8, 8)), Variable("source", Real(8, 8)))
        Cycle(source -> image -> source)

    Reference: Zhu, Park, Isola and Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial
    networks.
    """

    forth: Gan
    back: Gan

    def __post_init__(self) -> None:
        for one, other in ((self.forth, self.back), (self.back, self.forth)):
            if [v.name for v in one.given] != [other.x.name]:
                raise GraphError(
                    f"Cycle: {one} is given {[v.name for v in one.given]}, expected {other.x.name!r}, which {other} "
                    "makes."
                )
            seen = [v.name for v in one.discriminator.given]
            if seen != [one.x.name]:
                raise GraphError(
                    f"Cycle: the discriminator of {one} sees {', '.join(seen)}, expected {one.x.name!r} alone, since "
                    "there are no pairs; make the translator with beside=False."
                )

    @property
    def models(self) -> dict[str, Model]:
        """All graphs, by name."""
        return {
            "forth": self.forth.pair.model,
            "back": self.back.pair.model,
            "judge of forth": self.forth.pair.guide,
            "judge of back": self.back.pair.guide,
        }

    def fake(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Both translated, differentiable: x made of sources, and sources made of x, `[rows, *event]` by name.

        Args:
            values: x and sources, `[rows, *event]` by name.
        """
        found = {}
        for way in (self.forth, self.back):
            (given,) = way.given
            found[way.x.name] = way.fake(len(values[given.name]), {given.name: values[given.name]})[way.x.name]
        return found

    def exchanged(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """x given as sources, and sources as x."""
        x, source = self.forth.x.name, self.back.x.name
        return {x: values[source], source: values[x]}

    @torch.no_grad()
    def translated(self, sources: Tensor) -> Tensor:
        """What sources become, `[rows, *event]`.

        Args:
            sources: `[rows, *event]`.
        """
        return self.forth.sample(len(sources), {self.back.x.name: sources})

    def __repr__(self) -> str:
        source, x = self.back.x.name, self.forth.x.name
        return f"Cycle({source} -> {x} -> {source})"


def cycle(
    x: Variable,
    source: Variable,
    *,
    generator: Network = DENSE,
    discriminator: Network = DENSE,
    patches: Sequence[int] = (),
) -> Cycle:
    """A translator of sources to x and one of x to sources, of the same kind.

    Args:
        x, source: what is translated into each other, `Real`: points, or images with shades from -1 to 1.
        generator, discriminator: make the networks of both, such as `unet_generator(32, 64)` and `patchgan(32)`.
        patches: the shape of the scores of a row.

    Example:
        >>> from pgm import Real
        >>> found = cycle(Variable("x", Real(2)), Variable("source", Real(2)))
        >>> found.translated(torch.zeros(5, 2)).shape
        torch.Size([5, 2])

    Reference: Zhu, Park, Isola and Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial
    networks.
    """
    networks: dict[str, Any] = {"generator": generator, "discriminator": discriminator, "patches": patches}
    return Cycle(translator(x, source, beside=False, **networks), translator(source, x, beside=False, **networks))


def cycle_consistent(
    cycle: Cycle,
    game: Game | None = None,
    *,
    weight: float = 10.0,
    identity: float = 0.0,
    steps: int = 1,
    penalty: Penalty | None = None,
    replay: int = 50,
    critic: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[Phase, Phase]:
    """Both discriminators learn to tell, then both generators to be taken for the data, and to undo one another.

    The generators also pay weight (E |F(G(source)) - source| + E |G(F(x)) - x|), G being forth and F back, and
    identity (E |G(x) - x| + E |F(source) - source|).

    Args:
        cycle: who plays.
        game: what they pay, by default `least_squares()`.
        weight: lambda, of the mean absolute error of a number that went there and back.
        identity: what it counts that images which are as they should be are changed; 0 where they have no meaning for
            the other translator. In the paper, half of the weight where colours are to be kept.
        steps: batches of the discriminators' turn.
        penalty: what keeps them smooth, such as `r1()`.
        replay: places of the pools of past translations that the discriminators see some of; 0 for none.
        critic: options of the discriminators' phase that differ.
        options: of both phases: `optimiser`, `rate`, `clip`.

    Raises:
        PlanError: when the weight is not above 0, the other one below or without a meaning, or a discriminator under
            a penalty judges rows by their batch.

    Example:
        >>> from pgm import Real
        >>> found = cycle(Variable("x", Real(2)), Variable("source", Real(2)))
        >>> cycle_consistent(found, replay=0)[1]
        Phase(generators: moves forth, back, 1 step a turn)

    Reference: Zhu, Park, Isola and Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial
    networks.
    """
    game, ways = game or least_squares(), {"forth": cycle.forth, "back": cycle.back}
    _require(cycle, weight, identity, penalty)
    pools = {way: Replay(gan.discriminator.given, replay) for way, gan in ways.items()} if replay else {}

    def discriminate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        found, total = dict[str, Tensor](), list[Tensor]()
        with torch.no_grad():
            fake = cycle.fake(batch)
        for way, gan in ways.items():
            made = {gan.x.name: fake[gan.x.name]}
            terms = told_apart(gan, game, penalty, gan.scores, batch, pools[way](made) if pools else made)
            total.append(terms.pop("loss"))
            found |= {f"{name} {way}": value for name, value in terms.items()}
        return {"loss": total[0] + total[1], **found}

    def generate(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        fake = cycle.fake(batch)
        costs = {f"fooling {way}": each(game.generated(gan.scores(fake))) for way, gan in ways.items()}
        costs |= _changed(cycle, fake, batch, weight, identity)
        names = {way: gan.x.name for way, gan in ways.items()}
        forth, back = (now_and_then(moment.step, fake[x], batch[x], f" {way}") for way, x in names.items())
        return {"loss": torch.stack([cost.mean() for cost in costs.values()]).sum(), **costs, **forth, **back}

    common = {"clip": inf, "monitors": (instability,), **options}  # gradients are measured, if not cut
    learn: dict[str, nn.Module] = {f"discriminator {way}": gan.discriminator for way, gan in ways.items()}
    learn |= {f"replay {way}": pool for way, pool in pools.items()}
    first = Phase("discriminators", learn, discriminate, steps, **{**common, **(critic or {})})
    return first, Phase("generators", {way: gan.pair.model for way, gan in ways.items()}, generate, **common)


def both_apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Tensor:
    """The mean absolute differences of all variables of one, added up, `[rows]`."""
    return torch.stack([apart(value, other[name]) for name, value in one.items()]).sum(0)


def _changed(cycle: Cycle, fake: Batch, batch: Batch, weight: float, identity: float) -> dict[str, Tensor]:
    """What is paid where there and back is not where one began, and where what is as it should be is not kept."""
    costs = {"cycle": weight * both_apart(cycle.fake(fake), batch)}
    if identity:
        costs["identity"] = identity * both_apart(cycle.fake(cycle.exchanged(batch)), batch)
    return costs


def _require(cycle: Cycle, weight: float, identity: float, penalty: Penalty | None) -> None:
    """Raise a `PlanError` where costs cannot be weighed so, or a critic under a penalty judges rows by their batch."""
    require_weight(weight, "cycle_consistent")
    for gan in (cycle.forth, cycle.back):
        require_rows_alone(gan, penalty)
    shapes = [list(gan.x.shape) for gan in (cycle.forth, cycle.back)]
    if not identity >= 0 or (identity and shapes[0] != shapes[1]):
        raise PlanError(
            f"cycle_consistent: identity is {identity!r} between shapes {shapes[1]} and {shapes[0]}, expected 0, or a "
            "number above it where shapes are the same."
        )
