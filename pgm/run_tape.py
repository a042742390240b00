"""Running a tape for rows of evidence: marginals, explanations and samples; rows are spread over threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .compiled import lanes, row, walks
from .plan import Plan
from .tape import Tape

FEW = 4  # rows below which running one at a time is quicker than eight together
SERIAL = 2e6  # multiply-adds in all below which threads cost more than they give


@dataclass(frozen=True, eq=False)
class TapeRunner:
    """A tape and the plan it was unrolled from."""

    plan: Plan
    tape: Tape

    def answers(self, values: np.ndarray, states: np.ndarray, soft: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log evidence `[rows]`, -inf where zero or in doubt, and normalised answers `[rows, width]`."""
        t, rows = self.tape, len(states)
        totals, flat = np.empty(rows), np.zeros((rows, t.width))
        kernel = lanes.answer_rows if rows >= FEW else row.answer_rows

        def run(first: int, last: int) -> None:
            kernel(
                first, last, t.leaves, t.seen, t.rel, t.trees, t.steps, t.ptr, t.left, t.right, t.blocks, t.order,
                t.reads, t.spots, t.fixed, values, soft, states, totals, flat,
            )  # fmt: skip

        self._spread(run, rows)
        return totals, flat

    def explain(
        self, values: np.ndarray, states: np.ndarray, soft: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log weights `[rows, k]` and states `[rows, k, targets]` of the k most probable explanations."""
        t, rows = self.tape, len(states)
        logs = np.full((rows, k), -np.inf)
        out = np.full((rows, k, self._targets()), -1, dtype=np.int64)

        def run(first: int, last: int) -> None:
            walks.explain_rows(
                first, last, k, t.main, t.leaves, t.seen, t.rel, t.trees, t.steps, t.links, t.ptr, t.left, t.right,
                t.keys, t.places, values, soft, states, logs, out,
            )  # fmt: skip

        self._spread(run, rows)
        return logs, out

    def draw(
        self, values: np.ndarray, states: np.ndarray, soft: np.ndarray, count: int, seed: int
    ) -> tuple[float, np.ndarray]:
        """Log evidence and `count` joint samples `[count, targets]` for one row, `states[0]` and `soft[0]`."""
        t = self.tape
        out = np.full((count, self._targets()), -1, dtype=np.int64)
        total = walks.sample_rows(
            seed, t.leaves, t.seen, t.rel, t.trees, t.steps, t.links, t.ptr, t.left, t.right, t.blocks,
            t.order, t.keys, t.places, values, soft[0], states[0], out,
        )  # fmt: skip
        return total, out

    def _targets(self) -> int:
        return len({v for target in self.plan.query.targets for v in target})

    def _spread(self, run: Callable[[int, int], None], rows: int) -> None:
        """Run blocks of rows in threads; the kernels release the interpreter."""
        threads = min(os.cpu_count() or 1, rows)
        if threads == 1 or rows * self.tape.operations < SERIAL:
            run(0, rows)
            return
        edges = np.linspace(0, rows, threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(run, low, high) for low, high in zip(edges, edges[1:], strict=False)]:
                done.result()
