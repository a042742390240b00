"""Samples without weights, chosen by weight from draws that come portion by portion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .draws import Draws


def chosen_by_weight(
    portions: Iterable[Draws], names: Sequence[str], n: int, generator: torch.Generator
) -> list[Tensor] | None:
    """n choices among all draws of one row, in proportion to their weights, the draws of one portion held at a time.

    Args:
        portions: weighted draws of one row.
        names: of the variables that are kept.
        n: how many, 1 or more.
        generator: of the randomness, where the draws are.

    Returns:
        `[n, *event]` by name; None where no draw has weight.

    Reference: Rubin (1987), sampling importance resampling; Chao (1982), A general purpose unequal probability
    sampling plan.
    """
    kept: list[Tensor] | None = None
    total = torch.tensor(-torch.inf, dtype=torch.float64, device=generator.device)
    for some in portions:
        logs = some.logs[0]
        mine = logs.logsumexp(0)
        if bool(torch.isneginf(mine)):
            continue
        total = torch.logaddexp(total, mine)
        chosen = torch.multinomial(logs.softmax(0), n, replacement=True, generator=generator)
        new = [some.columns[name][0][chosen] for name in names]
        if kept is None:
            kept = new
            continue
        # each choice changes over with the share that this portion has in the weight so far
        moves = torch.rand(n, generator=generator, device=generator.device, dtype=total.dtype) < (mine - total).exp()
        kept = [torch.where(moves.reshape(-1, *[1] * (x.dim() - 1)), y, x) for x, y in zip(kept, new, strict=True)]
    return kept
