"""Every benchmark runs in its shortest form and prints what it promises."""

import json
from collections.abc import Callable

import pytest

FIELDS = {
    "exact": "network warm_ms peer_warm_ms warm_ratio cold_ratio rows_per_s peer_rows_per_s batch_ratio peak_mb "
    "predicted_peak_mb max_abs_error",
    "structure": "network seed program seconds ratio score_less_truth shd shd_arrows shd_links",
    "svi": "network ours_ms torch_ms pyro_step_ms pyro_loss_ms ratio pyro_ratio pyro_loss_ratio overhead_us",
    "mpe": "network warm_ms cold_ms toulbar2_ms warm_ratio cold_ratio log_prob difference",
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_benchmark_prints_one_object_a_row(name: str, program: Callable[..., str]) -> None:
    pytest.importorskip("pgmpy", reason="carries the networks")
    pytest.importorskip("pyagrum", reason="the peer")
    printed = program(f"benchmarks.{name}", "--smoke", "--json")
    row = json.loads(printed.splitlines()[-1])
    assert set(FIELDS[name].split()) <= set(row)
    assert row["network"] == ("tiny 8-8-8-2" if name == "svi" else "asia")


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


def test_the_training_steps_that_are_compared_are_the_same_step() -> None:
    import pyro
    import torch

    from benchmarks.svi import ours, perceptron, plain, pyro_loss

    found = []
    for make in (ours, plain, pyro_loss):
        with torch.random.fork_rng(), pyro.get_param_store().scope():
            torch.manual_seed(0)
            nets = perceptron(8, 8, 4), perceptron(2, 8, 8)
            make(nets, torch.bernoulli(torch.full((4, 8), 0.5)), 2)()
            found.append(torch.cat([parameter.detach().reshape(-1) for net in nets for parameter in net.parameters()]))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


def test_the_benchmark_of_sampling_measures_both_kinds(program: Callable[..., str]) -> None:
    pytest.importorskip("pgmpy", reason="carries the networks")
    pytest.importorskip("pyagrum", reason="the peer")
    printed = program("benchmarks.gibbs", "--smoke", "--json")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert {row["route"] for row in rows if "route" in row} == {"engine", "compiled", "torch"}
    drawn = [row for row in rows if "task" in row]
    assert [(row["task"], row["peer"]) for row in drawn] == [
        *(("forward", peer) for peer in ("pgmpy", "pyagrum", "pyro")),
        ("weighted", "pyagrum"),
    ]
    assert all(min(row["draws_per_s"], row["peer_draws_per_s"]) > 0 for row in drawn)
    assert all(row["ratio"] > 0 for row in rows)


def test_the_benchmark_of_sequences_agrees_with_its_peers(program: Callable[..., str]) -> None:
    pytest.importorskip("hmmlearn", reason="the peer")
    printed = program("benchmarks.temporal", "--smoke", "--json")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert {row["peer"] for row in rows} == {"hmmlearn", "hmmlearn log", "torch loop", "numpy loop", "sequential"}
    assert all(row["difference"] < 1e-9 and row["ratio"] > 0 for row in rows)


def test_the_benchmark_of_accuracy_has_quickscore_and_exact_inference_agree(program: Callable[..., str]) -> None:
    printed = program("benchmarks.accuracy", "--smoke", "--json")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert {row["network"] for row in rows} == {"grid", "findings"}
    assert len({row["engine"] for row in rows}) == 8
    (exact,) = [row for row in rows if row["engine"] == "Exact" and row["network"] == "findings"]
    assert exact["largest_error"] < 1e-9
    assert exact["log_evidence_error"] < 1e-9
    assert all(0 <= row["mean_error"] <= row["largest_error"] <= 1 for row in rows)


def test_the_benchmark_of_grids_runs_both_routes_with_or_without_its_peer(program: Callable[..., str]) -> None:
    printed = program("benchmarks.loopy", "--smoke", "--json")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [(row["side"], row["route"]) for row in rows] == [
        (s, route) for s in (6, 8) for route in ("compiled", "torch")
    ]
    assert {row["peer"] for row in rows} <= {"pgmax", "not installed", "none"}
    assert all((row["difference"] or 0.0) < 1e-4 for row in rows)  # single precision, five iterations
