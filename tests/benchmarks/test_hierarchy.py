"""The benchmark of levels in its shortest form: a row for each level of both ways to train."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_measures_every_level_with_and_without_countermeasures() -> None:
    command = [sys.executable, "-m", "benchmarks.hierarchy", "--smoke", "--json", "--ladder"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["free"], row["level"]) for row in rows] == [(f, f"z{t}") for f in (0.0, 1.0) for t in (5, 4, 3, 2, 1)]
    assert [row["units"] for row in rows[:5]] == [2, 4, 8, 16, 32]
    for row in rows:
        assert row["family"] == "ladder"
        assert 0 <= row["active"] <= row["units"]
        assert row["elbo"] < row["iwae"] < 0
