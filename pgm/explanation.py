"""Most probable joint states."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .errors import GraphError
from .variable import Variable


@dataclass(frozen=True, eq=False)
class Explanation:
    """Most probable joint states, best first.

    Args:
        variables: what was maximised over.
        states: state numbers, `[*batch, k, variables]`, -1 where there are fewer than k with positive probability.
        log_prob: log of each one's weight, evidence included and all else summed out, in nats, `[*batch, k]`.

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

    def assignment(self, rank: int = 0, row: int | None = None) -> dict[str, str]:
        """The labels of the explanation of that rank (0 is the best), of that row when there is a batch."""
        numbers = self.states[rank] if row is None else self.states[row, rank]
        if bool((numbers < 0).any()):
            raise GraphError(f"Explanation: there is no explanation of rank {rank} with positive probability.")
        return {v.name: v.states[int(n)] for v, n in zip(self.variables, numbers, strict=True)}

    def __len__(self) -> int:
        return int(self.states.shape[-2])

    def __str__(self) -> str:
        if self.states.dim() == 3:
            return repr(self)
        ranks = [k for k in range(len(self)) if bool((self.states[k] >= 0).all())]
        lines = [f"#{k + 1} log p {float(self.log_prob[k]):.4f}: " + _joined(self.assignment(k)) for k in ranks]
        return "\n".join(lines)

    def __repr__(self) -> str:
        rows = f", {self.states.shape[0]} rows" if self.states.dim() == 3 else ""
        return f"Explanation(best {len(self)} over {len(self.variables)} variables{rows})"


def _joined(assignment: dict[str, str]) -> str:
    return ", ".join(f"{name}={label}" for name, label in assignment.items())
