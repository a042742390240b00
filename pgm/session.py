"""A compiled question: the plan and its executor, bound to one model, ready for any row of evidence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .compiled import row
from .compiled.first import announce
from .engines.exact import Exact
from .errors import PlanError
from .parameters import Snapshot, snapshot
from .plan import DENSE_BYTES, Plan, Query, human_bytes
from .planner import Planner
from .run_products import ProductsRunner, widen
from .run_tape import TapeRunner
from .slicing import fitting_plan
from .tape import Tape, layout_of, make_tape

if TYPE_CHECKING:
    from .model import Model

TAPE_BYTES = 24.0  # bytes a multiply-add may take while unrolling
SMALL = 2**20
WORTH_VARYING, TOO_LONG_TO_VARY = 3e4, 2e6  # multiply-adds of a tape between which another order may pay
SPARSE = 0.25  # share of the dense operations that a tape has where zeros matter
SECONDS_AN_OPERATION = 1e-7  # search time for a shorter tape, for each multiply-add of the first one
PATIENCE, SHORTER = 10, 0.8  # other orders tried in vain before giving up; how much shorter a tape must be
NO_SOFT = np.zeros(0)


class Session:
    """Everything about a question that does not depend on the evidence's values.

    Args:
        model: whose tables are used; parameters may change, the structure cannot.
        query: what is asked.
        engine: options.
    """

    def __init__(self, model: Model, query: Query, engine: Exact) -> None:
        self.model, self.query, self.engine = model, query, engine
        self.widened = any(len(target) > 1 and query.observed.intersection(target) for target in query.targets)
        announce()
        self.snapshot = self._snapshot()
        self.device = self._device()
        self._prepare()

    def refresh(self) -> None:
        """Take up changed parameters; a change of which ones are zero unrolls the tape again."""
        if not self.snapshot.fresh():
            zeros, device = self.snapshot.values == 0, self.device
            self.snapshot = self._snapshot()
            self.device = self._device()
            moved = self.device != device
            if moved or (self.tape is not None and not np.array_equal(zeros, self.snapshot.values == 0)):
                self._prepare()

    def _device(self) -> torch.device:
        """Where to compute: as the engine says, or where the model's first parameter is."""
        watched = self.snapshot.tensors if self.engine.device is None else ()
        return watched[0].device if watched else torch.device(self.engine.device or "cpu")

    @torch.no_grad()
    def _snapshot(self) -> Snapshot:
        tables = [factor.values for factor in self.model.factors()]
        return snapshot(self.model, tables, list(self.model.terms))

    def _prepare(self) -> None:
        """Plan, and choose an executor: a tape where one is possible and fits, matrix products elsewhere."""
        graph, seconds = self.model.graph, self.engine.seconds
        self.__dict__.pop("_products_plan", None)  # it belonged to the plan before
        self.tape: TapeRunner | None = None
        if self._tape_possible():
            planner = Planner(graph, self.query, seconds)
            self.plan = fitting_plan(graph, self.query, seconds, float("inf"), planner)
            small = self.plan.operations < SMALL  # then there is no need to ask how much memory is free
            found = self._unrolled(self.plan, int(SMALL if small else min(self.memory / TAPE_BYTES, 2e9)))
            if found is not None:
                self.plan, tape = self._sparsest(planner, found)
                self.tape = TapeRunner(self.plan, tape)
                self.buffers = [(np.empty(tape.entries), np.empty(tape.entries))]
                return
        if self.engine.executor == "tape":
            raise PlanError(f"Exact: a tape does not fit into {human_bytes(self.memory)}; use executor='auto'.")
        self.plan = fitting_plan(graph, self.query, seconds, self.memory)
        self.plan = replace(self.plan, executor=f"matrix products on {self.device}")

    def _unrolled(self, plan: Plan, limit: int) -> tuple[Plan, Tape] | None:
        """The plan, which now says so, with its tape; None when that takes more than the limit."""
        tape = make_tape(plan, layout_of(plan), self.snapshot.values, limit)
        if tape is None:
            return None
        text = f"a tape of {tape.operations:,} multiply-adds over {tape.entries:,} entries"
        return replace(plan, executor=text, bytes_planned=tape.peak_bytes), tape

    def _sparsest(self, planner: Planner, first: tuple[Plan, Tape]) -> tuple[Plan, Tape]:
        """The plan with the shortest tape among a few of about equal dense cost, where zeros make tapes short."""
        best, operations = first, first[1].operations
        if not WORTH_VARYING < operations < min(SPARSE * first[0].operations, TOO_LONG_TO_VARY):
            return first
        deadline = time.monotonic() + SECONDS_AN_OPERATION * operations
        variant, last = 0, 0
        while time.monotonic() < deadline and variant < last + PATIENCE:
            variant += 1
            other = self._unrolled(planner.plan(variant), int(SHORTER * best[1].operations))
            if other is not None and other[1].operations < SHORTER * best[1].operations:
                best, last = other, variant
        peak = max(first[1].peak_bytes, best[1].peak_bytes)  # the first one was held too
        return replace(best[0], bytes_planned=peak), best[1]

    @cached_property
    def memory(self) -> float:
        """Bytes that may be used, as of the first time it matters."""
        return self.engine.bytes_allowed()

    @property
    def nbytes(self) -> float:
        """Memory that is held between questions."""
        return self.tape.tape.nbytes if self.tape is not None else 0.0

    def _tape_possible(self) -> bool:
        exact = self.device.type == "cpu" and self.engine.dtype == torch.float64
        return exact and self.engine.executor != "products"

    def answer_row(self, states: list[int]) -> tuple[float, np.ndarray]:
        """One row without likelihoods, by the shortest way; the tape must exist."""
        assert self.tape is not None
        t = self.tape.tape
        buffers = self.buffers  # taken out while in use: another thread may ask at the same time
        buf, adj = buffers.pop() if buffers else (np.empty(t.entries), np.empty(t.entries))
        out = np.empty(t.width)
        total = row.answer_row(
            t.leaves, t.seen, t.rel, t.trees, t.steps, t.ptr, t.left, t.right, t.blocks, t.order, t.reads,
            t.spots, t.fixed,
            self.snapshot.values, NO_SOFT, np.array(states, dtype=np.int64), buf, adj, out,
        )  # fmt: skip
        buffers.append((buf, adj))
        return total, out

    def answers(self, states: np.ndarray, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log evidence `[rows]`, -inf where it is zero, and answers `[rows, width]`."""
        if self.tape is not None:
            totals, flat = self.tape.answers(self.snapshot.values, states, soft)
            if self.widened:
                flat = widen(self.plan, layout_of(self.plan), torch.from_numpy(states), torch.from_numpy(flat)).numpy()
        else:
            totals, flat = _numpy(*self._products(False).answers(*self._tensors(states, soft, False)))
        again = np.flatnonzero(np.isneginf(totals))
        if len(again):
            rows = self._tensors(states[again], soft[again], True)
            totals[again], flat[again] = _numpy(*self._products(True).answers(*rows))
        return totals, flat

    def explain(self, states: np.ndarray, soft: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Log weights `[rows, k]` and states `[rows, k, targets]`, best first."""
        if self.tape is not None:
            logs, found = self.tape.explain(self.snapshot.values, states, soft, k)
        else:
            if k > 1:
                raise PlanError(f"mpe: k={k} explanations need the tape executor, which does not fit; ask for k=1.")
            logs, found = (each[:, None] for each in self._explained(False, states, soft))
        again = np.flatnonzero(np.isneginf(logs[:, 0]))
        if len(again):
            total, best = self._explained(True, states[again], soft[again])
            logs[again, 0], found[again, 0] = total, best
        return logs, found

    def _explained(self, logs: bool, states: np.ndarray, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _numpy(*self._products(logs).explain(*self._tensors(states, soft, logs)))

    def draw(self, states: np.ndarray, soft: np.ndarray, count: int, seed: int) -> tuple[float, np.ndarray]:
        """Log evidence and `count` joint samples `[count, targets]` for the one row given."""
        if self.tape is not None:
            total, found = self.tape.draw(self.snapshot.values, states, soft, count, seed)
            if total > -np.inf:
                return total, found
        generator = torch.Generator(self.device).manual_seed(seed)
        for logs in (False, True) if self.tape is None else (True,):
            log_total, samples = self._products(logs).draw(*self._tensors(states, soft, logs), count, generator)
            if float(log_total) > -np.inf:
                break
        return float(log_total), samples.cpu().numpy()

    def log_evidence(self, states: np.ndarray, soft: np.ndarray, tables: Sequence[Tensor]) -> Tensor:
        """`[rows]`, differentiable in the tables, one a term; -inf where it is zero."""
        totals = self._products(False, tables).log_evidence(*self._tensors(states, soft, False))
        if not bool(torch.isneginf(totals).any()):
            return totals
        again = self._products(True, tables).log_evidence(*self._tensors(states, soft, True))
        return again.to(self.engine.dtype)

    def _products(self, logs: bool, tables: Sequence[Tensor] | None = None) -> ProductsRunner:
        """The torch executor over the present tables; with `logs`, one in which nothing underflows."""
        if tables is None:
            tables = [factor.values.detach() for factor in self.model.factors()]
        plan = self._products_plan
        at_once = max(1, min(int(self.memory / (DENSE_BYTES * max(plan.entries, 1.0))), 1 << 16))
        tables = [table.to(self.device, self._dtype(logs)) for table in tables]
        return ProductsRunner(plan, layout_of(plan), tables, at_once, logs)

    @cached_property
    def _products_plan(self) -> Plan:
        """The plan for matrix products, within the memory limit; made when first needed beside a tape."""
        if self.tape is None or self.plan.operations < SMALL:  # a few megabytes, as for the tape
            return self.plan
        return fitting_plan(self.model.graph, self.query, self.engine.seconds, self.memory)

    def _dtype(self, logs: bool) -> torch.dtype:
        """The arithmetic: as asked, but double where logarithms rescue what that could not hold."""
        return torch.float64 if logs else self.engine.dtype

    def _tensors(self, states: np.ndarray, soft: np.ndarray, logs: bool) -> tuple[Tensor, Tensor]:
        """Evidence as tensors, with columns for the variables that the products' plan slices."""
        columns, known = sorted(self._products_plan.query.observed), sorted(self.query.observed)
        wide = np.zeros((len(states), len(columns)), dtype=np.int64)
        wide[:, [columns.index(v) for v in known]] = states
        likelihoods = torch.from_numpy(np.ascontiguousarray(soft))
        return torch.from_numpy(wide).to(self.device), likelihoods.to(self.device, self._dtype(logs))


def _numpy(numbers: Tensor, others: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Tensors on any device as arrays, floats in double precision."""
    first, second = (each.detach().cpu().numpy() for each in (numbers, others))
    return first.astype(np.float64), second if second.dtype == np.int64 else second.astype(np.float64)
