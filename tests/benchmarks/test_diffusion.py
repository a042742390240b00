"""The benchmark of diffusion compares like with like, and prints what it promises."""

import json
from copy import deepcopy

import pytest
import torch
from torch.nn.functional import one_hot

from benchmarks.diffusion.speed import Case, by_hand, cases
from deepgen.training.phase import Moment
from deepgen.zoo.diffusion import denoised
from deepgen.zoo.diffusion.process import spread


@pytest.mark.parametrize("case", list(cases(smoke=True)), ids=lambda case: case.name)
def test_the_loop_by_hand_has_the_same_gradient(case: Case) -> None:
    """Both draw the same steps, noise and hidden labels from one seed."""
    data, model = case.data(), case.model
    batch = {name: column[: case.batch] for name, column in data.columns.items()}
    net = deepcopy(model.denoiser.net)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        denoised(model).objective(batch, Moment(1, 0, 0.0))["loss"].mean().backward()
        torch.manual_seed(3)
        steps = spread(case.batch, model.noise.steps, torch.device("cpu"))
        by_hand(net, model.noise, batch[model.x.name], one_hot(batch["label"], 10).float(), steps).backward()
    for one, other in zip(model.denoiser.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_samples_are_those_of_diffusers_and_ratios_are_ratios(program) -> None:
    pytest.importorskip("diffusers", reason="the peer")
    found = program("benchmarks.diffusion.__main__", "--smoke", "--json", "--only", "speed")
    *compared, network = [json.loads(line) for line in found.splitlines()]
    assert [row["name"] for row in compared] == ["train digits", "train points", "ddim_50 digits", "ddim_50 points"]
    for row in compared:
        assert row["ratio"] == pytest.approx(row["ours_ms"] / row["peer_ms"])
    assert all(row["apart"] < 1e-4 for row in compared[2:])
    assert network["share"] == pytest.approx(network["gflop_per_s"] / network["conv_gflop_per_s"])


def test_every_goal_is_measured_and_printed_as_a_table(program) -> None:
    title, *goals = program("benchmarks.diffusion.__main__", "--smoke", "--only", "mnist").strip().splitlines()
    assert title.split() == ["name", "steps", "rows_per_s", "bits", "error", "fid", "fid_data", "drawn_2", "drawn_3"]
    assert [row.split()[:2] for row in goals] == [["MNIST", "simple"], ["MNIST", "bound"], ["MNIST", "hybrid"]]
    assert len({len(row) for row in goals}) == 1
