"""Where chains start: possible states, found or proved not to be there."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.approximate.gibbs.start import begun, consistent, deterministic
from pgm.approximate.gibbs.sweep import Sweeper
from pgm.causes import noisy_or
from pgm.fields.field import Field, Group, Trains
from pgm.fields.testing import random_field, worlds

SEEDS = st.integers(0, 10_000)


@given(SEEDS)
@settings(max_examples=40)
def test_on_trees_the_states_left_are_those_of_positive_probability(seed: int) -> None:
    field = random_field(seed, variables=6, rows=2, zeros=0.5, tree=True)
    assert torch.equal(consistent(field).unary > -torch.inf, worlds(field).marginals > 0)


@given(SEEDS)
@settings(max_examples=14)
def test_elsewhere_no_possible_state_is_lost(seed: int) -> None:
    field = random_field(seed, variables=6, rows=2, zeros=0.5, trains=1)
    left = consistent(field).unary
    assert bool((left > -torch.inf)[worlds(field).marginals > 0].all())
    torch.testing.assert_close(worlds(consistent(field)).log_z, worlds(field).log_z)


@given(SEEDS, st.sampled_from([0.0, 0.05]))
@settings(max_examples=30)
def test_zeros_of_tables_are_seen(seed: int, zeros: float) -> None:
    field = random_field(seed, rows=2, zeros=zeros)
    expected = torch.stack([torch.isneginf(worlds(field.row(r)).logs).any() for r in range(2)])
    assert torch.equal(deterministic(field), expected)


def test_zeros_of_trains_are_seen() -> None:
    for leak, strength in ((0.1, 0.5), (0.0, 0.5), (0.1, 1.0)):
        cores = noisy_or(torch.full((3,), strength).double(), torch.tensor(leak).double())
        train = Trains(torch.arange(4)[None], tuple(core[None, None] for core in cores))
        field = Field(torch.full((4,), 2), torch.zeros(1, 8).double(), (), (train,))
        assert bool(deterministic(field)) == bool(torch.isneginf(worlds(field).logs).any())


@given(SEEDS)
@settings(max_examples=10)
def test_starts_are_possible_where_anything_is(seed: int) -> None:
    """Half of all table entries are impossible, and 16 chains look for what is left."""
    field = consistent(random_field(seed, variables=7, rows=3, zeros=0.5, trains=1))
    states, possible = begun(Sweeper(field), 16, torch.Generator().manual_seed(seed))
    assert bool(possible.all())
    assert bool(torch.isfinite(field.log_weight(states)).all())


def test_a_map_of_thirty_countries_is_coloured() -> None:
    """A triangulated strip, each country beside the two before it, in three colours: 6 of 3^30 states are possible."""
    differ = torch.zeros(3, 3).double().fill_diagonal_(-torch.inf)
    scopes = torch.tensor([[a, b] for b in range(30) for a in (b - 2, b - 1) if a >= 0])
    field = Field(torch.full((30,), 3), torch.zeros(1, 90).double(), (Group(scopes, differ[None, None]),))
    states, possible = begun(Sweeper(field), 64, torch.Generator().manual_seed(0))
    assert bool(possible)
    assert bool((states[0][:, scopes[:, 0]] != states[0][:, scopes[:, 1]]).all())


def test_what_cannot_be_is_not_claimed_to_be_possible() -> None:
    """Three that all differ in two colours: every pair is possible, and all three are not."""
    differ = torch.zeros(2, 2).double().fill_diagonal_(-torch.inf)
    scopes = torch.tensor([[0, 1], [1, 2], [0, 2]])
    field = Field(torch.full((3,), 2), torch.zeros(2, 6).double(), (Group(scopes, differ[None, None]),))
    assert torch.equal(consistent(field).unary, field.unary)
    assert begun(Sweeper(field), 8, torch.Generator().manual_seed(0))[1].tolist() == [False, False]
