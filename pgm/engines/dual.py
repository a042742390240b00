"""Dual decomposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..approximate.search.dual import Dual, dual_of
from ..approximate.search.moves import climb, moves_of
from ..approximate.search.outcome import outcome, warn
from ..approximate.search.unrolled import unrolled
from ..errors import PlanError
from ..fields.answers import Best, Settings, explained
from .progress import Watched

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..fields.field import Field
    from ..model import Model

STALLED = 10  # sweeps in which the bound must fall by the tolerance


@dataclass(frozen=True)
class DualDecomposition:
    """Most probable joint states with a certificate: a bound from above is lowered until it meets what was found.

    The bound is sum_i max_x [unary_i(x) + sum_f delta_fi(x)] + sum_f max_x [log f(x) - sum_i delta_fi(x_i)], which no
    joint states exceed whatever the messages delta are. Each sweep passes over the variables in order, forward or
    backward, and never raises it. States are read off along the way and improved by moves of single variables. Where
    both meet, the explanation is proved; on trees they do.

    `diagnostics` has `gap`, `certified`, `converged` (certified, or the bound has come to rest), `iterations` and
    `interrupted`.

    Args:
        iterations: sweeps at most.
        tolerance: nats; a gap that small is a certificate, and a bound that falls by less in ten sweeps is at rest.
        progress: whether to show a bar when it takes long.
        device: where to work, that of the model by default; on the CPU the sweeps are compiled.

    Raises:
        PlanError: when an option is not one of these, or a noisy or has too many causes to be a table.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, mpe
        >>> a, b, c = Variable("a"), Variable("b"), Variable("c")
        >>> net = MarkovNetwork(Table([a, b], [[1, 5], [2, 1]]), Table([b, c], [[3, 1], [1, 4]]))
        >>> best = mpe(net, engine=DualDecomposition())
        >>> best.assignment(), round(float(best.gap), 6), best.diagnostics["certified"]
        ({'a': '0', 'b': '1', 'c': '1'}, 0.0, True)

    Reference: Kolmogorov (2015), A new look at reweighted message passing; Sontag, Globerson and Jaakkola (2011),
    Introduction to dual decomposition for inference.
    """

    iterations: int = 1000
    tolerance: float = 1e-6
    progress: bool = True
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise PlanError(f"DualDecomposition: iterations is {self.iterations!r}, expected 1 or more.")
        if not self.tolerance > 0:
            raise PlanError(f"DualDecomposition: tolerance is {self.tolerance!r}, expected a number above 0.")

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """The most probable joint states of all variables that are not observed."""
        return explained(Settings("DualDecomposition", device=self.device), model, wanted, evidence, k, self.search)

    @torch.no_grad()
    def search(self, field: Field) -> Best:
        """The best joint states found in a field, and the bound.

        Raises:
            PlanError: when a noisy or has too many causes to be a table.
        """
        run = _Run(field.to(dtype=torch.float64), self.tolerance)
        with Watched(self.iterations, "sweeps", self.progress) as steps:
            for step in steps:
                run.sweep(step)
                if bool((run.certified | run.resting).all()):
                    break
                steps.say(f"gap {float(run.gap.max()):.4g}")
        return run.best(steps.interrupted)


class _Run:
    """One search: bounds and the best states so far."""

    def __init__(self, field: Field, tolerance: float) -> None:
        self.field, self.tolerance = field, tolerance
        self.dual: Dual = dual_of(unrolled(field, "DualDecomposition"))
        self.moves = moves_of(field)
        self.states = torch.zeros(field.rows, field.variables, dtype=torch.long, device=field.device)
        self.weight = field.log_weight(self.states)
        self.bounds = [torch.full_like(self.weight, torch.inf)]  # one a sweep
        self.due = 0  # the sweep after which states are next looked for

    def sweep(self, step: int) -> None:
        """Lower the bound, and look for states every few sweeps, in the other direction."""
        forward = step % 2 == 0
        self.bounds.append(torch.minimum(self.bounds[-1], self.dual.sweep(forward)))
        if step == self.due or bool(self.resting.all()):
            self._look(self.dual.decode(not forward)[:, : self.field.variables])
            self.due = step + 5 + step // 20 * 2  # an odd number, so that both directions have their turn

    def _look(self, states: Tensor) -> None:
        states = climb(self.moves, states.unsqueeze(1)).squeeze(1)
        weight = self.field.log_weight(states)
        better = weight > self.weight
        self.states = torch.where(better.unsqueeze(1), states, self.states)
        self.weight = torch.where(better, weight, self.weight)

    @property
    def gap(self) -> Tensor:
        """How much better any joint states could be, `[rows]`; 0 where there are no possible ones."""
        bound = self.bounds[-1]
        return torch.where(bound.isneginf(), 0.0, bound - self.weight).clamp_min(0.0)

    @property
    def certified(self) -> Tensor:
        """Whether the gap is closed, `[rows]`."""
        return self.gap <= self.tolerance

    @property
    def resting(self) -> Tensor:
        """Whether the bound has all but stopped falling, `[rows]`."""
        before = self.bounds[max(len(self.bounds) - 1 - STALLED, 0)]
        return before - self.bounds[-1] < self.tolerance

    def best(self, interrupted: bool) -> Best:
        """What was found, with a warning where the bound was still falling."""
        settled = self.certified | self.resting
        if not interrupted:
            gap = f"with a gap of {float(self.gap.max()):.3g} nats (tolerance {self.tolerance:g})"
            warn(~settled, "DualDecomposition", f"the bound was still falling, {gap},", "Use more iterations")
        notes = {
            "certified": self.certified.tolist(),
            "converged": settled.tolist(),
            "iterations": [len(self.bounds) - 1] * len(settled),
            "interrupted": [interrupted] * len(settled),
        }
        return outcome(self.field, self.states.unsqueeze(1), self.bounds[-1], "DualDecomposition", notes)
