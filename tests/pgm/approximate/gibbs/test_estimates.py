"""Averages, errors and R-hat from sums, against the sequences they are sums of."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.approximate.gibbs.estimates import Estimates, Half
from pgm.approximate.gibbs.merge import merged
from pgm.fields.field import Field


def estimates(values: np.ndarray, states: torch.Tensor) -> Estimates:
    """From sequences `[rows, chains, sweeps, states]`, their halves summed."""
    middle, halves = values.shape[2] // 2, []
    for part in (values[:, :, :middle], values[:, :, middle:]):
        sums, squares = torch.from_numpy(part.sum(2)), torch.from_numpy((part**2).sum((1, 2)))
        halves.append(Half(part.shape[2], sums, squares))
    return Estimates((halves[0], halves[1]), states, merged(Field(torch.tensor([2, 3]), torch.zeros(1, 5))))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]))
@settings(max_examples=20)
def test_r_hat_is_the_ratio_of_the_textbook(seed: int, apart: float) -> None:
    rng = np.random.default_rng(seed)
    values = 0.2 + 0.1 * rng.random((2, 4, 50, 5)) + apart * rng.random((2, 4, 1, 5))
    found = estimates(values, torch.zeros(2, 4, 1, 2))
    halves = np.concatenate([values[:, :, :25], values[:, :, 25:]], 1)  # [rows, halves, n, states]
    within, between = halves.var(2, ddof=1).mean(1), halves.mean(2).var(1, ddof=1)
    expected = np.sqrt((24 / 25 * within + between) / within).max(1)
    np.testing.assert_allclose(found.r_hat.numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(found.marginals.numpy(), values.mean((1, 2)))
    np.testing.assert_allclose(found.errors.numpy(), values.mean(2).std(1, ddof=1) / 2)
    p, error = values.mean((1, 2)), values.mean(2).std(1, ddof=1) / 2
    np.testing.assert_allclose(found.effective_samples.numpy(), (p * (1 - p) / error**2).min(1))


def test_frozen_chains_are_flagged_and_constants_are_not() -> None:
    frozen = np.broadcast_to(np.array([0.0, 1.0, 0.0, 1.0])[:, None, None], (1, 4, 40, 5))
    assert float(estimates(frozen.copy(), torch.zeros(1, 4, 1, 2)).r_hat) > 100
    assert float(estimates(np.full((1, 4, 40, 5), 0.3), torch.zeros(1, 4, 1, 2)).r_hat) == 1.0


def test_joints_are_shares_of_what_was_kept() -> None:
    states = torch.tensor([[[[0, 2], [1, 0]], [[0, 2], [0, 2]]]])  # one row, two chains, two states each
    found = estimates(np.zeros((1, 2, 4, 5)), states)
    assert found.joint((0, 1)).tolist() == [[[0.0, 0.0, 0.75], [0.25, 0.0, 0.0]]]
    assert found.joint((1, 0))[0, 2, 0].item() == 0.75
    error = np.std([0.5, 1.0], ddof=1) / np.sqrt(2)
    np.testing.assert_allclose(found.joint_errors((0, 1))[0, 0, 2].item(), np.hypot(error, 1 / 4))  # of four draws
    assert found.joint_errors((0, 1))[0, 1, 1].item() == 0.25  # never seen
