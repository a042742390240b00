"""`python -m pgm.compiled`: compile every loop now, so that no question has to wait for it later."""

from __future__ import annotations

import time
import warnings

import torch

from pgm import (
    BayesianNetwork,
    DualDecomposition,
    Gaussian,
    Gibbs,
    LikelihoodWeighting,
    LinearGaussian,
    LoopyBP,
    MarkovNetwork,
    MiniBucket,
    NoisyOr,
    Real,
    SimulatedAnnealing,
    Table,
    Tabular,
    Template,
    TreeReweighted,
    Variable,
    before,
    hill_climb,
    infer,
    mpe,
    pc,
    sample,
    smoothing,
    viterbi,
)
from pgm.errors import ConvergenceWarning

RAIN, WET, SKY = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"]), Variable("sky", ["1", "2", "3"])
WET_GIVEN_RAIN = Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]])


def main() -> None:
    """Ask one question of each kind and say how long that took."""
    print("compiling the loops, once; about two minutes", flush=True)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nothing runs for long enough to converge
        for ask in (exact, sequences, messages, draws, maxima):
            ask()
    print(f"compiled loops ready after {time.perf_counter() - start:.1f} s")


def exact() -> None:
    """Exact answers for one row and for many, explanations, samples, and structure from data."""
    model = BayesianNetwork(Tabular(RAIN, [], [0.8, 0.2]), WET_GIVEN_RAIN)
    infer(model, given={"wet": "yes"})
    infer(model, ["rain"], given={"wet": ["yes", "no"] * 8})
    infer(model, ["rain"], given={"wet": ["yes", "no"]})
    mpe(model, k=2)
    sample(model, 20, given={"wet": "yes"}, seed=0)
    rows = sample(model, 20, seed=0)
    hill_climb(rows)
    pc(rows)


def sequences() -> None:
    """Templates of finite and of numeric variables."""
    change = Tabular(RAIN, [before(RAIN)], [[0.9, 0.1], [0.2, 0.8]])
    weather = Template([Tabular(RAIN, [], [0.8, 0.2])], [change, WET_GIVEN_RAIN])
    smoothing(weather, {"wet": ["yes", "no"]})
    viterbi(weather, {"wet": ["yes", "no"]})
    x, y = Variable("x", Real()), Variable("y", Real())
    walk = LinearGaussian(x, [before(x)], [1.0], 0.0, 1.0)
    smoothing(Template([Gaussian(x, 0.0, 1.0)], [walk, LinearGaussian(y, [x], [1.0], 0.0, 1.0)]), {"y": [1.0, 2.0]})


def fields() -> tuple[MarkovNetwork, MarkovNetwork]:
    """One of pairs of two states, one with a variable of three."""
    pair = Table([RAIN, WET], [[2.0, 1.0], [1.0, 2.0]])
    return MarkovNetwork(pair), MarkovNetwork(pair, Table([WET, SKY], [[2.0, 1.0, 1.0], [1.0, 2.0, 1.0]]))


def messages() -> None:
    """Messages by both schedules in both precisions, and the forests of bounds."""
    pairs, mixed = fields()
    for dtype in (torch.float64, torch.float32):
        infer(pairs, engine=LoopyBP(dtype=dtype))
        infer(mixed, engine=LoopyBP(dtype=dtype))
        infer(mixed, engine=LoopyBP(schedule="residual", dtype=dtype))
    infer(mixed, engine=TreeReweighted())
    infer(mixed, ["rain"], engine=MiniBucket(i_bound=1))


def draws() -> None:
    """Weighted draws, and chains with zeros and wide factors and without."""
    causes = [Tabular(variable, [], [0.8, 0.2]) for variable in (RAIN, WET)]
    alarm = NoisyOr(Variable("alarm"), [RAIN, WET], [0.5, 0.5])
    for model in (BayesianNetwork(*causes, alarm), fields()[1]):
        infer(model, engine=Gibbs(warmup=1, sweeps=4))
    infer(BayesianNetwork(*causes, alarm), given={"alarm": "1"}, engine=LikelihoodWeighting(10))


def maxima() -> None:
    """Searches for most probable joint states."""
    mixed = fields()[1]
    for engine in (LoopyBP(), DualDecomposition(), SimulatedAnnealing(sweeps=2)):
        mpe(mixed, engine=engine)


if __name__ == "__main__":
    main()
