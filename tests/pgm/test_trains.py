"""Products of small matrices against the sum over everything that is carried along."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import NoisyMax, NoisyOr, PlanError, Variable
from pgm.trains import expanded, log_at, row_at


def random_train(seed: int, count: int) -> list[torch.Tensor]:
    """Matrices of random shapes, a few numbers zero."""
    rng = np.random.default_rng(seed)
    ranks = [1, *rng.integers(1, 4, count - 1).tolist(), 1]
    shapes = [(ranks[k], int(rng.integers(1, 4)), ranks[k + 1]) for k in range(count)]
    return [torch.from_numpy(rng.uniform(0, 1, shape) * (rng.random(shape) < 0.8)) for shape in shapes]


def summed(cores: list[torch.Tensor], states: tuple[int, ...]) -> float:
    """The sum over all states carried along, one product a path."""
    ranks = [range(core.shape[2]) for core in cores]
    return sum(
        float(np.prod([core[a, x, b] for core, a, x, b in zip(cores, (0, *path), states, path, strict=False)]))
        for path in product(*ranks)
    )


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=30)
def test_the_product_is_the_sum_over_paths(seed: int, count: int) -> None:
    cores = random_train(seed, count)
    table = expanded(cores)
    worlds = list(product(*(range(core.shape[1]) for core in cores)))
    expected = torch.tensor([summed(cores, states) for states in worlds], dtype=torch.float64)
    torch.testing.assert_close(table.reshape(-1), expected)
    values = torch.tensor(worlds).unbind(1)
    torch.testing.assert_close(row_at(cores, values).squeeze(-1), expected)
    torch.testing.assert_close(log_at(cores, values).exp(), expected)


def test_logarithms_of_wide_products_do_not_underflow() -> None:
    cores = [torch.full((1, 1, 1), 1e-10, dtype=torch.float64)] * 200
    values = [torch.tensor(0)] * 200
    assert log_at(cores, values).item() == pytest.approx(200 * np.log(1e-10), rel=1e-13)


def test_the_slope_of_the_logarithm_is_that_of_the_table() -> None:
    cores = [core.add(0.1).requires_grad_() for core in random_train(1, 4)]
    values = [torch.tensor([0, core.shape[1] - 1]) for core in cores]
    found = torch.autograd.grad(log_at(cores, values).sum(), cores)
    expected = torch.autograd.grad(expanded(cores)[tuple(values)].log().sum(), cores)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_table_beyond_memory_is_refused() -> None:
    with pytest.raises(PlanError, match=r"Parity\(a\): its table would have 2\^30 numbers, expected at most 2\^26;"):
        expanded([torch.ones(1, 2, 1)] * 30, "Parity(a)")


def test_numbers_of_two_precisions_become_the_wider() -> None:
    a, b = Variable("a"), Variable("b")
    either = NoisyOr(b, [a], torch.tensor([0.5]), leak=0.25)
    assert either.factor().values.dtype == torch.float64
    torch.testing.assert_close(either.factor().values[1], torch.tensor([0.375, 0.625], dtype=torch.float64))
    level = NoisyMax(b, [a], [torch.tensor([[1.0, 0.0], [0.5, 0.5]])], leak=[0.75, 0.25])
    torch.testing.assert_close(level.factor().values, either.factor().values)
