"""The benchmark of levels in its shortest form: a row for each level of both ways to train."""

import json
from collections.abc import Callable


def test_it_measures_every_level_with_and_without_countermeasures(program: Callable[..., str]) -> None:
    printed = program("benchmarks.hierarchy", "--smoke", "--json", "--ladder")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [(row["free"], row["level"]) for row in rows] == [(f, f"z{t}") for f in (0.0, 1.0) for t in (5, 4, 3, 2, 1)]
    assert [row["units"] for row in rows[:5]] == [2, 4, 8, 16, 32]
    for row in rows:
        assert row["family"] == "ladder"
        assert 0 <= row["active"] <= row["units"]
        assert row["elbo"] < row["iwae"] < 0
