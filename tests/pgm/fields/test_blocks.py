"""Blocks of independent variables, and their distribution given all others."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.fields.blocks import Blocks, colour
from pgm.fields.field import grid
from pgm.fields.testing import random_field


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_no_factor_has_two_variables_of_one_colour(seed: int) -> None:
    field = random_field(seed, variables=8)
    colours = colour(field)
    for part in field.parts:
        for scope in part.scopes.tolist():
            assert len({int(colours[v]) for v in scope}) == len(scope)
    assert sorted(torch.cat([block.variables for block in Blocks(field).all]).tolist()) == list(range(8))


@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=14)
def test_logits_are_weights_of_all_states_of_one_variable(seed: int, rows: int) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=0.1, trains=1)
    states = torch.stack([torch.randint(0, int(size), (rows, 4)) for size in field.sizes], -1)
    blocks = Blocks(field)
    for block in blocks.all:
        found = blocks.logits(block, states)
        for slot, v in enumerate(block.variables.tolist()):
            weights = []
            for state in range(block.size):
                changed = states.clone()
                changed[:, :, v] = state
                weights.append(field.log_weight(changed))
            expected = torch.stack(weights, -1)  # [rows, draws, size]
            possible = ~expected.isneginf().all(-1)
            torch.testing.assert_close(
                found[:, :, slot][possible].softmax(-1), expected[possible].softmax(-1), atol=1e-12, rtol=0
            )


def test_a_million_sites_have_two_colours() -> None:
    field = grid(torch.zeros(1000, 1000, 2), torch.zeros(2, 2))
    assert [len(block.variables) for block in Blocks(field).all] == [500_000, 500_000]


def test_tempering_weakens_the_factors_alone() -> None:
    field = random_field(3, variables=5)
    blocks, states = Blocks(field), torch.zeros(1, 3, 5, dtype=torch.long)
    for block in blocks.all:
        full, none = blocks.logits(block, states), blocks.logits(block, states, 0.0)
        places = field.starts[block.variables][:, None] + torch.arange(block.size)
        torch.testing.assert_close(none, field.unary[:, places].unsqueeze(1).expand_as(none))
        power = torch.tensor([0.0, 0.5, 1.0])
        each = blocks.logits(block, states, power)
        torch.testing.assert_close(each[:, 1], (full + none)[:, 1] / 2)
        torch.testing.assert_close(each[:, 2], full[:, 2])


@pytest.mark.gpu
def test_blocks_work_where_the_field_is() -> None:
    field = random_field(5, trains=1)
    there = field.to("cuda")
    states = torch.zeros(1, 2, field.variables, dtype=torch.long)
    for block, same in zip(Blocks(field).all, Blocks(there).all, strict=True):
        expected = Blocks(field).logits(block, states)
        torch.testing.assert_close(Blocks(there).logits(same, states.cuda()).cpu(), expected)
