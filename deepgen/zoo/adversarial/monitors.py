"""What to look at while two networks play, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import mean, median

import torch
from torch import Tensor

from ...training.history import History

EVERY, MOST = 50, 128  # steps between looks at generated rows, and how many of them
NEAR = 0.1  # of the typical distance between a real row and the nearest other: nearer ones are twins
ENOUGH, RECENT = 10, 5  # values by which something is judged, and how many of them say how it is by now
ALIKE, TWINS, WON = 0.3, 0.5, 0.99
WRONG, OFTEN = 0.4, 2  # the share of rows told apart below which rows have changed sides, and how often they may not
WAYS = ("", " forth", " back")  # how terms end: of one game, and of the two games of translators there and back
LARGE = 100.0  # times the median from which gradients are said to explode


@torch.no_grad()
def variety(fake: Tensor, real: Tensor) -> dict[str, Tensor]:
    """How much generated rows differ from each other, beside real ones, each a number `[]`.

    `spread`: the mean distance of two generated rows over that of two real rows, 0 where all are one point, about 1
    where both are alike, a million at most. `twins`: the share of generated rows that have another within a tenth of
    the median distance of real rows to their nearest; many, where few points make up all rows.

    Args:
        fake, real: `[rows, *event]`, two or more; as many as 128 are looked at.

    Example:
        >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> variety(square / 2, square)
        {'spread': tensor(0.5000), 'twins': tensor(0.)}

    Reference: Arora and Zhang (2018), Do GANs learn the distribution? Some theory and empirics, for near twins.
    """
    (made, nearest), (held, typical) = (
        distances(rows[:MOST].unsqueeze(-1).flatten(1).float()) for rows in (fake, real)
    )
    twins = (nearest < NEAR * typical.median()).float().mean()
    return {"spread": (made / held.clamp_min(torch.finfo(held.dtype).tiny)).clamp_max(1e6), "twins": twins}


def now_and_then(step: int, fake: Tensor, real: Tensor, way: str = "") -> dict[str, Tensor]:
    """`variety` at every fiftieth step of two rows or more, with a way at the end of its names; otherwise nothing."""
    seen = variety(fake, real) if step % EVERY == 0 and len(real) > 1 else {}
    return {f"{name}{way}": value for name, value in seen.items()}


def distances(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The mean distance of two different rows `[]`, and that of each row to the nearest other `[rows]`."""
    count = len(rows)
    found = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")  # products lose what is small
    return found.sum() / (count * (count - 1)), found.fill_diagonal_(torch.inf).min(1).values


def instability(history: History) -> dict[str, str]:
    """What the terms of a game say is wrong by now, and what to do, by name: a monitor, which its phases name.

    Nothing is said of the first ten rows of the history, since players begin unevenly. A discriminator has won when it
    tells more than 99 % of rows apart in the whole last half; collapse is a matter of the last five looks at rows.

    Example:
        >>> rows = [{"turn": 50.0 * n, "discriminator.accuracy": 1.0, "generator.gradient": 2.0**-n} for n in range(10)]
        >>> instability(History(rows))
        {'a discriminator that has won': 'it tells 100.0% of rows apart, and the gradient of generator is 0.2% of its...
    """
    return dict((*_won(history), *_collapsed(history), *_oscillating(history), *_exploding(history)))


def _won(history: History) -> Iterator[tuple[str, str]]:
    slopes = [(phase, g) for (phase, _), g in values(history, "gradient").items() if phase.startswith("generator")]
    left = "".join(f", and the gradient of {phase} is {g[-1] / max(g):.1%} of its largest" for phase, g in slopes)
    for (_, way), accuracy in values(history, "accuracy").items():
        late = accuracy[len(accuracy) // 2 :]
        if min(late) > WON:
            yield (
                f"a discriminator that has won{way}",
                f"it tells {mean(late):.1%} of rows apart{left}; lower its rate, or take "
                "non_saturating(), noise, or a penalty such as r1().",
            )


def _collapsed(history: History) -> Iterator[tuple[str, str]]:
    twins = values(history, "twins")
    for (phase, way), spread in values(history, "spread").items():
        alike = twins[phase, way][-RECENT:]
        if max(spread[-RECENT:]) < ALIKE or min(alike) > TWINS:
            yield (
                f"collapse{way}",
                f"rows of {phase} differ by {mean(spread[-RECENT:]):.0%} of what real rows do, {mean(alike):.0%} have "
                "a twin; take a pack of several, noise, a penalty such as r1(), or fewer steps of the discriminator.",
            )


def _oscillating(history: History) -> Iterator[tuple[str, str]]:
    for (_, way), accuracy in values(history, "accuracy").items():
        times = sum(now < WRONG <= before for before, now in pairwise(accuracy))
        if times >= OFTEN:
            yield (
                f"oscillation{way}",
                f"generated rows were taken for real and real ones for generated {times} times, down to "
                f"{min(accuracy):.0%} told apart; take a penalty such as r1(), lower rates, or less momentum.",
            )


def _exploding(history: History) -> Iterator[tuple[str, str]]:
    for (phase, _), gradient in values(history, "gradient").items():
        times = gradient[-1] / max(median(gradient), 1e-12)
        if times > LARGE:
            yield (
                "exploding gradients",
                f"that of {phase} is {gradient[-1]:.3g}, {times:.0f} times its median; lower the rate, cut it (clip), "
                "or take a penalty.",
            )


def values(history: History, term: str) -> dict[tuple[str, str], list[float]]:
    """All values of a term where there are enough, by phase and by the way that it is of."""
    learned = [name for name in history.last if not name.startswith("held-out ")]
    ends = {way: f".{term}{way}" for way in WAYS}
    names = {(n.removesuffix(end), way): n for n in learned for way, end in ends.items() if n.endswith(end)}
    found = {place: history[name] for place, name in names.items()}
    return {place: held for place, held in found.items() if len(held) >= ENOUGH}
