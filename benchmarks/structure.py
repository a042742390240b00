"""How fast and how well is the structure of ALARM learned from rows, beside pgmpy and pyAgrum in the same process?

    python -m benchmarks.structure [--network alarm] [--rows 10000] [--seeds 0,1,2] [--json] [--smoke]

Each climbs the same BIC from the same DataFrame of labels, drawn with the seed; reading the DataFrame counts. One row a
seed and program: seconds, ratio (the program's seconds over those of the first row, ours as it comes), the BIC found,
less that of the true graph, and the structural Hamming distances to the truth: of the Markov equivalence classes, of
the arrows, and of the links alone. pgmpy's search is run once a seed, the others as often as a second allows.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pgm
from pgm.graph import Graph
from pgm.learn.learned import directed_graph

from . import networks
from .measure import timed

BUDGET = 1.0  # seconds for each measurement
Learner = Callable[[Any], Graph]
FIELDS = ("network", "seed", "program", "seconds", "ratio", "score_less_truth", "shd", "shd_arrows", "shd_links")


def ours(frame: Any, **options: Any) -> Graph:
    """This library's search."""
    return pgm.hill_climb(frame, **options).graph


def pyagrum(frame: Any, search: str = "useGreedyHillClimbing") -> Graph:
    """pyAgrum's learner with BIC and no prior."""
    import pyagrum as gum

    learner = gum.BNLearner(frame)
    learner.useScoreBIC()
    learner.useNoPrior()
    getattr(learner, search)()
    arcs = [(learner.nameFromId(parent), learner.nameFromId(child)) for parent, child in learner.learnDAG().arcs()]
    return _graph(frame, arcs)


def pgmpy(frame: Any) -> Graph:
    """pgmpy's search with BIC."""
    from pgmpy.estimators import HillClimbSearch

    found = HillClimbSearch(frame).estimate(scoring_method="bic-d", show_progress=False)
    return _graph(frame, list(found.edges()))


PROGRAMS: Mapping[str, Learner] = {
    "pgm": ours,
    "pgm, one climb": partial(ours, restarts=0),
    "pyagrum": pyagrum,
    "pyagrum, tabu list": partial(pyagrum, search="useLocalSearchWithTabuList"),
    "pgmpy": pgmpy,
}


def _graph(frame: Any, arrows: list[tuple[str, str]]) -> Graph:
    parents = {name: [parent for parent, child in arrows if child == name] for name in frame.columns}
    return directed_graph([pgm.Variable(name) for name in frame.columns], parents)


def measure(network: str, rows: int, seed: int, budget: float = BUDGET) -> list[dict[str, object]]:
    """One row of the table for each program."""
    model = networks.load(network)
    frame = pgm.sample(model, rows, seed=seed).to_dataframe()
    score = pgm.bic(frame)
    truth = score.total(model)
    ours(frame)  # loads the compiled loops
    found: list[dict[str, object]] = []
    mine = 0.0
    for program, learner in PROGRAMS.items():
        start = time.perf_counter()
        graph = learner(frame)
        seconds = time.perf_counter() - start
        if seconds < budget:
            seconds = timed(partial(learner, frame), budget)
        mine = mine or seconds
        found.append(
            {
                "network": network,
                "seed": seed,
                "program": program,
                "seconds": seconds,
                "ratio": seconds / mine,
                "score_less_truth": score.total(graph) - truth,
                **distances(graph, model.graph),
            }
        )
    return found


def distances(graph: Graph, truth: Graph) -> dict[str, int]:
    """Structural Hamming distances of the classes, of the arrows and of the links."""
    links = [{frozenset((p, c)) for c, parents in each.parents.items() for p in parents} for each in (graph, truth)]
    return {
        "shd": pgm.structural_hamming_distance(pgm.CPDAG.of(graph), pgm.CPDAG.of(truth)),
        "shd_arrows": pgm.structural_hamming_distance(graph, truth),
        "shd_links": len(links[0] ^ links[1]),
    }


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    warnings.simplefilter("ignore")  # pgmpy's, of what it will rename
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="alarm", help="one of " + ", ".join(networks.NAMES))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="asia and 200 rows: does it run?")
    options = parser.parse_args()
    network, rows, seeds, budget = options.network, options.rows, options.seeds.split(","), BUDGET
    if options.smoke:
        network, rows, seeds, budget = "asia", 200, ["0"], 0.01
    if not options.json:
        print("  ".join(f"{field:>18}" for field in FIELDS))
    for seed in seeds:
        for row in measure(network, rows, int(seed), budget):
            print(json.dumps(row) if options.json else "  ".join(_cell(row[field]) for field in FIELDS))
            sys.stdout.flush()


def _cell(value: object) -> str:
    return f"{value:>18.4g}" if isinstance(value, float) else f"{value!s:>18}"


if __name__ == "__main__":
    main()
