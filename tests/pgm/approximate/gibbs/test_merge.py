"""Clusters against the fields they were made from, world by world."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.approximate.gibbs.merge import merged
from pgm.fields.field import Field, Group
from pgm.fields.testing import random_field, worlds

SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.sampled_from([0.3, 0.6]), st.booleans())
@settings(max_examples=25)
def test_clusters_have_the_same_possible_worlds_and_weights(seed: int, zeros: float, tree: bool) -> None:
    field = random_field(seed, variables=6, rows=2, zeros=zeros, tree=tree)
    found = merged(field)
    ours, plain = worlds(found.field), worlds(field)
    torch.testing.assert_close(ours.log_z, plain.log_z)
    back = found.states(ours.states)
    assert len(back.unique(dim=0)) == len(back)
    torch.testing.assert_close(field.log_weight(back.expand(2, -1, -1)), ours.logs)
    torch.testing.assert_close(found.probabilities(ours.marginals), plain.marginals)


@given(SEEDS)
@settings(max_examples=10)
def test_without_zeros_nothing_is_merged(seed: int) -> None:
    field = random_field(seed, variables=6, rows=2, trains=1)
    found = merged(field)
    assert found.field is field
    p = worlds(field).marginals
    assert torch.equal(found.probabilities(p), p)
    states = worlds(field).states
    assert torch.equal(found.states(states), states)


def test_ties_are_followed_as_far_as_clusters_stay_small() -> None:
    """Twenty bits that must all be equal are one of two states; twenty that a logical or ties in a chain are not."""
    equal = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]]).double()
    pairs = torch.tensor([[i, i + 1] for i in range(8)])
    field = Field(torch.full((9,), 2), torch.zeros(1, 18).double(), (Group(pairs, equal[None, None]),))
    assert merged(field).field.sizes.tolist() == [2]
    either = torch.full((2, 2, 2), -torch.inf).double()
    for a in range(2):
        for b in range(2):
            either[a, b, a | b] = 0.0
    triples = torch.tensor([[2 * i, 2 * i + 1, 2 * i + 2] for i in range(9)])
    chain = Field(torch.full((19,), 2), torch.zeros(1, 38).double(), (Group(triples, either[None, None]),))
    sizes = merged(chain).field.sizes
    assert 2 < len(sizes) < 19
    assert int(sizes.max()) <= 16
