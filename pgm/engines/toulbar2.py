"""Proofs of optimality by the solver toulbar2."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..approximate.search.outcome import outcome, quick_bound
from ..approximate.search.unrolled import unrolled
from ..errors import PlanError
from ..fields.answers import Best, Settings, explained
from .progress import Watched

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..fields.field import Field
    from ..model import Model

DIGITS = 1e15  # whole numbers up to here are exact as floating-point numbers
TICK = 0.1  # seconds by which the solver may stop before its time


@dataclass(frozen=True)
class Toulbar2:
    """Most probable joint states by branch and bound, proved to be so unless the time is over.

    The factors go to the solver as costs, -log f(x) in whole multiples of `precision`; it returns the best joint
    states and a bound, in which the rounding is counted. Needs the package pytoulbar2.

    `diagnostics` has `gap`, `certified` (the search was exhaustive: nothing is better by more than the gap, which
    rounding alone makes) and `interrupted`. Ctrl-C ends the search of a row with what it has.

    Args:
        seconds: of processor time a row, looked at between steps of the search; 0 for no limit.
        precision: of the cost of each factor, in nats; coarser where costs would exceed 10^15 multiples of it.
        seed: of the solver's randomness.
        progress: whether to show a bar over rows of evidence when they take long.

    Raises:
        PlanError: when an option is not one of these, the package is missing, or a noisy or has too many causes to be
            a table.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, mpe
        >>> a, b = Variable("a"), Variable("b")
        >>> mpe(MarkovNetwork(Table([a, b], [[30, 5], [1, 10]])), engine=Toulbar2()).assignment()
        {'a': '0', 'b': '0'}

    Reference: Hurley, O'Sullivan, Allouche, Katsirelos, Schiex, Zytnicki and de Givry (2016), Multi-language evaluation
    of exact solvers in graphical model discrete optimization.
    """

    seconds: int = 60
    precision: float = 1e-9
    seed: int = 1
    progress: bool = True

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.seconds != int(self.seconds):
            raise PlanError(f"Toulbar2: seconds is {self.seconds!r}, expected a whole number, 0 for no limit.")
        if not self.precision > 0:
            raise PlanError(f"Toulbar2: precision is {self.precision!r}, expected a number above 0.")

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """The most probable joint states of all variables that are not observed."""
        return explained(Settings("Toulbar2", device="cpu"), model, wanted, evidence, k, self.search)

    @torch.no_grad()
    def search(self, field: Field) -> Best:
        """The best joint states of a field, row by row, and a bound.

        Raises:
            PlanError: when the package is missing, or a noisy or has too many causes to be a table.
        """
        solver = _solver()
        there, field = field.device, field.to("cpu", torch.float64)
        whole = unrolled(field, "Toulbar2")
        bound, states = quick_bound(field)
        certified, stopped = [False] * field.rows, False
        with Watched(field.rows, "rows of evidence", self.progress) as steps:
            for row in steps:
                problem = _Costs(whole.row(row), self.precision)
                found, dual, certified[row], stopped = problem.solved(solver, self)
                bound[row] = dual if certified[row] else min(dual, float(bound[row]))
                if found is not None:
                    states[row] = torch.tensor(found[: field.variables])
                if stopped:
                    break
        notes = {"certified": certified, "interrupted": [stopped or steps.interrupted] * field.rows}
        best = outcome(field, states.unsqueeze(1), bound, "Toulbar2", notes)
        return Best(best.states.to(there), best.bound.to(there), best.diagnostics)


class _Costs:
    """One row of a field of tables as costs in whole numbers."""

    def __init__(self, field: Field, precision: float) -> None:
        tables = [(int(v), logs) for v, logs in enumerate(field.unary[0].split(field.sizes.tolist()))]
        scoped = [((v,), logs.reshape(-1)) for v, logs in tables]
        for group in field.groups:
            logs = group.logs[0].flatten(1).expand(len(group), -1)
            scoped += [(tuple(scope), logs[f]) for f, scope in enumerate(group.scopes.tolist())]
        self.sizes, self.tables = field.sizes.tolist(), [(scope, logs.numpy()) for scope, logs in scoped]
        assert field.constant is not None
        self.peaks = float(field.constant[0]) + sum(float(logs.max()) for _, logs in self.tables)
        spread = sum(float(logs.max() - logs[np.isfinite(logs)].min(initial=logs.max())) for _, logs in self.tables)
        self.scale = min(1 / precision, DIGITS / max(spread, 1.0))

    def solved(self, solver: Any, options: Toulbar2) -> tuple[list[int] | None, float, bool, bool]:
        """The best states if any, a bound, whether the search was exhaustive, and whether Ctrl-C ended it."""
        if self.peaks == -np.inf:
            return None, -np.inf, True, False
        problem = solver.CFN(resolution=0, seed=options.seed, verbose=-1)
        for number, size in enumerate(self.sizes):
            problem.AddVariable(str(number), range(size))
        for scope, logs in self.tables:
            costs = np.round((logs.max() - logs) * self.scale)
            problem.AddFunction(list(scope), np.where(np.isinf(costs), problem.Top, costs).tolist())
        start = time.process_time()
        with _interrupts():
            found = problem.Solve(timeLimit=int(options.seconds))
        limited = bool(problem.Option.limited)
        if found is None and not limited:
            return None, -np.inf, True, False
        dual = self.peaks - (problem.GetDDualBound() - len(self.tables) / 2) / self.scale
        in_time = not options.seconds or time.process_time() - start < options.seconds - TICK
        return found and list(found[0]), dual, not limited, limited and in_time


@contextmanager
def _interrupts() -> Iterator[None]:
    """Give Ctrl-C back to Python afterwards: the solver takes it for itself."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _solver() -> Any:
    try:
        return import_module("pytoulbar2")
    except ImportError:
        raise PlanError(
            "Toulbar2: the package pytoulbar2 is not installed; `pip install pytoulbar2`, or use DualDecomposition()."
        ) from None
