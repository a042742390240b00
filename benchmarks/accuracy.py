"""How near do the approximate engines come, and how soon?

    python -m benchmarks.accuracy [--networks grid,link,findings] [--json] [--smoke] [--picture examples/pictures]

Three networks that are hard in three ways, each answered by every engine at several budgets, on one core:

- grid: 20 x 20 variables of two states, couplings drawn from a normal distribution, so that its loops disagree;
- link: 724 variables of a pedigree with many exact zeros, five leaves observed;
- findings: 500 diseases and 200 findings of up to 20 causes each (noisy or), twelve seen present, others absent.

The errors are those of the probabilities of all states of all variables that are not observed, and of the log evidence
where an engine states one (for bounds the distance of the bound, for mini-buckets that of their estimate); None where
it says nothing. The reference is `Exact()`; for the findings it is quickscore, coded here from its paper, to which
`Exact()` is compared as well. Seconds are processor time of one question, after another that loads the compiled loops.
Left out: likelihood weighting on grids, which have no draws from parents to children, and mini-buckets on findings,
which took more than eight minutes.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

import pgm
from pgm import (
    AIS,
    BayesianNetwork,
    Exact,
    Gibbs,
    LikelihoodWeighting,
    LoopyBP,
    MarkovNetwork,
    MeanField,
    MiniBucket,
    NoisyOr,
    PlanError,
    Table,
    Tabular,
    TreeReweighted,
    Variable,
)
from pgm.engines.engine import Engine
from pgm.model import Model
from pgm.posterior import Posterior

from . import networks

Budgets = dict[str, list[tuple[str, Engine]]]  # by name of the engine, what is spent and the engine
QUICK = 1.0  # seconds
LEFT_OUT = {("grid", "LikelihoodWeighting"), ("findings", "MiniBucket")}
FIELDS = ("network", "engine", "budget", "seconds", "mean_error", "largest_error", "log_evidence_error", "settled")


@dataclass(frozen=True)
class Problem:
    """A question and its answer.

    Args:
        name: of the network.
        model, given: what is asked; the probabilities of all other variables.
        truth: their probabilities, all states end to end.
        log_evidence: of `given`.
        exact: errors and seconds of `Exact()`.
    """

    name: str
    model: Model
    given: dict[str, str]
    truth: np.ndarray
    log_evidence: float
    exact: dict[str, object]


def grid(side: int = 20) -> Problem:
    """Variables of two states on a grid; fields and couplings are normal with deviations 0.3 and 1."""
    rng = np.random.default_rng(0)
    cells = {place: Variable(f"x{place[0]}_{place[1]}") for place in product(range(side), repeat=2)}
    alone = [Table([cell], np.exp(0.3 * rng.normal() * np.array([-1, 1]))) for cell in cells.values()]
    pairs = [((r, c), (r + down, c + 1 - down)) for r, c in cells for down in (0, 1)]
    linked = [(cells[a], cells[b]) for a, b in pairs if b in cells]
    tables = [Table(pair, np.exp(rng.normal() * np.array([[1, -1], [-1, 1]]))) for pair in linked]
    return _solved("grid", MarkovNetwork(*alone, *tables), {})


def link() -> Problem:
    """A pedigree."""
    model = networks.load("link")
    given = networks.evidence(model, 1)
    return _solved("link", model, {name: labels[0] for name, labels in given.items()})


def _solved(name: str, model: Model, given: dict[str, str]) -> Problem:
    """The question with exact inference as the reference."""
    post, seconds = _timed(model, given, Exact())
    exact = dict(zip(FIELDS, (name, "Exact", "", seconds, 0.0, 0.0, 0.0, True), strict=True))
    return Problem(name, model, given, _flat(post), float(post.log_evidence), exact)


def findings(diseases: int = 500, tests: int = 200, causes: int = 20, present: int = 12) -> Problem:
    """Diseases and findings; a patient has four diseases, and of the findings that are present only some are seen."""
    rng = np.random.default_rng(0)
    prior = 10 ** rng.uniform(-3, -1.7, diseases)
    strengths, leak = np.zeros((tests, diseases)), 0.01
    for row in strengths:
        chosen = rng.choice(diseases, rng.integers(5, causes + 1), replace=False)
        row[chosen] = rng.uniform(0.1, 0.9, len(chosen))
    ill = rng.choice(diseases, 4, replace=False, p=prior / prior.sum())
    absent = rng.random(tests) < (1 - leak) * (1 - strengths[:, ill]).prod(1)
    seen = np.concatenate([np.flatnonzero(~absent)[:present], np.flatnonzero(absent)])
    sick = [Variable(f"d{number}") for number in range(diseases)]
    terms: list[Tabular | NoisyOr] = [Tabular(d, [], [1 - p, p]) for d, p in zip(sick, prior, strict=True)]
    for number in seen:
        some = np.flatnonzero(strengths[number])
        terms.append(NoisyOr(Variable(f"f{number}"), [sick[d] for d in some], strengths[number, some], leak))
    given = {f"f{number}": "0" if absent[number] else "1" for number in seen}
    log_evidence, on = quickscore(prior, strengths[seen], leak, absent[seen])
    truth = np.stack([1 - on, on], 1).reshape(-1)
    problem = Problem("findings", BayesianNetwork(*terms), given, truth, log_evidence, {})
    return replace(problem, exact=measure(problem, "Exact", "", Exact()))


def quickscore(prior: np.ndarray, strengths: np.ndarray, leak: float, absent: np.ndarray) -> tuple[float, np.ndarray]:
    """log p(findings) and p(disease | findings), by inclusion and exclusion over the findings that are present.

    The terms alternate in sign and all but cancel, hence the long numbers.

    Reference: Heckerman (1989), A tractable inference algorithm for diagnosing multiple diseases.
    """
    prior, strengths = prior.astype(np.longdouble), strengths.astype(np.longdouble)
    spared = (1 - strengths[absent]).prod(0, keepdims=True)  # [subsets, diseases]: no finding of a subset by a disease
    weight = np.array([np.longdouble(1 - leak) ** absent.sum()])
    for row in strengths[~absent]:
        spared = np.concatenate([spared, spared * (1 - row)])
        weight = np.concatenate([weight, -weight * (1 - leak)])
    each = 1 - prior + prior * spared
    terms = weight * each.prod(1)
    on = (terms[:, None] * prior * spared / each).sum(0) / terms.sum()
    return float(np.log(terms.sum())), on.astype(float)


def budgets(name: str, smoke: bool = False) -> Budgets:
    """The engines that a network is put to, from quick to slow."""

    def some(*numbers: int) -> tuple[int, ...]:
        return numbers[:1] if smoke else numbers

    steps = some(1, 3, 10, 30, 100, 1000)
    found: Budgets = {
        "LoopyBP": [(f"{n} iterations", LoopyBP(iterations=n)) for n in steps],
        "TreeReweighted": [(f"{n} iterations", TreeReweighted(iterations=n)) for n in steps],
        "Gibbs": [
            (f"{n} sweeps", Gibbs(sweeps=n, warmup=n // 2, thin=max(n // 4, 1), chains=16))
            for n in some(10, 30, 100, 300, 1000)
        ],
        "AIS": [(f"{n} temperatures", AIS(temperatures=n, reverse=False)) for n in some(10, 30, 100, 300)],
        "LikelihoodWeighting": [(f"{n} draws", LikelihoodWeighting(n)) for n in some(1000, 10_000, 100_000, 1_000_000)],
        "MeanField": [(f"{n} sweeps", MeanField(iterations=n, restarts=1)) for n in some(1, 10, 100)],
        "MiniBucket": [(f"i-bound {n}", MiniBucket(i_bound=n, intervals=0)) for n in some(2, 4, 8)],
    }
    return {engine: options for engine, options in found.items() if (name, engine) not in LEFT_OUT}


def _asked(model: Model, given: dict[str, str]) -> list[str]:
    return [name for name in model.graph.names if name not in given]


def _flat(post: Posterior) -> np.ndarray:
    return np.concatenate([post[name].numpy() for name in post])


def _timed(model: Model, given: dict[str, str], engine: Engine) -> tuple[Posterior, float]:
    """An answer about all that is not observed, and its seconds, with nothing planned before."""
    fresh, start = copy.deepcopy(model), time.process_time()
    return pgm.infer(fresh, _asked(model, given), given=given, engine=engine), time.process_time() - start


def measure(problem: Problem, name: str, budget: str, engine: Engine) -> dict[str, object]:
    """One point: an engine's errors and its time."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        post, seconds = _timed(problem.model, problem.given, engine)
        again = 2 if seconds < QUICK else 0  # the least of three, where chance may be as large as the time
        seconds = min([seconds, *(_timed(problem.model, problem.given, engine)[1] for _ in range(again))])
    off, gap = np.abs(_flat(post) - problem.truth), abs(float(post.log_evidence) - problem.log_evidence)
    values = (problem.name, name, budget, seconds, float(off.mean()), float(off.max()), gap, not said)
    return {field: None if value != value else value for field, value in zip(FIELDS, values, strict=True)}  # not NaN


def rows(names: Sequence[str], smoke: bool) -> Iterator[dict[str, object]]:
    """All points of all networks."""
    make = {"grid": (lambda: grid(4)) if smoke else grid, "link": link}
    make["findings"] = (lambda: findings(20, 20, 5, 3)) if smoke else findings
    pgm.infer(BayesianNetwork(Tabular(Variable("coin"), [], [0.5, 0.5])))  # loads the compiled loops
    for network in names:
        problem = make[network]()
        yield problem.exact
        for name, options in budgets(network, smoke).items():
            try:
                measure(problem, name, *options[0])  # loads the compiled loops
                yield from (measure(problem, name, *each) for each in options)
            except PlanError as refused:
                yield dict.fromkeys(FIELDS) | {"network": network, "engine": name, "budget": str(refused)}


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    torch.set_num_threads(1)
    os.environ["PGM_CACHE"] = ""  # exact inference must search for its order
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="grid,link,findings", help="comma-separated names")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="a small grid and few findings: does it run?")
    parser.add_argument("--picture", type=Path, help="the folder to draw accuracy.png into; needs matplotlib")
    options = parser.parse_args()
    found = []
    if not options.json:
        print("  ".join(f"{field:>18}" for field in FIELDS))
    for row in rows(["grid", "findings"] if options.smoke else options.networks.split(","), options.smoke):
        found.append(row)
        print(json.dumps(row) if options.json else "  ".join(_cell(row[field]) for field in FIELDS), flush=True)
    if options.picture:
        from .accuracy_picture import draw

        draw(found, options.picture / "accuracy.png")


def _cell(value: object) -> str:
    return f"{value:>18.4g}" if isinstance(value, float) else f"{value!s:>18.80}"


if __name__ == "__main__":
    main()
