"""Sweeps leave the distribution as it is: against the operator written out from the conditionals of all worlds."""

from dataclasses import replace
from math import exp, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm.approximate.gibbs.exchange import exchanged
from pgm.approximate.gibbs.sweep import Sweeper
from pgm.causes import noisy_or
from pgm.errors import ShapeError
from pgm.fields.blocks import Blocks
from pgm.fields.field import Field, Group, Trains, grid
from pgm.fields.testing import Worlds, random_field, worlds

SEEDS = st.integers(0, 10_000)
ROUTES = pytest.mark.parametrize("compiled", [True, False])


def tempered(found: Worlds, power: float) -> Tensor:
    """The distribution of the first row with factors of two variables or more raised to a power, `[worlds]`."""
    field, logs = found.field, torch.zeros(len(found.states), dtype=torch.float64)
    for v in range(field.variables):
        logs = logs + field.unary[0, field.starts[v] + found.states[:, v]]
    assert field.constant is not None
    around = found.logs[0] - field.constant[0] - logs
    return (logs + torch.where(around.isneginf(), around, power * around)).softmax(0)


def operator(found: Worlds, p: Tensor, order: list[int]) -> Tensor:
    """The matrix of one sweep in that order, `[worlds, worlds]`: each variable from its conditional in `p`."""
    states, whole = found.states, torch.eye(len(p), dtype=torch.float64)
    for v in order:
        others = torch.cat([states[:, :v], states[:, v + 1 :]], 1)
        same = (others[:, None] == others[None]).all(-1).double()  # worlds that differ in v alone
        whole = whole @ ((same * p) / (same @ p)[:, None])
    return whole


def chi_squared(counts: Tensor, p: Tensor) -> tuple[float, float]:
    """The statistic, and what it stays below in all but about one case in 30,000 (normal approximation: 4.5 sigma)."""
    expected = counts.sum() * p
    kept = expected > 5
    pooled = torch.cat([expected[kept], expected[~kept].sum()[None].clamp_min(1e-9)])
    seen = torch.cat([counts[kept], counts[~kept].sum()[None]])
    freedom = int(kept.sum())
    return float(((seen - pooled) ** 2 / pooled)[pooled > 1].sum()), freedom + 4.5 * sqrt(2 * freedom) + 10


def counted(found: Worlds, states: Tensor) -> Tensor:
    """How many of the states `[draws, variables]` are each world."""
    place = torch.zeros(len(states), dtype=torch.long)
    for v, size in enumerate(found.field.sizes.tolist()):
        place = place * size + states[:, v].long()
    return torch.bincount(place, minlength=len(found.states)).double()


@ROUTES
@given(SEEDS, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 1))
@settings(max_examples=5)
def test_one_sweep_is_the_operator_made_of_conditionals(compiled: bool, seed: int, power: float, trains: int) -> None:
    field = random_field(seed, variables=4, trains=trains)
    found, sweeper = worlds(field), Sweeper(field, compiled)
    order = [int(v) for block in Blocks(field).all for v in block.variables]
    p = tempered(found, power)
    whole = operator(found, p, list(range(4)) if compiled else order)
    torch.testing.assert_close(p @ whole, p, atol=1e-12, rtol=0)  # it is left as it is
    generator, begin = torch.Generator().manual_seed(seed), int(p.argmin())
    states = found.states[begin].expand(1, 20_000, 4)
    moved = sweeper.sweep(states, 1, power, generator=generator)
    statistic, bound = chi_squared(counted(found, moved[0]), whole[begin])
    assert statistic < bound


@ROUTES
@given(SEEDS)
@settings(max_examples=5)
def test_sums_are_conditionals_before_each_draw(compiled: bool, seed: int) -> None:
    """With one variable free to move, the conditional is its marginal given the others, sweep after sweep."""
    field = random_field(seed, variables=4, rows=2, trains=1)
    unary, last = field.unary.clone(), int(field.starts[3])
    for start in field.starts[:3].tolist():
        unary[:, start + 1 :] = torch.where(
            torch.arange(start + 1, unary.shape[1]) < last, -torch.inf, unary[:, start + 1 :]
        )
        unary[:, start] = 0.0
    pinned = replace(field, unary=unary)
    tally = Sweeper(pinned, compiled).tallied(torch.zeros(2, 3, 4), 5, generator=torch.Generator().manual_seed(seed))
    expected = 5 * worlds(pinned).marginals
    torch.testing.assert_close(tally.sums, expected[:, None].expand_as(tally.sums), atol=1e-12, rtol=0)
    torch.testing.assert_close(tally.squares, (expected**2 / 5)[:, None].expand_as(tally.sums), atol=1e-12, rtol=0)


def star() -> Field:
    """A hub of four states with fourteen spins around it: too many to look its conditional up."""
    generator = torch.Generator().manual_seed(0)
    scopes = torch.stack([torch.zeros(14, dtype=torch.long), torch.arange(1, 15)], 1)
    logs = torch.randn(1, 14, 4, 2, generator=generator, dtype=torch.float64)
    return Field(torch.tensor([4] + [2] * 14), torch.zeros(1, 32).double(), (Group(scopes, logs),))


@given(SEEDS, st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 0.3]))
@settings(max_examples=8)
def test_looked_up_conditionals_draw_what_products_draw(seed: int, power: float, zeros: float) -> None:
    """The same random numbers lead both compiled routes the same way; 70 chains are more than go side by side."""
    fields = (random_field(seed, variables=5, rows=2, zeros=zeros, strength=3.0), star())
    for field in fields:
        sweeper, begin = Sweeper(field), torch.zeros(field.rows, 70, field.variables, dtype=torch.int16)
        powers = torch.full((70,), power, dtype=torch.float64)
        generators = [torch.Generator().manual_seed(seed) for _ in range(2)]
        ahead = sweeper._by_look_up(begin, 6, power, generators[0], True, range(0))
        slow = sweeper._step_by_step(begin, 6, powers, generators[1], True, range(0))
        assert torch.equal(ahead.states, slow.states)
        torch.testing.assert_close(ahead.sums, slow.sums, atol=1e-12, rtol=1e-9)
        torch.testing.assert_close(ahead.squares, slow.squares, atol=1e-12, rtol=1e-9)
        assert not bool(begin.any())  # what was given stays as it is


@ROUTES
def test_states_are_kept_where_they_are_asked_for(compiled: bool) -> None:
    """After sweeps 2, 5 and 8 of nine: as often as the field says (independent sites), and those after the last."""
    field = grid(torch.randn(4, 4, 3, generator=torch.Generator().manual_seed(0)).double(), torch.zeros(3, 3).double())
    sweeper, generator = Sweeper(field, compiled), torch.Generator().manual_seed(1)
    found = sweeper.tallied(torch.zeros(1, 5000, 16), 9, range(2, 10, 3), generator=generator)
    assert found.kept.shape == (1, 5000, 3, 16)
    p = field.unary.reshape(16, 3).softmax(-1)
    for time in range(3):
        share = (found.kept[0, :, time] == 0).double().mean(0)
        assert bool(((share - p[:, 0]).abs() < 5 * (p[:, 0] * (1 - p[:, 0]) / 5000).sqrt()).all())
    last = sweeper.tallied(found.states, 3, range(1, 4), generator=generator)
    assert torch.equal(last.kept[:, :, -1], last.states)
    assert not torch.equal(last.kept[:, :, 0], last.states)
    assert sweeper.tallied(found.states, 2, generator=generator).kept.shape == (1, 5000, 0, 16)


@given(SEEDS)
@settings(max_examples=20)
def test_coupling_is_what_single_states_leave_over(seed: int) -> None:
    field = random_field(seed, variables=5, rows=2, zeros=0.2, trains=1)
    states = torch.stack([torch.randint(0, int(size), (2, 7)) for size in field.sizes], -1)
    assert field.constant is not None
    single = field.unary.gather(1, (states + field.starts[:-1]).flatten(1)).reshape(states.shape).sum(-1)
    expected = field.log_weight(states) - single - field.constant[:, None]
    for compiled in (True, False):
        torch.testing.assert_close(Sweeper(field, compiled).coupling(states), expected, atol=1e-10, rtol=0)


@ROUTES
def test_wide_trains_in_any_order(compiled: bool) -> None:
    """Forty causes of a noisy or in an order that is not theirs; off, so that the causes stay independent."""
    generator = torch.Generator().manual_seed(0)
    strengths = torch.rand(40, generator=generator, dtype=torch.float64)
    cores = [core[None, None] for core in noisy_or(strengths, torch.tensor(0.1, dtype=torch.float64))]
    scope = torch.randperm(41, generator=generator)[None]
    child = int(scope[0, -1])
    unary = torch.zeros(1, 82, dtype=torch.float64)
    unary[0, 2 * child + 1] = -torch.inf
    field = Field(torch.full((41,), 2), unary, (), (Trains(scope, tuple(cores)),))
    sweeper = Sweeper(field, compiled)
    tally = sweeper.tallied(torch.zeros(1, 3, 41), 2, generator=generator)
    expected = (1 - strengths) / (2 - strengths)  # p(cause on | child off), of prior 1/2
    on = (tally.sums / 2).reshape(1, 3, 41, 2)[..., scope[0, :-1], 1]
    torch.testing.assert_close(on, expected.expand_as(on), atol=1e-12, rtol=0)


@ROUTES
def test_impossible_states_are_not_entered_and_stuck_ones_stay(compiled: bool) -> None:
    never = torch.full((2, 2), -torch.inf, dtype=torch.float64)
    equal = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]], dtype=torch.float64)
    scopes = torch.tensor([[0, 1], [2, 3]])
    field = Field(torch.full((4,), 2), torch.zeros(1, 8).double(), (Group(scopes, torch.stack([equal, never])[None]),))
    states = torch.tensor([[[1, 1, 0, 1]]])
    generator = torch.Generator().manual_seed(0)
    for power in (0.0, 1.0):
        moved = Sweeper(field, compiled).sweep(states, 20, power, generator=generator)
        assert moved.tolist() == states.tolist()


@ROUTES
def test_numbers_beyond_the_floats_are_weighed_in_logarithms(compiled: bool) -> None:
    """Weights of e^-5000 and e^-5001: the ratio of the two is all that matters."""
    logs = torch.tensor([[-5000.0, 0.0], [-5001.0, -1e9]], dtype=torch.float64)
    unary = torch.tensor([[0.0, 0.0, 0.0, -torch.inf]], dtype=torch.float64)  # never in the state of weight 1
    field = Field(torch.tensor([2, 2]), unary, (Group(torch.tensor([[0, 1]]), logs[None, None]),))
    tally = Sweeper(field, compiled).tallied(torch.zeros(1, 1, 2), 10, generator=torch.Generator().manual_seed(0))
    assert float(tally.sums[0, 0, 0]) / 10 == pytest.approx(1 / (1 + exp(-1)))


@ROUTES
def test_seeds_reproduce_and_powers_belong_to_chains(compiled: bool) -> None:
    field = random_field(1, variables=5, rows=2)
    sweeper, begin = Sweeper(field, compiled), torch.zeros(2, 4000, 5)
    first, again, other = (sweeper.sweep(begin, 5, generator=torch.Generator().manual_seed(seed)) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    powers = torch.tensor([0.0, 1.0]).repeat(2000)
    mixed = sweeper.sweep(begin, 30, powers, generator=torch.Generator().manual_seed(0))
    found = worlds(field)
    for power in (0, 1):
        statistic, bound = chi_squared(counted(found, mixed[0, power::2]), tempered(found, power))
        assert statistic < bound


@given(SEEDS, st.integers(0, 1))
@settings(max_examples=8)
def test_swaps_leave_each_power_its_distribution(seed: int, odd: int) -> None:
    """Exact draws at each of three powers, swapped once, against the same three distributions."""
    field, chains = random_field(seed, variables=4, trains=1), 20_000
    found, generator = worlds(field), torch.Generator().manual_seed(seed)
    powers = torch.tensor([1.0, 0.6, 0.2], dtype=torch.float64)
    drawn = [torch.multinomial(tempered(found, float(power)), chains, True, generator=generator) for power in powers]
    states = found.states[torch.cat(drawn)][None].to(torch.int16)
    swapped, accepted = exchanged(Sweeper(field), states, powers, odd, generator)
    assert 0 < float(accepted) <= 1
    for level, power in enumerate(powers.tolist()):
        statistic, bound = chi_squared(
            counted(found, swapped[0, level * chains : (level + 1) * chains]), tempered(found, power)
        )
        assert statistic < bound


def test_a_grid_of_independent_sites() -> None:
    """Without coupling a sweep draws each site from its own weights: 90,000 draws, five standard errors."""
    logits = torch.randn(30, 30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sweeper = Sweeper(grid(logits, torch.zeros(3, 3).double()))
    generator = torch.Generator().manual_seed(1)
    states = sweeper.sweep(torch.zeros(1, 100, 900), 1, generator=generator)
    p = logits.softmax(-1)[..., 0].mean()
    spread = (logits.softmax(-1)[..., 0] * (1 - logits.softmax(-1)[..., 0])).sum().sqrt() / 900 / 10
    assert abs((states == 0).double().mean() - p) < 5 * spread


def test_states_that_do_not_fit_are_refused() -> None:
    sweeper = Sweeper(random_field(0, variables=5))
    with pytest.raises(
        ShapeError, match=r"Sweeper: states have shape \(1, 2, 4\), expected \[rows, chains, variables\]"
    ):
        sweeper.sweep(torch.zeros(1, 2, 4), generator=torch.Generator())


@pytest.mark.gpu
def test_torch_sweeps_work_where_the_field_is() -> None:
    field = random_field(2, variables=4, trains=1)
    generator = torch.Generator("cuda").manual_seed(0)
    sweeper = Sweeper(field.to("cuda"))
    tally = sweeper.tallied(sweeper.start(20_000, generator), 200, generator=generator)
    means = tally.sums.cpu()[0] / 200
    error = means.std(0) / sqrt(len(means))
    assert ((means.mean(0) - worlds(field).marginals[0]).abs() < 6 * error + 1e-9).all()
