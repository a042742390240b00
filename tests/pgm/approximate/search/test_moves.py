"""Moves of single variables, against the weights of whole joint states."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import Field
from pgm.approximate.search.moves import BlocksMoves, CompiledMoves, Moves, climb, moves_of
from pgm.approximate.search.outcome import random_states
from pgm.approximate.search.softened import softened
from pgm.fields.testing import random_field, worlds

MOVES = {"compiled": CompiledMoves, "blocks": BlocksMoves}


def start(field: Field, seed: int, draws: int = 4) -> torch.Tensor:
    return random_states(field, draws, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("form", MOVES)
@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=10)
def test_greedy_moves_never_lower_a_weight(form: str, seed: int, rows: int) -> None:
    field = random_field(seed, rows=rows, zeros=0.2)
    moves: Moves = MOVES[form](softened(field), 0)
    states = start(field, seed)
    for _ in range(4):
        found = moves.visit(states)
        assert bool((field.log_weight(found) >= field.log_weight(states) - 1e-12).all())
        states = found


@given(st.integers(0, 10_000), st.integers(0, 1))
@settings(max_examples=9)
def test_a_climb_ends_where_no_single_variable_gains(seed: int, trains: int) -> None:
    field = random_field(seed, variables=5, trains=trains)
    states = climb(moves_of(field), start(field, seed))
    weight = field.log_weight(states)
    for v, size in enumerate(field.sizes.tolist()):
        for state in range(size):
            other = states.clone()
            other[:, :, v] = state
            assert bool((field.log_weight(other) <= weight + 1e-12).all())


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_possible_worlds_weigh_the_same_softened_and_others_less(seed: int) -> None:
    field = random_field(seed, variables=5, zeros=0.3)
    hard, soft = worlds(field).logs, worlds(softened(field)).logs
    possible = ~hard.isneginf()
    torch.testing.assert_close(soft[possible], hard[possible])
    assert bool(soft.isfinite().all())


@pytest.mark.parametrize("form", MOVES)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_fixed_temperature_draws_from_the_tempered_field(form: str, temperature: float) -> None:
    """20 sweeps from anywhere mix a field of 4 weakly linked variables. The share of a state in 10,000 independent
    draws has a standard error of 0.005 at most; with 30 shares in all, five of those is a bound that fails less than
    once in 50,000 times."""
    field = random_field(2, variables=4, strength=0.5)
    moves: Moves = MOVES[form](field, 1)
    states = start(field, 0, 10_000)
    for _ in range(20):
        states = moves.visit(states, temperature)
    all_ = worlds(field)
    for v, size in enumerate(field.sizes.tolist()):
        share = torch.stack([(states[0, :, v] == s).double().mean() for s in range(size)])
        weights = (all_.logs[0] / temperature).softmax(0)
        expected = torch.stack([weights[all_.states[:, v] == s].sum() for s in range(size)])
        torch.testing.assert_close(share, expected, atol=5 * 0.005, rtol=0)
