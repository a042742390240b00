"""The dual of a field: a bound, sweep for sweep, against enumeration and between its two forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Field, grid
from pgm.approximate.search.dual import BlocksDual, CompiledDual, block_rank
from pgm.approximate.search.unrolled import unrolled
from pgm.fields.testing import random_field, worlds

SLACK = 1e-9  # rounding of sums of some dozens of numbers below a hundred


def drawn(seed: int, rows: int, kind: str) -> Field:
    tables = {"zeros": 0.3}.get(kind, 0.0)
    return random_field(seed, rows=rows, zeros=tables, tree=kind == "tree", trains=int(kind == "trains"))


kinds = st.sampled_from(["plain", "zeros", "tree", "trains"])


@given(st.integers(0, 10_000), st.integers(1, 3), kinds)
@settings(max_examples=40)
def test_the_bound_falls_and_stays_above_the_best(seed: int, rows: int, kind: str) -> None:
    field = drawn(seed, rows, kind)
    best, dual = worlds(field).logs.max(1).values, CompiledDual(unrolled(field, "test"))
    bounds = torch.stack([dual.sweep(step % 2 == 0) for step in range(12)])
    assert bool((bounds >= best - SLACK).all())
    assert bool((bounds[1:] <= bounds[:-1] + SLACK).all())


@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=20)
def test_the_bound_of_a_tree_is_reached(seed: int, rows: int) -> None:
    field = random_field(seed, rows=rows, tree=True)
    best, dual = worlds(field).logs.max(1).values, CompiledDual(field)
    for step in range(60):
        bound = dual.sweep(step % 2 == 0)
    torch.testing.assert_close(bound, best)
    torch.testing.assert_close(field.log_weight(dual.decode(True)), best)


@given(st.integers(0, 10_000), st.integers(1, 2), kinds)
@settings(max_examples=14)
def test_blocks_are_the_compiled_sweeps_in_their_order(seed: int, rows: int, kind: str) -> None:
    field = unrolled(drawn(seed, rows, kind), "test")
    blocks = BlocksDual(field)
    compiled = CompiledDual(field, block_rank(blocks.blocks))
    for step in range(8):
        torch.testing.assert_close(blocks.sweep(step % 2 == 0), compiled.sweep(step % 2 == 0))
    one, other = (field.log_weight(dual.decode(True)) for dual in (blocks, compiled))
    torch.testing.assert_close(one, other)


def test_the_reparametrised_field_weighs_the_same() -> None:
    """The bound by its definition, from the messages: sums of maxima, and what they are taken of cancels."""
    field = random_field(7, variables=5)
    dual = BlocksDual(field)
    for step in range(3):
        bound = dual.sweep(step % 2 == 0)
    unary, groups = field.unary.clone(), []
    for group, messages in zip(field.groups, dual.delta, strict=True):
        logs = group.logs
        for axis, message in enumerate(messages):
            shape = [1] * len(messages)
            shape[axis] = -1
            logs = logs - message.reshape(*message.shape[:2], *shape)
            for factor, v in enumerate(group.scopes[:, axis].tolist()):
                unary[:, field.starts[v] : field.starts[v + 1]] += message[:, factor]
        groups.append(type(group)(group.scopes, logs))
    moved = Field(field.sizes, unary, tuple(groups), (), field.constant)
    torch.testing.assert_close(worlds(moved).logs, worlds(field).logs)
    maxima = sum(g.logs.flatten(2).amax(2).sum(1) for g in groups) + field.constant
    each = [unary[:, a:b].amax(1) for a, b in zip(field.starts[:-1], field.starts[1:], strict=True)]
    torch.testing.assert_close(bound, maxima + sum(each))


def test_no_possible_world_is_a_bound_of_minus_infinity() -> None:
    """Three binary variables on a line, neighbours equal, the ends held at different states."""
    equal = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]], dtype=torch.float64)
    unary = torch.zeros(1, 3, 2, dtype=torch.float64)
    unary[0, 0, 1] = unary[0, 2, 0] = -torch.inf
    for dual in (CompiledDual(grid(unary, equal)), BlocksDual(grid(unary, equal))):
        dual.sweep(True)
        assert bool(dual.sweep(False).isneginf().all())


def test_large_fields_are_swept_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    field = random_field(3, variables=8, rows=2)
    whole = CompiledDual(field)
    expected = [whole.sweep(step % 2 == 0) for step in range(4)]
    monkeypatch.setattr("pgm.approximate.search.tables.AT_ONCE", 30)
    cut = CompiledDual(field)
    assert len(cut._pieces(True)) > 3
    torch.testing.assert_close([cut.sweep(step % 2 == 0) for step in range(4)], expected)


@pytest.mark.gpu
def test_sweeps_work_where_the_field_is() -> None:
    field = random_field(5, rows=2)
    here, there = BlocksDual(field), BlocksDual(field.to("cuda"))
    for step in range(5):
        torch.testing.assert_close(there.sweep(step % 2 == 0).cpu(), here.sweep(step % 2 == 0))
