"""Oracles for models that are trained: Pyro's own inference on the same models."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from pgm.program import as_pyro

from .pair import Pair


def pyro_bound(pair: Pair, seen: Mapping[str, Tensor], draws: int = 100) -> tuple[float, float]:
    """Pyro's evidence lower bound of all rows together, and its standard error.

    Args:
        pair: a model and its guide, without finite variables that are to be summed.
        seen: what is observed and given, `[rows, *event]` by name.
        draws: independent estimates.
    """
    bound = Trace_ELBO()(as_pyro(pair.model, given=seen), as_pyro(pair.guide, given=_known(pair, seen)))
    with torch.no_grad():
        found = -torch.stack([bound() for _ in range(draws)]).double()
    return found.mean().item(), found.std().item() / draws**0.5


def pyro_trained(pair: Pair, seen: Mapping[str, Tensor], steps: int = 20, rate: float = 1e-3) -> list[float]:
    """Losses of some steps of plain Pyro: stochastic variational inference on both programs, in place.

    Args:
        pair, seen: as for `pyro_bound`.
        steps: of Adam.
        rate: its learning rate.
    """
    bound = Trace_ELBO()(as_pyro(pair.model, given=seen), as_pyro(pair.guide, given=_known(pair, seen)))
    optimiser = torch.optim.Adam(bound.parameters(), rate)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = bound()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def _known(pair: Pair, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in seen.items() if name in pair.guide.graph.by_name}
