"""How fast is loopy belief propagation on grids, beside PGMax on JAX?

    python -m benchmarks.loopy [--sides 50 100 300] [--json] [--smoke]

Tori of spins with random couplings and fields, a hundred parallel iterations (ten of the torch route) with damping one
half in single precision, on the CPU. Each row runs one route on one size and times the peer in the same process; a
ratio above 1 means that this library is faster. The largest grid is run without a peer and for a tenth of the
iterations, for its memory. Threads are those that each may use.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pgm import Field, grid
from pgm.approximate.messages.passing import Passing
from pgm.approximate.messages.settle import Options, settle

from .measure import peak_growth, timed

FIELDS = ("side", "route", "threads", "ms", "peer", "peer_threads", "peer_ms", "ratio", "peak_mb", "difference")
ITERATIONS, DAMPING = 100, 0.5
NO_PEER = "not installed"


def torus(side: int) -> tuple[Field, np.ndarray, np.ndarray]:
    """A field, its log weights of sites `[side, side, 2]` and of pairs `[2, side, side, 2, 2]`."""
    rng = np.random.default_rng(0)
    unary = rng.normal(size=(side, side, 2)).astype(np.float32)
    pairs = rng.normal(size=(2, side, side, 2, 2)).astype(np.float32)
    return grid(torch.from_numpy(unary), torch.from_numpy(pairs), wrap=True), unary, pairs


def ours(field: Field, compiled: bool, iterations: int) -> Callable[[], np.ndarray]:
    """Passes messages for all iterations; the probabilities of the second states."""
    passing = Passing(field)
    options = Options(DAMPING, iterations, 0.0, progress=False, compiled=compiled)

    def run() -> np.ndarray:
        return passing.marginals(settle(passing, options).messages)[0, 1::2].numpy()

    return run


def pgmax(unary: np.ndarray, pairs: np.ndarray, iterations: int) -> Callable[[], np.ndarray] | None:
    """The same for PGMax, compiled before it is timed; None where it is not installed."""
    try:
        import jax
        from pgmax import fgraph, fgroup, infer, vgroup
    except ImportError:
        return None
    height, width = unary.shape[:2]
    sites = vgroup.NDVarArray(num_states=2, shape=(height, width))
    down = [[sites[i, j], sites[(i + 1) % height, j]] for i in range(height) for j in range(width)]
    right = [[sites[i, j], sites[i, (j + 1) % width]] for i in range(height) for j in range(width)]
    graph = fgraph.FactorGraph(variable_groups=sites)
    tables = pairs.reshape(-1, 2, 2)
    graph.add_factors(fgroup.PairwiseFactorGroup(variables_for_factors=down + right, log_potential_matrix=tables))
    inferer = infer.build_inferer(graph.bp_state, backend="bp")
    start = inferer.init(evidence_updates={sites: jax.numpy.asarray(unary)})
    passed = jax.jit(lambda arrays: inferer.run(arrays, num_iters=iterations, damping=DAMPING, temperature=1.0))

    def run() -> np.ndarray:
        beliefs = infer.get_marginals(inferer.get_beliefs(passed(start)))[sites]
        return np.asarray(jax.block_until_ready(beliefs))[..., 1].reshape(-1)

    run()
    return run


def measure(side: int, iterations: int, budget: float, largest: bool) -> list[dict[str, object]]:
    """The lines of one size."""
    field, unary, pairs = torus(side)
    peer = None if largest else pgmax(unary, pairs, iterations)
    other = None if peer is None else 1e3 * timed(peer, budget) / iterations
    rows = []
    for route, compiled in (("compiled", True), ("torch", False)):
        steps, threads = (
            iterations if compiled else max(1, iterations // 10),
            1 if compiled else torch.get_num_threads(),
        )
        run = ours(field, compiled, steps)
        peak = peak_growth(run)
        ms = 1e3 * timed(run, budget, 1) / steps
        gap = None if peer is None or steps < iterations else float(np.abs(run() - peer()).max())
        name = "pgmax" if peer is not None else "none" if largest else NO_PEER
        ratio, megabytes = None if other is None else other / ms, None if peak is None else peak / 1e6
        values = (side, route, threads, ms, name, os.cpu_count(), other, ratio, megabytes, gap)
        rows.append(dict(zip(FIELDS, values, strict=True)))
    return rows


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="*", default=[50, 100, 300], help="of the grids beside the peer")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="two small grids: does it run?")
    options = parser.parse_args()
    sides = [(6, False), (8, True)] if options.smoke else [*((side, False) for side in options.sides), (1000, True)]
    iterations, budget = (5, 0.01) if options.smoke else (ITERATIONS, 1.0)
    if not options.json:
        print("  ".join(f"{field:>12}" for field in FIELDS))
    for side, largest in sides:
        few = max(1, iterations // 10) if largest else iterations
        for row in measure(side, few, budget, largest):
            print(json.dumps(row) if options.json else "  ".join(_cell(row[field]) for field in FIELDS))
            sys.stdout.flush()


def _cell(value: Any) -> str:
    return f"{value:>12.4g}" if isinstance(value, float) else f"{'-' if value is None else value!s:>12}"


if __name__ == "__main__":
    main()
