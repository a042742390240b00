"""Most probable joint states, and the numbers that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .errors import GraphError
from .variable import Variable


@dataclass(frozen=True, eq=False)
class Explanation:
    """Most probable joint states, best first.

    Args:
        variables: what was maximised over.
        states: state numbers of the finite ones, `[*batch, k, finite variables]`, -1 where there are fewer than k with
            positive probability.
        log_prob: log of each one's weight, evidence included and all else summed out, in nats, `[*batch, k]`; a density
            where there are numeric variables, on the support where their noise is singular.
        numbers: the numbers of the numeric ones by name, `[*batch, k, *event]`.
        bound: no joint states have a greater `log_prob`, `[*batch]`; None where the first is known to be the best.
        diagnostics: what the engine says about how far to trust it, by name.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable, mpe
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> best = mpe(BayesianNetwork(Tabular(coin, [], [0.4, 0.6])))
        >>> best.assignment(), round(float(best.log_prob[0].exp()), 3)
        ({'coin': 'tails'}, 0.6)
    """

    variables: tuple[Variable, ...]
    states: Tensor
    log_prob: Tensor
    numbers: Mapping[str, Tensor] = field(default_factory=dict)
    bound: Tensor | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gap(self) -> Tensor:
        """How much better than the first any joint states could be at most, in nats, `[*batch]`; 0 where it is best."""
        best = self.log_prob[..., 0]
        return torch.zeros_like(best) if self.bound is None else (self.bound - best).clamp_min(0.0)

    def assignment(self, rank: int = 0, row: int | None = None) -> dict[str, Any]:
        """The labels, and numbers or lists of them, of the explanation of that rank (0 is the best), of that row."""
        batch = self.states.shape[:-2]
        if (row is None) == bool(batch) or (row is not None and not -batch[0] <= row < batch[0]):
            expected = f"a row below {batch[0]}" if batch else "none, as for one row of evidence"
            raise GraphError(f"Explanation: row is {row}, expected {expected}.")
        if not -len(self) <= rank < len(self):
            raise GraphError(f"Explanation: rank is {rank}, expected one below {len(self)}; ask for more with k.")
        place = rank if row is None else (row, rank)
        states = self.states[place]
        if bool((states < 0).any()):
            raise GraphError(f"Explanation: there is no explanation of rank {rank} with positive probability.")
        chosen = iter(states.tolist())
        return {
            v.name: v.states[next(chosen)] if v.finite else self.numbers[v.name][place].tolist() for v in self.variables
        }

    def __len__(self) -> int:
        return int(self.states.shape[-2])

    def __str__(self) -> str:
        if self.states.dim() == 3:
            return repr(self)
        ranks = [k for k in range(len(self)) if bool((self.states[k] >= 0).all())]
        lines = [f"#{k + 1} log p {float(self.log_prob[k]):.4f}: " + _joined(self.assignment(k)) for k in ranks]
        if self.bound is not None:
            lines.append(f"none above log p {float(self.bound):.4f}, a gap of {float(self.gap):.4f}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        rows = f", {self.states.shape[0]} rows" if self.states.dim() == 3 else ""
        return f"Explanation(best {len(self)} over {len(self.variables)} variables{rows})"


def _joined(assignment: dict[str, Any]) -> str:
    return ", ".join(f"{name}={f'{x:.4g}' if isinstance(x, float) else x}" for name, x in assignment.items())
