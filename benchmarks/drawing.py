"""How fast are samples of a network, and weighted samples given evidence, beside three peers?

    python -m benchmarks.drawing [--draws 100000] [--json] [--smoke]

Forward: so many rows of the network into the user's hands, as tensors here, as each peer gives them there. Weighted:
all posteriors given five observed leaves, by as many weighted draws in both programs; each row states the draws a
second and the root of the mean squared error against exact inference, over all unobserved variables and several rows of
evidence, and the ratio is of the times to reach the same error: seconds times squared error. One core; a ratio above 1
means that this library is faster.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import pgm
from pgm import LikelihoodWeighting
from pgm.model import Model

from .measure import timed
from .networks import evidence, load
from .peers import Row, pyagrum_network

FIELDS = ("network", "task", "draws", "peer", "draws_per_s", "peer_draws_per_s", "ratio", "error", "peer_error")
REPEATS = 10  # rows of evidence over which errors are averaged


def rows(smoke: bool, draws: int = 100_000) -> list[dict[str, object]]:
    """One row a peer: forward samples first, then weighted ones.

    Args:
        smoke: whether only to see that it runs.
        draws: how many in each run.
    """
    name, count, budget = ("asia", 1000, 0.01) if smoke else ("alarm", draws, 3.0)
    model = load(name)
    ours, found = ready(lambda: pgm.sample(model, count, seed=0), budget), list[dict[str, object]]()
    for peer, draw in (("pgmpy", pgmpy_rows), ("pyagrum", pyagrum_rows), ("pyro", pyro_rows)):
        theirs = ready(draw(model, count), budget)
        values = (name, "forward", count, peer, count / ours, count / theirs, theirs / ours, None, None)
        found.append({**dict(zip(FIELDS, values, strict=True))})
    return [*found, weighted(name, model, count, 1 if smoke else REPEATS)]


def ready(run: Callable[[], object], budget: float) -> float:
    """The median time of a call once loops are compiled and memory is there."""
    run()
    return timed(run, budget)


def pgmpy_rows(model: Model, count: int) -> Callable[[], object]:
    """pgmpy's forward sampling: a data frame."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork
    from pgmpy.sampling import BayesianModelSampling

    network = DiscreteBayesianNetwork()
    network.add_nodes_from(model.graph.names)
    for child, conditional in model.conditionals.items():
        given, states = conditional.given, {v.name: list(v.states) for v in conditional.scope}
        network.add_edges_from((parent.name, child) for parent in given)
        table = conditional.factor().values.detach().numpy().reshape(-1, conditional.child.size).T
        names, sizes = [v.name for v in given], [v.size for v in given]
        network.add_cpds(TabularCPD(child, conditional.child.size, table, names, sizes, states))
    sampler = BayesianModelSampling(network)
    return lambda: sampler.forward_sample(count, show_progress=False)


def pyagrum_rows(model: Model, count: int) -> Callable[[], object]:
    """pyAgrum's database generator: a data frame."""
    import pyagrum as gum

    network = pyagrum_network(model)

    def draw() -> object:
        generator = gum.BNDatabaseGenerator(network)
        generator.drawSamples(count)
        return generator.to_pandas()

    return draw


def pyro_rows(model: Model, count: int) -> Callable[[], object]:
    """A program in Pyro, one site a variable and all rows in one plate: tensors."""
    import pyro
    from pyro.distributions import Categorical

    tables = {name: model.conditionals[name].factor().values.detach() for name in model.graph.topological}

    def draw() -> dict[str, torch.Tensor]:
        drawn: dict[str, torch.Tensor] = {}
        with pyro.plate("rows", count):
            for name, table in tables.items():
                given = tuple(drawn[parent.name] for parent in model.conditionals[name].given)
                probabilities = table[given] if given else table
                drawn[name] = pyro.sample(name, Categorical(probabilities, validate_args=False))
        return drawn

    return draw


def weighted(name: str, model: Model, count: int, repeats: int) -> dict[str, object]:
    """All posteriors by weighted draws, here and in pyAgrum, for several rows of evidence."""
    labels = evidence(model, repeats)
    seconds, squares = np.zeros(2), np.zeros(2)
    pgm.infer(model, engine=LikelihoodWeighting(2))  # its loops are compiled by then
    for k in range(repeats):
        row = {name: column[k] for name, column in labels.items()}
        exact = pgm.infer(model, given=row)
        for side, ask in enumerate((ours_weighted(model, row, count, k), pyagrum_weighted(model, row, count))):
            answer: dict[str, np.ndarray] = {}
            seconds[side] += timed(lambda ask=ask, answer=answer: answer.update(ask()), 0.0, 1, 1)  # type: ignore[misc]
            squares[side] += np.concatenate([(p - exact[v].numpy()) ** 2 for v, p in answer.items()]).mean()
    rates, errors = repeats * count / seconds, np.sqrt(squares / repeats)
    ratio = (seconds[1] * squares[1]) / (seconds[0] * squares[0])
    values = (name, "weighted", count, "pyagrum", *rates, ratio, *errors)
    return dict(zip(FIELDS, map(_plain, values), strict=True))


def ours_weighted(model: Model, row: Row, count: int, seed: int) -> Callable[[], dict[str, np.ndarray]]:
    """Likelihood weighting of this library."""

    def ask() -> dict[str, np.ndarray]:
        post = pgm.infer(model, given=row, engine=LikelihoodWeighting(count, seed=seed))
        return {name: post[name].numpy() for name in model.graph.names if name not in row}

    return ask


def pyagrum_weighted(model: Model, row: Row, count: int) -> Callable[[], dict[str, np.ndarray]]:
    """The same of pyAgrum, which stops at the same number of draws."""
    import pyagrum as gum

    network = pyagrum_network(model)
    engine = gum.WeightedSampling(network)
    engine.setEvidence(dict(row))
    engine.setMaxIter(count)
    engine.setPeriodSize(count)
    engine.setMaxTime(1e6)
    engine.setEpsilon(1e-12)
    engine.setMinEpsilonRate(1e-12)

    def ask() -> dict[str, np.ndarray]:
        engine.makeInference()
        return {name: engine.posterior(name).toarray() for name in model.graph.names if name not in row}

    return ask


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, np.floating) else value


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100_000, help="how many draws in each run")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="a thousand draws of a small network: does it run?")
    options = parser.parse_args()
    if not options.json:
        print("  ".join(f"{field:>16}" for field in FIELDS))
    for row in rows(options.smoke, options.draws):
        print(json.dumps(row) if options.json else "  ".join(_cell(row[field]) for field in FIELDS))


def _cell(value: object) -> str:
    return f"{value:>16.4g}" if isinstance(value, float) else f"{value if value is not None else '':>16}"


if __name__ == "__main__":
    main()
