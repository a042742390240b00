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
    MeanField,
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
    """Messages by both schedules in both precisions, and bounds of the evidence."""
    pairs, mixed = fields()
    for dtype in (torch.float64, torch.float32):
        infer(pairs, engine=LoopyBP(dtype=dtype))
        infer(mixed, engine=LoopyBP(dtype=dtype))
        infer(mixed, engine=LoopyBP(schedule="residual", dtype=dtype))
    for engine in (TreeReweighted(), MeanField()):
        infer(mixed, engine=engine)
    infer(mixed, ["rain"], engine=MiniBucket(i_bound=1))


def draws() -> None:
    """Weighted draws, and chains with zeros and wide factors and without."""
    parents = [Variable(f"cause {k}") for k in range(16)]  # too many for conditionals that are looked up
    alarm = NoisyOr(Variable("alarm"), parents, [0.5] * len(parents))
    model = BayesianNetwork(*(Tabular(parent, [], [0.8, 0.2]) for parent in parents), alarm)
    for engine in (Gibbs(warmup=1, sweeps=4), LikelihoodWeighting(10)):
        infer(model, given={"alarm": "1"}, engine=engine)
    infer(fields()[1], engine=Gibbs(warmup=1, sweeps=4))


def maxima() -> None:
    """Searches for most probable joint states."""
    mixed = fields()[1]
    for engine in (LoopyBP(), DualDecomposition(), SimulatedAnnealing(sweeps=2)):
        mpe(mixed, engine=engine)


if __name__ == "__main__":
    main()
