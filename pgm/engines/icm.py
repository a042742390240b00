"""Iterated conditional modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..approximate.search.moves import moves_of
from ..approximate.search.outcome import outcome, quick_bound, random_states, warn
from ..errors import PlanError
from ..fields.answers import Best, Settings, explained
from .progress import Watched

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..fields.field import Field
    from ..model import Model


@dataclass(frozen=True)
class ICM:
    """Probable joint states by greedy moves: x_i becomes argmax p(x_i | all others) in turn, until none moves.

    What it ends in is the best among all joint states that differ in one variable, no more. It climbs from what a few
    sweeps of dual decomposition suggest, and from random states; where those are impossible, moves first lead to
    possible ones. `bound` is that of those sweeps.

    `diagnostics` has `gap`, `converged` (no move is left), `iterations` and `interrupted`.

    Args:
        restarts: how many random states to climb from.
        iterations: rounds over all variables, at most.
        seed: of the random states.
        progress: whether to show a bar when it takes long.
        device: where to work, that of the model by default; on the CPU the moves are compiled.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, mpe
        >>> a, b = Variable("a"), Variable("b")
        >>> best = mpe(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), engine=ICM())
        >>> best.assignment(), round(float(best.gap), 6)
        ({'a': '0', 'b': '0'}, 0.0)

    Reference: Besag (1986), On the statistical analysis of dirty pictures.
    """

    restarts: int = 10
    iterations: int = 1000
    seed: int = 0
    progress: bool = True
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        for name, least in (("restarts", 0), ("iterations", 1)):
            if getattr(self, name) < least:
                raise PlanError(f"ICM: {name} is {getattr(self, name)!r}, expected {least} or more.")

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """Probable joint states of all variables that are not observed."""
        return explained(Settings("ICM", device=self.device), model, wanted, evidence, k, self.search)

    @torch.no_grad()
    def search(self, field: Field) -> Best:
        """The best joint states found in a field, and a bound."""
        bound, start = quick_bound(field)
        generator = torch.Generator(field.device).manual_seed(self.seed)
        draws = torch.cat([start.unsqueeze(1), random_states(field, self.restarts, generator)], 1)
        moves, moving = moves_of(field), torch.ones(field.rows, dtype=torch.bool, device=field.device)
        with Watched(self.iterations, "rounds", self.progress) as steps:
            for _ in steps:
                found = moves.visit(draws)
                moving = (found != draws).flatten(1).any(1)
                draws = found
                if not bool(moving.any()):
                    break
                steps.say(f"best {float(field.log_weight(draws).max()):.4f}")
        if not steps.interrupted:
            warn(moving, "ICM", f"variables still moved after {self.iterations} rounds", "Use more iterations")
        notes = {
            "converged": (~moving).tolist(),
            "iterations": [steps.done] * field.rows,
            "interrupted": [steps.interrupted] * field.rows,
        }
        return outcome(field, draws, bound, "ICM", notes)
