"""The benchmark of training compares like with like, and its arithmetic is right."""

import json
from collections.abc import Callable
from copy import deepcopy

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from benchmarks.device import covered, products
from benchmarks.training import Case, cases, nets_of
from deepgen.training.phase import Moment


@pytest.mark.parametrize("case", list(cases(smoke=True)), ids=lambda case: case.name)
def test_the_loop_by_hand_has_the_same_gradient(case: Case) -> None:
    """Both draw the same noise from one seed; VIMCO by hand has another value, and the same gradient."""
    rows = torch.rand(case.batch, case.pixels, generator=torch.Generator().manual_seed(0)).round()
    nets = {name: deepcopy(net) for name, net in nets_of(case.pair).items()}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        by_hand = case.by_hand(nets, rows)
        torch.manual_seed(3)
        terms = case.phase(case.pair).objective({"x": rows}, Moment(0, 0, 0.0))
    ours = (terms if isinstance(terms, torch.Tensor) else terms["loss"]).mean()
    ours.backward()
    by_hand.backward()
    for name, net in nets_of(case.pair).items():
        for one, other in zip(net.parameters(), nets[name].parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, msg=lambda text, name=name: f"{name}: {text}")


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple)))
def test_the_length_of_a_union_is_the_number_of_points_in_it(intervals: list[tuple[int, int]]) -> None:
    assert covered(intervals) == len({point for first, last in intervals for point in range(first, last)})


def test_products_are_counted_forward_and_backward() -> None:
    """[5, 3] by [3, 4]: 2 * 60 forward, the same for the weight's gradient, and again for the input's."""
    layer, x = nn.Linear(3, 4, bias=False), torch.zeros(5, 3, requires_grad=True)
    assert products(lambda: layer(x)) == 120
    assert products(lambda: layer(x).sum().backward()) == 360


def test_the_benchmark_prints_what_it_promises(program: Callable[..., str]) -> None:
    printed = program("benchmarks.training", "--smoke", "--json")
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row["case"].split()[0] for row in rows] == ["VAE", "IWAE-5", "MHVAE-2", "SBN"]
    for row in rows:
        assert set(row) == {"case", "ours_ms", "by_hand_ms", "ratio", "overhead_us", "rows_per_s", "sampled_per_s"}
        assert row["ratio"] == pytest.approx(row["ours_ms"] / row["by_hand_ms"])
