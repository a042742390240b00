"""Wide factors as chains and as tables, against the sum over all joint states of what they replace."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.fields.carried import carried, written
from pgm.fields.field import Trains
from pgm.fields.testing import random_field, worlds


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_trains_as_chains_sum_to_the_same(seed: int) -> None:
    field = random_field(seed, variables=3, rows=2, trains=1)
    wider, _ = carried(field)
    torch.testing.assert_close(worlds(wider).log_z, worlds(field).log_z)
    kept = field.unary.shape[1]
    torch.testing.assert_close(worlds(wider).marginals[:, :kept], worlds(field).marginals)


def test_a_field_without_trains_stays_as_it_is() -> None:
    field = random_field(0)
    assert carried(field)[0] is field


def test_tables_of_factors_whose_numbers_multiply_beyond_all_floats() -> None:
    """The outer product of six vectors c (1, 2) has entries c^6 2^k, with k of them in their second state."""
    for scale in (1e-100, 1e100):
        core = scale * torch.tensor([1.0, 2.0], dtype=torch.float64).reshape(1, 1, 1, 2, 1)
        logs = written(Trains(torch.arange(6)[None], (core,) * 6)).logs[0, 0]
        ones = torch.cartesian_prod(*[torch.arange(2.0, dtype=torch.float64)] * 6).sum(1).reshape([2] * 6)
        torch.testing.assert_close(
            logs, 6 * torch.tensor(scale, dtype=torch.float64).log() + ones * torch.log(torch.tensor(2.0))
        )
