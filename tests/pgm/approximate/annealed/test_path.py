"""The way between independent variables and a field, against enumeration."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm.approximate.annealed.base import rebased, softened
from pgm.approximate.annealed.dense import dense
from pgm.approximate.annealed.estimate import log_mean, weighted
from pgm.approximate.annealed.exactly import exact_states, network
from pgm.approximate.annealed.path import Tempered
from pgm.ask import log_evidence
from pgm.fields.blocks import Blocks
from pgm.fields.field import Field, Group, grid
from pgm.fields.testing import random_field, worlds
from pgm.trains import expanded

seeds = st.integers(0, 10_000)


@given(seeds, st.integers(1, 2), st.integers(0, 1))
@settings(max_examples=9)
def test_another_base_leaves_the_field_as_it_is(seed: int, rows: int, trains: int) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=0.1, trains=trains)
    base = torch.randn(rows, field.unary.shape[1], dtype=torch.float64)
    moved = rebased(field, base)
    torch.testing.assert_close(worlds(moved).logs, worlds(field).logs)
    linked = torch.cat([part.scopes.flatten() for part in field.parts]).unique()
    for v in linked.tolist():
        places = slice(int(field.starts[v]), int(field.starts[v + 1]))
        torch.testing.assert_close(moved.unary[:, places], base[:, places])


def test_impossible_states_and_lone_variables_keep_their_weights() -> None:
    pair = Group(torch.tensor([[0, 1]]), torch.zeros(1, 1, 2, 2))
    field = Field(torch.tensor([2, 2, 2]), torch.tensor([[-torch.inf, 1.0, 2.0, 3.0, 4.0, 5.0]]), (pair,))
    expected = torch.tensor([[-torch.inf, 0.0, 0.0, 0.0, 4.0, 5.0]])
    torch.testing.assert_close(rebased(field, torch.zeros(1, 6)).unary, expected)


@given(seeds, st.integers(1, 2))
@settings(max_examples=25)
def test_impossible_entries_of_tables_become_improbable(seed: int, rows: int) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=0.3)
    for before, after in zip(field.groups, softened(field).groups, strict=True):
        possible = ~before.logs.isneginf()
        assert (after.logs[possible] == before.logs[possible]).all()
        assert after.logs.isfinite().all()
        assert (after.logs[~possible] < before.logs[possible].min() - 10).all()


@given(seeds)
@settings(max_examples=25)
def test_wide_factors_gain_a_small_constant(seed: int) -> None:
    field = random_field(seed, variables=5, trains=1)
    before, after = (
        expanded([core[0, 0] for core in trains.cores]) for trains in (*field.trains, *softened(field).trains)
    )
    more = after - before
    assert (more > 0).all()
    torch.testing.assert_close(more, more.max().expand_as(more), rtol=1e-3, atol=0)
    assert more.max() < 1e-6 * before.max()


def test_what_forbids_nothing_stays_itself() -> None:
    field = random_field(1)
    assert softened(field) is field


@given(seeds)
@settings(max_examples=9)
def test_matrices_say_what_look_ups_say(seed: int) -> None:
    field = complete(seed)
    blocks = Blocks(field)
    states = torch.stack([torch.randint(int(size), (1, 7)) for size in field.sizes], -1)
    for block in blocks.all:
        places = field.starts[block.variables][:, None] + torch.arange(block.size)
        found = dense(field, block)
        assert found is not None
        around = found.around(states).unflatten(2, (-1, block.size))
        torch.testing.assert_close(around + field.unary[:, places].unsqueeze(1), blocks.logits(block, states))


def complete(seed: int) -> Field:
    """A bipartite field with all pairs of three variables of two states and two of three."""
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3, 5))
    logs = torch.randn(1, 6, 2, 3, generator=generator, dtype=torch.float64)
    unary = torch.randn(1, 12, generator=generator, dtype=torch.float64)
    return Field(torch.tensor([2, 2, 2, 3, 3]), unary, (Group(pairs, logs),))


@pytest.mark.parametrize(
    "field", [random_field(2, rows=2), random_field(1, trains=1), grid(torch.zeros(40, 40, 2), torch.zeros(2, 2))]
)
def test_zeros_rows_wide_factors_and_sparse_fields_are_looked_up(field: Field) -> None:
    assert dense(field, Blocks(field).all[0]) is None


def summed(field: Field, power: float, path: Tempered) -> Tensor:
    """The log of the sum over what is summed out, at each world of the rest `[rows, worlds]`, one by one."""
    all_ = worlds(field)
    unary = worlds(Field(field.sizes, field.unary, (), (), field.constant)).logs
    logs = unary + power * (all_.logs - unary)
    kept = all_.states[:, ~path._summed]
    same = (kept[:, None] == kept).all(-1)  # [worlds, worlds]
    others = torch.where(path._summed.repeat_interleave(field.sizes), 0.0, field.unary)
    single = worlds(Field(field.sizes, others, (), (), field.constant)).logs
    return torch.where(same, logs[:, None], -torch.inf).logsumexp(-1) - single


@given(seeds, st.integers(0, 1), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=25)
def test_weights_sum_variables_out(seed: int, trains: int, power: float) -> None:
    field = random_field(seed, variables=4, rows=2, trains=trains)
    path = Tempered(field)
    found = path.log_weight(worlds(field).states.expand(2, -1, -1), power)
    torch.testing.assert_close(found, summed(field, power, path))


def test_weights_of_dense_fields_sum_variables_out() -> None:
    field = complete(3)
    path = Tempered(field)
    assert path._summed.tolist() == [True, True, True, False, False]
    found = path.log_weight(worlds(field).states[None], 0.7)
    torch.testing.assert_close(found, summed(field, 0.7, path))


@pytest.mark.parametrize("field", [complete(4), random_field(4, variables=5, trains=1)], ids=["dense", "sparse"])
def test_a_move_keeps_the_tempered_distribution(field: Field) -> None:
    """Chi-squared of 20,000 chains, that start from it, after one move: its mean is its degrees of freedom."""
    power, generator = 0.6, torch.Generator().manual_seed(1)
    all_ = worlds(field)
    unary = worlds(Field(field.sizes, field.unary, (), (), field.constant)).logs
    p = (unary + power * (all_.logs - unary))[0].softmax(0)
    start = all_.states[p.multinomial(20_000, True, generator=generator)][None]
    states, gained = Tempered(field).moved(start, power, power, generator)
    assert (gained == 0).all()
    place = (states[0][:, None] == all_.states).all(-1).double().argmax(1)
    counts = torch.bincount(place, minlength=len(p)).double()
    common = p > 5 / 20_000
    statistic = ((counts - 20_000 * p) ** 2 / (20_000 * p))[common].sum()
    freedom = int(common.sum()) - 1
    assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


@given(seeds)
@settings(max_examples=10)
def test_a_field_is_a_model_of_the_same_sum(seed: int) -> None:
    """Up to the peaks of its tables, which a network divides by."""
    field = random_field(seed, variables=4, zeros=0.2, trains=1)
    logs = [part.logs.amax(dim=tuple(range(2, part.logs.dim()))).expand(1, len(part)).sum() for part in field.groups]
    wide = [worlds(Field(field.sizes, 0 * field.unary, (), field.trains)).logs.amax()]
    alone = [unary.amax() for unary in field.unary[0].split(field.sizes.tolist())]
    assert field.constant is not None
    peaks = sum([*logs, *wide, *alone]) + field.constant[0]
    assert (log_evidence(network(field)) + peaks).item() == pytest.approx(worlds(field).log_z.item())


def test_fields_too_large_for_exact_samples_have_none() -> None:
    assert exact_states(grid(torch.zeros(40, 40, 2), torch.zeros(2, 2)), 2, [0], 0) is None
    assert exact_states(grid(torch.zeros(30, 30, 3), torch.zeros(3, 3)), 2, [0], 0) is None


def test_one_chain_with_all_the_weight_knows_no_error() -> None:
    shares = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 - 1e-12, 1e-12, 0.0]], dtype=torch.float64)
    seen = torch.tensor([[[1.0], [0.0], [torch.nan]]], dtype=torch.float64).expand(3, -1, -1)
    mean, error = weighted(shares, seen)
    torch.testing.assert_close(mean.flatten(), torch.tensor([1.0, 0.5, 1.0], dtype=torch.float64))
    torch.testing.assert_close(error[1:].flatten(), torch.tensor([0.5, 0.5**0.5]).double(), rtol=1e-3, atol=0)


def test_the_mean_of_weights_and_its_error_by_hand() -> None:
    """Weights 1 and 3: mean 2, standard deviation of the mean 1, so 1/2 of the logarithm; (1 + 3)^2 / (1 + 9)."""
    found = log_mean(torch.tensor([[1.0, 3.0], [0.0, 0.0]], dtype=torch.float64).log())
    assert found.log.exp().tolist() == pytest.approx([2.0, 0.0])
    assert found.error[0].item() == pytest.approx(0.5)
    assert found.effective.tolist() == pytest.approx([1.6, 0.0])
