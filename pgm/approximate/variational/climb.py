"""Coordinate ascent until nothing changes: the best member of a family that a number of starts lead to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...engines.progress import Watched
from .ascent import SOFT, Ascent, Beliefs, started
from .clusters import Shape
from .family import Family


@dataclass(frozen=True, eq=False)
class Summit:
    """The best beliefs of each row.

    Args:
        family: what they are a member of.
        beliefs: `[1, rows, states]`.
        bounds: after each sweep, `[sweeps, rows]`.
        residual: the largest change of a probability in the last sweep, `[rows]`.
        interrupted: whether Ctrl-C ended the sweeps.
    """

    family: Family
    beliefs: Beliefs
    bounds: Tensor
    residual: Tensor
    interrupted: bool

    def joint(self, scope: tuple[int, ...]) -> Tensor:
        """The probabilities of variables of one cluster, `[rows, *sizes]`.

        Raises:
            PlanError: when they are in different clusters.
        """
        family, flat = self.family, self.beliefs.flat
        alike, slot, members = family.holding(scope)
        logits = Ascent(family).logits(alike, flat)[0, :, slot]  # [rows, width]
        shape = alike.shape
        local = tuple(members.index(v) for v in scope)
        sizes = [shape.sizes[v] for v in local]
        tables = [
            part.reshape(-1, *table) for part, table in zip(logits.split(shape.widths, -1), shape.tables, strict=True)
        ]
        wider = Shape(shape.sizes, (*shape.scopes, local))
        return wider.solve([*tables, logits.new_zeros(len(logits), *sizes)])[1][-1]


def climbed(family: Family, singles: Tensor, iterations: int, tolerance: float, progress: bool) -> Summit:
    """The best that sweeps lead to.

    Args:
        family: over a supported field.
        singles: where to begin, probabilities of single variables, `[starts, rows, states]`.
        iterations: sweeps at most.
        tolerance: the largest change of a probability in a sweep at which to stop.
        progress: whether to show a bar when it takes long.
    """
    ascent, beliefs = Ascent(family), started(family, singles)
    for penalty in SOFT if ascent.hard else ():  # what is impossible becomes so by and by: less depends on the order
        beliefs = Ascent(family, penalty).sweep(beliefs)
    bounds, change = [], singles.new_full(singles.shape[:2], torch.inf)
    with Watched(iterations, "sweeps", progress) as steps:
        for _ in steps:
            after = ascent.sweep(beliefs)
            change, beliefs = (after.flat - beliefs.flat).abs().amax(-1), after
            bounds.append(ascent.bound(beliefs))
            steps.say(f"log evidence at least {float(bounds[-1].amax(0).mean()):.6g}")
            if bool((change <= tolerance).all()):
                break
    history = torch.stack(bounds)  # [sweeps, starts, rows]
    best, rows = history[-1].argmax(0), torch.arange(singles.shape[1], device=singles.device)
    kept = Beliefs(beliefs.flat[best, rows][None], beliefs.entropy[best, rows][None])
    return Summit(family, kept, history[:, best, rows], change[best, rows], steps.interrupted)
