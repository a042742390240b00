"""How fast are questions about sequences, beside hmmlearn and beside loops in torch and numpy?

    python -m benchmarks.temporal [--steps 10000] [--json] [--smoke]

Hidden Markov models with three and thirty states and a position that moves in the plane, one core. Each row asks one
question by one route of a batch of sequences and times a peer in the same process; a ratio above 1 means that this
library is faster. The parallel route is timed against the sequential one.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

import pgm
from pgm import Gaussian, LinearGaussian, Real, Tabular, Template, Variable, before

from .measure import timed

FIELDS = ("model", "question", "route", "batch", "steps", "ms", "steps_per_s", "peer", "peer_ms", "ratio", "difference")
SYMBOLS = 8
Case = tuple[str, str, Callable[[], Any], str, Callable[[], Any]]  # question, route, ours, the peer, the peer's


def chain(states: int) -> tuple[Template, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A hidden Markov model and its tables."""
    rng = np.random.default_rng(0)
    start, move, seen = (rng.dirichlet(np.ones(n), m) for n, m in ((states, 1), (states, states), (SYMBOLS, states)))
    z, x = Variable("z", states), Variable("x", SYMBOLS)
    template = Template([Tabular(z, [], start[0])], [Tabular(z, [before(z)], move), Tabular(x, [z], seen)])
    return template, (start[0], move, seen)


def hmm_cases(states: int, batch: int, steps: int) -> list[Case]:
    """Questions about a hidden Markov model against hmmlearn and a loop in torch."""
    template, tables = chain(states)
    x = np.random.default_rng(1).integers(0, SYMBOLS, (batch, steps))
    column, lengths, given = x.reshape(-1, 1), [steps] * batch, {"x": torch.from_numpy(x)}
    scaled, logs = (hmmlearn_model(tables, arithmetic) for arithmetic in ("scaling", "log"))

    def total(route: Any) -> float:
        return pgm.log_likelihood(template, given, route=route).sum().item()

    def smooth(route: Any) -> float:
        return pgm.smoothing(template, given, route=route)["z"][..., 0].sum().item()

    def best() -> float:
        return float(pgm.viterbi(template, given).log_prob.sum())  # type: ignore[union-attr]

    def slope() -> float:
        with torch.enable_grad():
            found = torch.autograd.grad(pgm.log_likelihood(template, given).sum(), list(template.parameters()))
        return float(sum(each.sum() for each in found))

    one, two = "sequential", "parallel"
    return [
        ("log-likelihood", one, partial(total, one), "hmmlearn", lambda: scaled.score(column, lengths)),
        ("log-likelihood", one, partial(total, one), "hmmlearn log", lambda: logs.score(column, lengths)),
        ("log-likelihood", one, partial(total, one), "torch loop", lambda: torch_loop(tables, given["x"]).sum()),
        ("log-likelihood", two, partial(total, two), one, partial(total, one)),
        (
            "posteriors",
            one,
            partial(smooth, one),
            "hmmlearn",
            lambda: scaled.predict_proba(column, lengths)[:, 0].sum(),
        ),
        ("posteriors", two, partial(smooth, two), one, partial(smooth, one)),
        ("viterbi", one, best, "hmmlearn", lambda: scaled.decode(column, lengths)[0]),
        ("gradient", one, slope, "torch loop", lambda: torch_slope(tables, given["x"])),
    ]


def hmmlearn_model(tables: tuple[np.ndarray, np.ndarray, np.ndarray], arithmetic: str) -> Any:
    """The same model for hmmlearn; its scaled arithmetic is several times faster than 'log', its default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hmmlearn import hmm
    model = hmm.CategoricalHMM(len(tables[0]), implementation=arithmetic)
    model.startprob_, model.transmat_, model.emissionprob_ = tables
    model.n_features = SYMBOLS
    return model


def torch_loop(
    tables: tuple[np.ndarray, ...], x: torch.Tensor, parameters: list[torch.Tensor] | None = None
) -> torch.Tensor:
    """The log-likelihood of each sequence, step after step, scaled."""
    start, move, seen = parameters or [torch.from_numpy(table) for table in tables]
    alpha, total = start * seen[:, x[:, 0]].T, torch.zeros(len(x), dtype=torch.float64)
    for t in range(1, x.shape[1]):
        norm = alpha.sum(1, keepdim=True)
        total = total + norm[:, 0].log()
        alpha = (alpha / norm) @ move * seen[:, x[:, t]].T
    return total + alpha.sum(1).log()


def torch_slope(tables: tuple[np.ndarray, ...], x: torch.Tensor) -> float:
    """The sum of the gradient of the same."""
    parameters = [torch.from_numpy(table).clone().requires_grad_() for table in tables]
    with torch.enable_grad():
        found = torch.autograd.grad(torch_loop(tables, x, parameters).sum(), parameters)
    return float(sum(each.sum() for each in found))


def position() -> tuple[Template, list[np.ndarray]]:
    """A position and a velocity in the plane, seen through noise, and the matrices of the textbook."""
    move, look = np.eye(4) + 0.1 * np.eye(4, k=2), np.eye(2, 4)
    noise, blur = 0.01 * np.eye(4), 0.5 * np.eye(2)
    s, y = Variable("s", Real(4)), Variable("y", Real(2))
    steps = [
        LinearGaussian(s, [before(s)], move.T, np.zeros(4), noise),
        LinearGaussian(y, [s], look.T, np.zeros(2), blur),
    ]
    return Template([Gaussian(s, np.zeros(4), np.eye(4))], steps), [move, look, noise, blur]


def kalman_cases(batch: int, steps: int) -> list[Case]:
    """A linear dynamical system against a plain recursion in numpy."""
    template, matrices = position()
    y = np.random.default_rng(1).normal(size=(batch, steps, 2))

    def total(route: Any) -> float:
        return pgm.log_likelihood(template, {"y": y}, route=route).sum().item()

    def smooth(route: Any) -> float:
        return pgm.smoothing(template, {"y": y}, route=route)["s"].mean.sum().item()

    one, two = "sequential", "parallel"
    return [
        ("log-likelihood", one, partial(total, one), "numpy loop", lambda: sum(numpy_kalman(matrices, x) for x in y)),
        ("log-likelihood", two, partial(total, two), one, partial(total, one)),
        ("posteriors", two, partial(smooth, two), one, partial(smooth, one)),
    ]


def numpy_kalman(matrices: list[np.ndarray], y: np.ndarray) -> float:
    """The log density of one sequence by the recursion of the textbooks."""
    move, look, noise, blur = matrices
    mean, covariance, total = np.zeros(len(move)), np.eye(len(move)), 0.0
    for t, seen in enumerate(y):
        if t:
            mean, covariance = move @ mean, move @ covariance @ move.T + noise
        gap, spread = seen - look @ mean, look @ covariance @ look.T + blur
        gain = np.linalg.solve(spread, look @ covariance).T
        total -= 0.5 * (gap @ np.linalg.solve(spread, gap) + np.linalg.slogdet(2 * np.pi * spread)[1])
        mean, covariance = mean + gain @ gap, covariance - gain @ look @ covariance
    return float(total)


@torch.no_grad()
def measure(model: str, batch: int, steps: int, case: Case, budget: float) -> dict[str, object]:
    """One line of the table."""
    question, route, mine, peer, other = case
    gap = abs(float(mine()) - float(other()))
    ours, theirs = timed(mine, budget), timed(other, budget, 1)
    rate = batch * steps / ours
    values = (model, question, route, batch, steps, 1e3 * ours, rate, peer, 1e3 * theirs, theirs / ours, gap)
    return dict(zip(FIELDS, values, strict=True))


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000, help="length of one sequence; a hundred are a tenth of it")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="fifty steps: does it run?")
    options = parser.parse_args()
    steps, budget = (50, 0.01) if options.smoke else (options.steps, 1.0)
    if not options.json:
        print("  ".join(f"{field:>15}" for field in FIELDS))
    for batch, length in [(1, steps)] if options.smoke else [(1, steps), (100, max(steps // 10, 2))]:
        runs = [(f"hmm {n} states", hmm_cases(n, batch, length)) for n in ([3] if options.smoke else [3, 30])]
        for model, cases in [*runs, ("kalman 4 numbers", kalman_cases(batch, length))]:
            for case in cases:
                row = measure(model, batch, length, case, budget)
                print(json.dumps(row) if options.json else "  ".join(_cell(row[field]) for field in FIELDS))
                sys.stdout.flush()


def _cell(value: object) -> str:
    return f"{value:>15.4g}" if isinstance(value, float) else f"{value!s:>15}"


if __name__ == "__main__":
    main()
