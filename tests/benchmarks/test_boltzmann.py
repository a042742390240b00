"""The benchmark of restricted Boltzmann machines, in its shortest form."""

import json
from collections.abc import Callable


def test_it_prints_a_row_a_question(program: Callable[..., str]) -> None:
    rows = [json.loads(line) for line in program("benchmarks.boltzmann", "--smoke", "--json").splitlines()]
    assert [row["question"] for row in rows] == ["annealed", "speed", "small"]
    low, high = rows[0]["interval"]
    assert low < rows[0]["exact"] < high
    assert min(rows[1]["ours"], rows[1]["scikit_learn"]) > 0
    assert -16 < rows[2]["value"] < 0
