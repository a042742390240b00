"""`python -m pgm.compiled`: compile every loop now, so that no question has to wait for it later."""

from __future__ import annotations

import time

from pgm import BayesianNetwork, Tabular, Variable, hill_climb, infer, mpe, pc, sample


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
    rows = sample(model, 20, seed=0)
    hill_climb(rows)
    pc(rows)
    print(f"compiled loops ready after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
