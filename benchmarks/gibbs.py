"""How many variables a second does Gibbs sampling draw, beside pyAgrum; and samples beside three peers?

    python -m benchmarks.gibbs [--json] [--smoke]

A network with five observed leaves, and a grid of 300 x 300 spins, on one core. An update is one variable drawn given
all others, its conditional counted in. The last column is the root of the mean squared error of all posteriors against
exact inference, after runs of about half a second each. pyAgrum draws two variables an iteration here, by its default
one; each is an update. A ratio above 1 means that this library is faster. The rows of `benchmarks.drawing` follow.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings

import numpy as np
import torch

import pgm
from pgm import ConvergenceWarning, Gibbs
from pgm.approximate.gibbs.sweep import Sweeper
from pgm.evidence import patterns, read_evidence
from pgm.fields.build import reduced
from pgm.fields.field import Field, grid
from pgm.model import Model

from . import drawing
from .measure import timed
from .networks import evidence, load
from .peers import Row, pyagrum_network

FIELDS = ("network", "route", "chains", "updates_per_s", "peer", "peer_updates_per_s", "ratio", "rmse", "peer_rmse")


def rows(smoke: bool) -> list[dict[str, object]]:
    """One row a field and a route."""
    name, side, budget, count = ("asia", 10, 0.01, 2**12) if smoke else ("alarm", 300, 2.0, 2**20)
    model = load(name)
    row = {variable: labels[0] for variable, labels in evidence(model, 1).items()}
    engine = Gibbs(sweeps=100 if smoke else 10_000, progress=False)  # about as long a run as that of the peer
    rate, peer_rate, error, peer_error = pyagrum(model, row, engine, 100 if smoke else 20_000)
    field = observed(model, row)
    found: list[tuple[object, ...]] = [
        (name, "engine", 32, rate, "pyagrum", peer_rate, rate / peer_rate, error, peer_error)
    ]
    for label, each, chains, compiled in (
        (name, field, 64, True),
        (name, field, 4096, False),
        (f"grid {side} x {side}", spins(side), 4, True),
        (f"grid {side} x {side}", spins(side), 4, False),
    ):
        rate = updates(each, chains, compiled, count, budget)
        route = "compiled" if compiled else "torch"
        found.append((label, route, chains, rate, "pyagrum", peer_rate, rate / peer_rate, None, None))
    return [dict(zip(FIELDS, values, strict=True)) for values in found]


def observed(model: Model, row: Row) -> Field:
    """The field of what is not observed."""
    known = read_evidence(model.graph, dict(row), None)
    _, hard, soft = next(iter(patterns(known, model.graph.sizes)))
    return reduced(model, hard, soft, 1).field


def spins(side: int) -> Field:
    """Spins that would be like their neighbours, each with a preference of its own."""
    own = torch.randn(side, side, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return grid(own, torch.tensor([[0.4, -0.4], [-0.4, 0.4]], dtype=torch.float64))


def updates(field: Field, chains: int, compiled: bool, count: int, budget: float) -> float:
    """Variables drawn and counted a second, in runs of about so many."""
    sweeper, generator = Sweeper(field, compiled), torch.Generator().manual_seed(0)
    states, sweeps = sweeper.start(chains, generator), max(1, count // (chains * field.variables))
    sweeper.tallied(states, 1, generator=generator)
    return sweeps * states.numel() / timed(lambda: sweeper.tallied(states, sweeps, generator=generator), budget)


def pyagrum(model: Model, row: Row, engine: Gibbs, iterations: int) -> tuple[float, float, float, float]:
    """Updates a second of the whole engine and of pyAgrum's, and the errors of both after their runs."""
    import pyagrum as gum

    exact = pgm.infer(model, given=dict(row))
    peer = gum.GibbsSampling(pyagrum_network(model))
    peer.setNbrDrawnVar(2)
    peer.setMaxIter(iterations)
    peer.setMaxTime(3600)
    peer.setEpsilon(1e-12)
    peer.setMinEpsilonRate(1e-12)
    peer.setEvidence(dict(row))
    start = time.perf_counter()
    peer.makeInference()
    theirs = time.perf_counter() - start
    names = [name for name in model.graph.names if name not in row]
    missed = np.concatenate([peer.posterior(name).toarray() - exact[name].numpy() for name in names])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pgm.infer(model, given=dict(row), engine=engine)
        start = time.perf_counter()
        post = pgm.infer(model, given=dict(row), engine=engine)
        ours = time.perf_counter() - start
    drawn = len(names) * engine.chains * (engine.sweeps + engine.warmup)
    gap = np.concatenate([(post[name] - exact[name]).numpy() for name in names])
    done = 2 * (peer.nbrIterations() + peer.burnIn())
    return drawn / ours, done / theirs, float((gap**2).mean() ** 0.5), float((missed**2).mean() ** 0.5)


def main() -> None:
    """Measure and print: tables for people, one JSON object a row for programs."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="a small network and a small grid: does it run?")
    options = parser.parse_args()
    for table in (rows, drawing.rows):
        found = table(options.smoke)
        if not options.json:
            print("  ".join(f"{field:>18}" for field in found[0]))
        for row in found:
            print(json.dumps(row) if options.json else "  ".join(_cell(value) for value in row.values()))
            sys.stdout.flush()


def _cell(value: object) -> str:
    return f"{value:>18.4g}" if isinstance(value, float) else f"{value!s:>18}"


if __name__ == "__main__":
    main()
