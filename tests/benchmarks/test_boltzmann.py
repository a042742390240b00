"""The benchmark of Boltzmann machines, in its shortest form."""

import json
from collections.abc import Callable


def test_it_prints_a_row_a_question(program: Callable[..., str]) -> None:
    rows = [json.loads(line) for line in program("benchmarks.boltzmann", "--smoke", "--json", "--long").splitlines()]
    assert [row["question"] for row in rows] == ["annealed", "speed", *["sweeps"] * 2, "small", "large", "deep"]
    low, high = rows[0]["interval"]
    assert low < rows[0]["exact"] < high
    assert min(rows[1]["ours"], rows[1]["scikit_learn"]) > 0
    assert all(row["a_second"] > 0 and 0 < row["of_peak"] < 1 for row in rows[2:4])
    assert [row["side"] for row in rows[4:]] == ["exact", "exact", "lower bound"]
    assert all(-16 < row["value"] < 0 for row in rows[4:])
