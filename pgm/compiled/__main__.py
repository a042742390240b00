"""`python -m pgm.compiled`: compile every loop now, so that no question has to wait for it later."""

from __future__ import annotations

import time

from pgm import (
    BayesianNetwork,
    Gaussian,
    LikelihoodWeighting,
    LinearGaussian,
    Real,
    Tabular,
    Template,
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


def main() -> None:
    """Ask one question of each kind and say how long that took."""
    print("compiling the loops, once; about half a minute", flush=True)
    start = time.perf_counter()
    rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
    model = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
    infer(model, given={"wet": "yes"})
    infer(model, ["rain"], given={"wet": ["yes", "no"] * 8})
    infer(model, ["rain"], given={"wet": ["yes", "no"]})
    mpe(model, k=2)
    infer(model, given={"wet": "yes"}, engine=LikelihoodWeighting(10))
    sample(model, 20, given={"wet": "yes"}, seed=0)
    rows = sample(model, 20, seed=0)
    hill_climb(rows)
    pc(rows)
    change = Tabular(rain, [before(rain)], [[0.9, 0.1], [0.2, 0.8]])
    weather = Template([model.conditionals["rain"]], [change, model.conditionals["wet"]])
    smoothing(weather, {"wet": ["yes", "no"]})
    viterbi(weather, {"wet": ["yes", "no"]})
    x, y = Variable("x", Real()), Variable("y", Real())
    walk = LinearGaussian(x, [before(x)], [1.0], 0.0, 1.0)
    smoothing(Template([Gaussian(x, 0.0, 1.0)], [walk, LinearGaussian(y, [x], [1.0], 0.0, 1.0)]), {"y": [1.0, 2.0]})
    print(f"compiled loops ready after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
