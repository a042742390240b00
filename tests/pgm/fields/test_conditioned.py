"""Fields with some variables held at a state."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.fields.conditioned import conditioned
from pgm.fields.testing import random_field, worlds


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=30)
def test_only_worlds_with_those_states_keep_their_weight(seed: int, rows: int) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=0.1, trains=1)
    generator = torch.Generator().manual_seed(seed)
    held = (torch.rand(rows, 5, generator=generator) * (field.sizes + 1)).long() - 1
    all_ = worlds(field)
    agrees = ((held[:, None] < 0) | (held[:, None] == all_.states)).all(-1)  # [rows, worlds]
    found = worlds(conditioned(field, held)).logs
    torch.testing.assert_close(found, all_.logs.masked_fill(~agrees, -torch.inf))
