"""Simulated annealing."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import torch

from ..approximate.search.moves import climb, moves_of
from ..approximate.search.outcome import outcome, quick_bound, random_states
from ..errors import PlanError
from ..fields.answers import Best, Settings, explained
from .progress import Watched

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..fields.field import Field
    from ..model import Model

LOOKS = 20  # how often the best so far is looked at for the bar


@dataclass(frozen=True)
class SimulatedAnnealing:
    """Probable joint states by random moves that cool down: x_i is drawn from p(x_i | all others)^(1 / temperature).

    The temperature falls from `start` to `end` by the same factor each sweep; then greedy moves finish. Cooled slowly
    enough it ends in the best states almost surely, which no finite schedule promises. `bound` is that of a few sweeps
    of dual decomposition. Stopping it with Ctrl-C finishes from where the chains are.

    `diagnostics` has `gap`, `iterations` (sweeps) and `interrupted`.

    Args:
        sweeps: over all variables.
        start, end: temperatures; 1 is the distribution itself. `start` should be as large as the differences in log
            weight that chains must cross, `end` small beside the smallest that matter.
        chains: how many side by side, each from random states.
        seed: of the randomness.
        progress: whether to show a bar when it takes long.
        device: where to work, that of the model by default; on the CPU the moves are compiled.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, mpe
        >>> a, b = Variable("a"), Variable("b")
        >>> best = mpe(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), engine=SimulatedAnnealing(sweeps=100))
        >>> best.assignment()
        {'a': '0', 'b': '0'}

    Reference: Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing; Geman and Geman (1984),
    Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images.
    """

    sweeps: int = 1000
    start: float = 3.0
    end: float = 0.2
    chains: int = 10
    seed: int = 0
    progress: bool = True
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        for name in ("sweeps", "chains"):
            if getattr(self, name) < 1:
                raise PlanError(f"SimulatedAnnealing: {name} is {getattr(self, name)!r}, expected 1 or more.")
        if not (0 < self.end <= self.start and isfinite(self.start)):
            raise PlanError(
                f"SimulatedAnnealing: temperatures fall from {self.start!r} to {self.end!r}, expected a finite start "
                "and an end above 0 that is not higher."
            )

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """Probable joint states of all variables that are not observed."""
        return explained(Settings("SimulatedAnnealing", device=self.device), model, wanted, evidence, k, self.search)

    @torch.no_grad()
    def search(self, field: Field) -> Best:
        """The best joint states found in a field, and a bound."""
        bound, _ = quick_bound(field)
        draws = random_states(field, self.chains, torch.Generator(field.device).manual_seed(self.seed))
        moves = moves_of(field, self.seed)
        with Watched(self.sweeps, "sweeps", self.progress) as steps:
            for step in steps:
                draws = moves.visit(draws, self.temperature(step))
                if step % max(self.sweeps // LOOKS, 1) == 0:
                    steps.say(f"best {float(field.log_weight(draws).max()):.4f}")
        ended = {"iterations": steps.done, "interrupted": steps.interrupted}
        notes = {name: [value] * field.rows for name, value in ended.items()}
        return outcome(field, climb(moves, draws), bound, "SimulatedAnnealing", notes)

    def temperature(self, sweep: int) -> float:
        """The temperature of a sweep by number.

        Example:
            >>> [round(SimulatedAnnealing(sweeps=3, start=4.0, end=1.0).temperature(k), 2) for k in range(3)]
            [4.0, 2.0, 1.0]
        """
        return self.start * (self.end / self.start) ** (sweep / max(self.sweeps - 1, 1))
