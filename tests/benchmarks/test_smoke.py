"""Every benchmark runs in its shortest form and prints what it promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIELDS = {
    "exact": "network warm_ms peer_warm_ms warm_ratio cold_ratio rows_per_s peer_rows_per_s batch_ratio peak_mb "
    "predicted_peak_mb max_abs_error",
    "structure": "network seed program seconds ratio score_less_truth shd shd_arrows shd_links",
    "mpe": "network warm_ms cold_ms toulbar2_ms warm_ratio cold_ratio log_prob difference",
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_benchmark_prints_one_object_a_row(name: str) -> None:
    pytest.importorskip("pgmpy", reason="carries the networks")
    pytest.importorskip("pyagrum", reason="the peer")
    command = [sys.executable, "-m", f"benchmarks.{name}", "--smoke", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert set(FIELDS[name].split()) <= set(row)
    assert row["network"] == "asia"


def test_the_exact_benchmark_agrees_with_its_peer() -> None:
    pytest.importorskip("pgmpy", reason="carries the networks")
    pytest.importorskip("pyagrum", reason="the peer")
    from benchmarks.exact import measure

    row = measure("asia", "pyagrum", budget=0.01, rows=10)
    assert row["max_abs_error"] < 1e-9


def test_three_distances_of_structures() -> None:
    """a -> b -> c against b -> a, b -> c (one class), against a -> b <- c, and against nothing."""
    from benchmarks.structure import distances
    from pgm import Variable
    from pgm.learn.learned import directed_graph

    chain, fork, collider = (
        directed_graph([Variable(name) for name in "abc"], parents)
        for parents in ({"b": ["a"], "c": ["b"]}, {"a": ["b"], "c": ["b"]}, {"b": ["a", "c"]})
    )
    assert distances(fork, chain) == {"shd": 0, "shd_arrows": 1, "shd_links": 0}
    assert distances(collider, chain) == {"shd": 2, "shd_arrows": 1, "shd_links": 0}
    assert distances(directed_graph(chain.variables, {}), chain) == {"shd": 2, "shd_arrows": 2, "shd_links": 2}
