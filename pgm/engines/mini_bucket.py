"""Mini-bucket elimination: bounds that certainly hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import PlanError
from .exact import Exact

if TYPE_CHECKING:
    from ..approximate.buckets.bounds import Bounds, Effort
    from ..approximate.buckets.scheme import Scheme
    from ..approximate.buckets.tables import Tables
    from ..evidence import Evidence
    from ..explanation import Explanation
    from ..fields.answers import Best, Scope, Settings, Solved
    from ..fields.field import Field
    from ..model import Model
    from ..posterior import Posterior

MEMORY = 2.0**28  # bytes by default: more memory gives tighter bounds, and takes as much longer


@dataclass(frozen=True)
class MiniBucket:
    """Bounds of the evidence, of probabilities and of maxima by weighted mini-bucket elimination.

    Variables are summed out in turn as in exact inference. Where the tables that meet in a variable would make one that
    is too large, they are multiplied in several parts, and Hoelder's inequality bounds the sum over the product:
    sum_x prod_r f_r <= prod_r (sum_x f_r^(1/w_r))^(w_r) for positive weights with sum 1, and >= where all but one are
    negative. Where nothing was cut apart the answers are exact and both bounds equal.

    `diagnostics` has `log_evidence_lower` and `log_evidence_upper`, which hold up to rounding, and the `i_bound`
    reached; `log_evidence` is halfway between them (the upper one where the lower one is -inf). Where few states are
    asked for, `diagnostics["bounds"]` has by target the least and the greatest value that each probability can have,
    `[*batch, states, 2]`; otherwise marginals are beliefs of the upper bound, without a certificate.

    Args:
        i_bound: the most variables of a table after one is eliminated; by default as many as the memory allows.
        memory: bytes that the tables may take; 256 MiB by default, or what `Exact()` would take where that is less.
        moment_matching: whether parts of one bucket are made to agree in what they share, which tightens bounds.
        iterations: passes along the order after the first, which tighten them further.
        intervals: how many states may be asked for that each probability still gets an interval; each costs a run.
        dtype: float64, or float32, with bounds as good as its rounding.
        device: where to compute; by default where the model's parameters are.
        progress: whether to show a bar when it takes long.

    Raises:
        PlanError: when an option is not one of these.

    Example:
        >>> from pgm import MarkovNetwork, Table, Variable, infer
        >>> a, b, c = Variable("a"), Variable("b"), Variable("c")
        >>> tables = [Table([x, y], [[4, 1], [1, 4]]) for x, y in [(a, b), (b, c), (c, a)]]
        >>> post = infer(MarkovNetwork(*tables, Table([a], [2, 1])), ["b"], engine=MiniBucket(i_bound=1))
        >>> bounds = [post.diagnostics[f"log_evidence_{side}"] for side in ("lower", "upper")]
        >>> bounds[0] < torch.tensor(228.0).log().item() < bounds[1]
        True

    Reference: Dechter and Rish (2003), Mini-buckets: a general scheme for bounded inference; Liu and Ihler (2011),
    Bounding the partition function using Hoelder's inequality.
    """

    i_bound: int | None = None
    memory: float | None = None
    moment_matching: bool = True
    iterations: int = 10
    intervals: int = 64
    dtype: torch.dtype = torch.float64
    device: str | torch.device | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        if self.i_bound is not None and self.i_bound < 0:
            raise PlanError(f"MiniBucket: i_bound is {self.i_bound!r}, expected 0 or more.")
        if self.memory is not None and not self.memory > 0:
            raise PlanError(f"MiniBucket: memory is {self.memory!r} bytes, expected a positive number.")
        if min(self.iterations, self.intervals) < 0:
            raise PlanError(
                f"MiniBucket: iterations is {self.iterations!r} and intervals {self.intervals!r}, expected 0 or more."
            )
        if self.dtype not in (torch.float64, torch.float32):
            raise PlanError(f"MiniBucket: dtype is {self.dtype!r}, expected torch.float64 or torch.float32.")

    def answer(
        self, model: Model, targets: tuple[tuple[int, ...], ...], evidence: Evidence, impossible: str
    ) -> Posterior:
        """The posterior of targets by variable number; what rows of probability 0 do is as in `infer`."""
        from ..approximate.buckets.certified import certified
        from ..fields.answers import answered

        states = sum(prod(model.variables[v].size for v in scope) for scope in targets if model.finite)
        answer = certified if 0 < states <= self.intervals else answered
        return answer(self._settings(), model, targets, evidence, impossible, self.solve)

    def explain(self, model: Model, wanted: tuple[int, ...], evidence: Evidence, k: int) -> Explanation:
        """Joint states found greedily and improved one by one, and a bound of how much better any could be."""
        from ..fields.answers import explained

        return explained(self._settings(), model, wanted, evidence, k, self.search)

    @torch.no_grad()
    def solve(self, field: Field) -> Solved:
        """Bounds of log Z of a field, and beliefs."""
        from ..approximate.buckets.bounds import sum_bounds
        from ..fields.answers import Solved, nothing_to_sum

        if not field.variables:
            return nothing_to_sum(field)
        found, scheme = self._bounds(field, sum_bounds)
        middle = torch.where(found.lower.isneginf(), found.upper, (found.lower + found.upper) / 2)
        notes: dict[str, Any] = {"log_evidence_lower": found.lower, "log_evidence_upper": found.upper}
        return Solved(found.beliefs, middle, self._no_joint, notes | self._notes(found, scheme, field.rows))

    @torch.no_grad()
    def search(self, field: Field) -> Best:
        """Joint states of a field with a large weight, and an upper bound of all weights."""
        from ..approximate.buckets.bounds import maximum_bounds
        from ..approximate.search.moves import climb, moves_of
        from ..fields.answers import Best, nothing_to_choose

        if not field.variables:
            return nothing_to_choose(field)
        found, scheme = self._bounds(field, maximum_bounds)
        states = climb(moves_of(field), found.states.unsqueeze(1)).squeeze(1)
        return Best(states, found.upper, self._notes(found, scheme, field.rows))

    def _bounds(self, field: Field, bound: Callable[[Field, Tables, Scheme, Effort], Bounds]) -> tuple[Bounds, Scheme]:
        """Bounds of as many rows at a time as memory holds; the mini-buckets do not depend on how many there are."""
        from ..approximate.buckets.bounds import Effort, joined, some_rows
        from ..approximate.buckets.scheme import largest, scheme_of
        from ..approximate.buckets.tables import tables_of

        tables = tables_of(field)
        memory = min(MEMORY, Exact().bytes_allowed()) if self.memory is None else self.memory
        numbers, most = memory / field.unary.element_size(), self.i_bound
        if most is None:
            scheme = largest(tables.sizes, tables.scopes, numbers)
        else:
            scheme = scheme_of(tables.sizes, tables.scopes, lambda scope: len(scope) <= most + 1)
        count = max(1, int(numbers / scheme.numbers))
        effort = Effort(self.iterations, self.moment_matching, self.progress)
        starts = range(0, field.rows, count)
        parts = [some_rows(field, tables, slice(first, first + count)) for first in starts]
        return joined([bound(*part, scheme, effort) for part in parts]), scheme

    def _notes(self, found: Bounds, scheme: Scheme, rows: int) -> dict[str, Any]:
        """What passes say of themselves, a row each."""
        notes = {"i_bound": [scheme.i_bound] * rows, "iterations": [found.passes] * rows}
        return notes | ({"interrupted": [True] * rows} if found.interrupted else {})

    def _no_joint(self, scope: Scope) -> Tensor:
        raise PlanError(
            f"MiniBucket: it bounds a joint of {len(scope)} variables only where at most {self.intervals} states are "
            "asked for; raise intervals, or ask for fewer targets."
        )

    def _settings(self) -> Settings:
        from ..fields.answers import Settings

        return Settings("MiniBucket", dtype=self.dtype, device=self.device)
