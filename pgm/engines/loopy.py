"""Loopy belief propagation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from ..approximate.messages.decode import decoded
from ..approximate.messages.implicit import implicit, stepped
from ..approximate.messages.passing import Passing
from ..approximate.messages.settle import Options, Schedule, Settled, settle
from ..approximate.search.unrolled import unrolled
from ..errors import ConvergenceWarning, PlanError
from ..fields.answers import Best, Settings, Solved, answered, evidence_of, explained
from ..fields.field import Field

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..model import Model
    from ..posterior import Posterior


@dataclass(frozen=True)
class LoopyBP:
    """Belief propagation: messages between factors and variables until they settle, on graphs with loops too.

    Exact on trees. With loops a fixed point is a stationary point of the Bethe free energy, `log_evidence` its value:
    no bound, often close where couplings are weak or loops long. Joint targets need a factor that has them all.
    `diagnostics` has `converged`, `iterations`, `residual` and `residuals`, that of each iteration.

    `mpe(engine=LoopyBP())` passes messages at temperature 0 (max-product) and gives a `bound` that no joint state
    exceeds, equal to what was found on trees. `solve` and `search` do the same for a `Field`, and `log_evidence` is
    differentiable in the parameters of a model.

    Args:
        temperature: T in T log sum exp(. / T): 1 sums, 0 maximises; `infer` then gives max-marginals that sum to 1.
        damping: the weight of the old logs in each new message, from 0 to below 1.
        schedule: 'parallel' updates all messages from those before; 'residual' always the factor whose variables have
            changed most, an iteration being as many updates as there are factors (on the CPU).
        iterations: the most of them.
        tolerance: of the largest change of a message in an iteration, in probability where two states are about even.
        dtype: arithmetic for models; float64, or float32 by choice. Fields keep theirs.
        device: where to compute for models; by default where the parameters are. Fields stay where they are.
        gradient: of marginals: 'implicit' at the fixed point, or 'unrolled' through all iterations.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, infer
        >>> a, b, c = Variable("a"), Variable("b"), Variable("c")
        >>> pairs = [Table(pair, [[2, 1], [1, 2]]) for pair in ([a, b], [b, c], [c, a])]
        >>> print(infer(MarkovNetwork(*pairs, Table([a], [3, 1])), ["b"], engine=LoopyBP()))
        b  0 0.6131  1 0.3869
        log evidence 3.9985
        LoopyBP: converged yes, iterations 24, residual 8.5e-07

    Reference: Pearl (1988), Probabilistic Reasoning in Intelligent Systems; Yedidia, Freeman and Weiss (2005),
    Constructing free-energy approximations and generalized belief propagation algorithms; Elidan, McGraw and Koller
    (2006), Residual belief propagation; Sutton and McCallum (2007), Improved dynamic schedules for belief propagation.
    """

    temperature: float = 1.0
    damping: float = 0.5
    schedule: Schedule = "parallel"
    iterations: int = 1000
    tolerance: float = 1e-6
    dtype: torch.dtype = torch.float64
    device: str | torch.device | None = None
    gradient: Literal["implicit", "unrolled"] = "implicit"
    progress: bool = True

    def __post_init__(self) -> None:
        checks = (
            ("temperature", self.temperature >= 0.0, "a number that is not negative"),
            ("damping", 0.0 <= self.damping < 1.0, "a number from 0 to below 1"),
            ("schedule", self.schedule in ("parallel", "residual"), "'parallel' or 'residual'"),
            ("iterations", self.iterations >= 1, "1 or more"),
            ("tolerance", self.tolerance >= 0.0, "a number that is not negative"),
            ("dtype", self.dtype in (torch.float64, torch.float32), "torch.float64 or torch.float32"),
            ("gradient", self.gradient in ("implicit", "unrolled"), "'implicit' or 'unrolled'"),
        )
        for name, good, expected in checks:
            if not good:
                raise PlanError(f"LoopyBP: {name} is {getattr(self, name)!r}, expected {expected}.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        return answered(self._settings, model, targets, evidence, impossible, self.solve)

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """A joint state of variables by number that is hard to beat, and a bound on all."""
        cold = replace(self, temperature=0.0)
        return explained(cold._settings, model, wanted, evidence, k, cold.search)

    def log_evidence(self, model: Model, evidence: Evidence) -> Tensor:
        """The Bethe approximation of log p(evidence), `[*batch]`, differentiable in the model's parameters."""
        return evidence_of(self._settings, model, evidence, self._bethe)

    def solve(self, field: Field, start: Tensor | None = None) -> Solved:
        """Marginals and log evidence of a field, differentiable where its numbers are.

        Args:
            field: the field.
            start: messages to begin with, such as those that `settle` found before; uniform ones when None.
        """
        passing, settled = self.settle(field, start)
        log_evidence = self._log_partition(passing, settled, start)
        messages = self._messages(passing, settled, start)

        def joint(scope: tuple[int, ...]) -> Tensor:
            return passing.joint(messages, scope)

        possible = ~torch.isneginf(log_evidence.detach()).cpu().numpy()
        marginals = passing.marginals(messages)[:, : field.unary.shape[1]]  # not of what wide factors carry along
        return Solved(marginals, log_evidence, joint, self._diagnostics(settled, possible))

    def search(self, field: Field, start: Tensor | None = None) -> Best:
        """The best joint states found in a field, by messages at temperature 0 decoded along a spanning forest."""
        cold = replace(self, temperature=0.0)
        passing, settled = cold.settle(field, start)
        states, bound = decoded(passing, settled.messages)
        notes = cold._diagnostics(settled, ~torch.isneginf(bound).cpu().numpy())
        return Best(states[:, : field.variables], bound, notes)

    def settle(self, field: Field, start: Tensor | None = None) -> tuple[Passing, Settled]:
        """The equations of a field, and the messages where they have settled."""
        passing = Passing(field if self.temperature == 1.0 else unrolled(field, "LoopyBP"), self.temperature)
        if self.schedule == "residual" and field.device.type != "cpu":
            raise PlanError(f"LoopyBP: schedule='residual' works on the CPU, not on {field.device}; use 'parallel'.")
        options = Options(self.damping, self.iterations, self.tolerance, self.schedule, self.progress)
        return passing, settle(passing, options, start)

    @property
    def _settings(self) -> Settings:
        return Settings("LoopyBP", dtype=self.dtype, device=self.device)

    def _bethe(self, field: Field) -> Tensor:
        passing, settled = self.settle(field)
        found = self._log_partition(passing, settled, None)
        self._diagnostics(settled, ~torch.isneginf(found.detach()).cpu().numpy())
        return found

    def _log_partition(self, passing: Passing, settled: Settled, start: Tensor | None) -> Tensor:
        """At a fixed point its derivative by the messages is 0, so that they may be held fixed."""
        fixed = settled.messages if self.gradient == "implicit" else self._messages(passing, settled, start)
        return passing.log_partition(fixed)

    def _messages(self, passing: Passing, settled: Settled, start: Tensor | None) -> Tensor:
        """The messages, with a gradient where one is wanted."""
        if not torch.is_grad_enabled() or not _differentiable(passing.field):
            return settled.messages
        if self.gradient == "implicit":
            return implicit(passing, settled.messages, self.damping, self.iterations, self.tolerance)
        begin = passing.start() if start is None else start
        return stepped(passing, begin, self.damping, int(settled.iterations.max()))

    def _diagnostics(self, settled: Settled, possible: np.ndarray) -> dict[str, list[object]]:
        """How it went, one entry a row; warns of possible rows that have not settled."""
        converged = settled.residual <= self.tolerance
        late = np.flatnonzero(~converged & possible)
        others = "TreeReweighted() or Gibbs()" if self.temperature > 0.0 else "DualDecomposition()"
        if len(late):
            rows = f"{len(late)} of {len(converged)} rows have" if len(converged) > 1 else "messages have"
            warnings.warn(
                f"LoopyBP: {rows} not settled after {settled.iterations.max()} iterations: residual "
                f"{settled.residual[late].max():.2g}, tolerance {self.tolerance:.2g}. Use more damping or iterations, "
                f"schedule='residual', or another engine such as {others}.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return {
            "converged": converged.tolist(),
            "iterations": settled.iterations.tolist(),
            "residual": settled.residual.tolist(),
            "interrupted": [settled.interrupted] * len(converged),
            "residuals": [column[~np.isnan(column)].tolist() for column in settled.residuals.T],
        }


def _differentiable(field: Field) -> bool:
    numbers = [field.unary, *(g.logs for g in field.groups), *(core for t in field.trains for core in t.cores)]
    return any(tensor.requires_grad for tensor in numbers)
