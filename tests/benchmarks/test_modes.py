"""The benchmark of modes counts what it says, and goes on where it was interrupted."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
import torch

from benchmarks.plays import PLAYS, STACKED, tasks
from deepgen.data.toys import grid_of_gaussians, ring


def test_seeds_that_are_written_are_not_run_again(program: Callable[..., str], tmp_path: Path) -> None:
    words = ["--smoke", "--json", "--only", "ring", "--games", "hinge, spectral", "unrolled"]
    words += ["--out", f"{tmp_path}/rows"]
    (tmp_path / "rows").write_text(
        json.dumps({"data": "ring", "game": "unrolled", "seed": 0, "turns": 1, "seconds": 1000.0}
                   | {"modes": 8, "of": 8, "high_quality": 0.5, "kl": 0.25, "diverged": True}) + "\n"
    )  # fmt: skip
    printed = [json.loads(line) for line in program("benchmarks.modes", *words, "--seeds", "2").splitlines()]
    kept = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert [(row["game"], row["seed"]) for row in kept[1:]] == [
        *(("hinge, spectral", n) for n in (0, 1)),
        ("unrolled", 1),
    ]
    assert [row["game"] for row in printed] == ["hinge, spectral", "unrolled"]
    assert [row["diverged"] for row in printed] == [0, 1]
    assert printed[1]["seconds"] == mean(row["seconds"] for row in kept if row["game"] == "unrolled") > 500
    again = [json.loads(line) for line in program("benchmarks.modes", *words, "--seeds", "2").splitlines()]
    assert again == printed


@pytest.mark.parametrize(("name", "data"), [("ring", ring), ("grid", grid_of_gaussians)])
def test_the_data_themselves_have_all_modes_evenly(name: str, data: Callable) -> None:
    """1 - exp(-9 / 2) of points are within 3 deviations; 5 standard errors, and twice the mean of a chi-squared kl."""
    task = tasks(smoke=True, device="cpu")[name]()
    rows = task.data["x"][:20_000]
    found = task.judged(rows)
    expected = 1 - torch.tensor(-4.5).exp()
    assert found.captured == found.of
    assert abs(found.high_quality - expected) < 5 * (expected * (1 - expected) / len(rows)).sqrt()
    assert 0 < found.divergence < 2 * (found.of - 1) / (2 * len(rows))


def test_stacked_digits_are_read_and_a_row_a_game_is_printed(program: Callable[..., str]) -> None:
    lines = program("benchmarks.modes", "--smoke", "--only", "stacked", "--seeds", "1").splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"stacked {play.name}" for play in STACKED]
    names = [play.name for play in PLAYS]
    assert len(names) == len(set(names))


@pytest.mark.gpu
def test_stacked_digits_are_learned_on_a_gpu(program: Callable[..., str]) -> None:
    words = ["--smoke", "--json", "--only", "stacked", "--games", "dcgan", "--seeds", "1", "--device", "cuda"]
    (row,) = program("benchmarks.modes", *words).splitlines()
    assert json.loads(row)["modes"] >= 1
