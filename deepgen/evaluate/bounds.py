"""Bounds on log p(x): each with the number of draws by which it was made."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch

from ..data.data import Data
from ..objectives import log_weights
from ..pair import Pair
from .figure import Figure


@torch.no_grad()
def bounds(
    pair: Pair, data: Data, particles: Sequence[int] = (1, 50), batch: int = 100, seed: int = 0
) -> tuple[Figure, ...]:
    """Lower bounds on the mean log p(x) of all rows: the evidence lower bound (k = 1), and tighter ones of k draws.

    Args:
        pair: a model and its guide.
        data: rows of what is observed and given.
        particles: how many draws a row, one bound each.
        batch: rows at a time.
        seed: of the draws, and of what data draw anew.

    Returns:
        One figure for each number of draws, in nats, with the standard error over rows.

    Reference: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders.
    """
    found = []
    for k in particles:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(seed)
            rows = torch.arange(len(data)).split(batch)
            parts = [log_weights(pair.model, pair.guide, pair.seen(data.batch(r, generator)), k) for r in rows]
        values = torch.cat([part.logsumexp(0) for part in parts]).double() - torch.tensor(float(k)).log()
        how = f"{'ELBO' if k == 1 else f'IWAE, k = {k}'}, {len(data):,} rows of {data.name}"
        error = values.std().item() / sqrt(len(values))
        found.append(Figure("log p(x)", values.mean().item(), "lower bound", how, error, "nats"))
    return tuple(found)
