"""Compiled loops against the equations in torch, and schedules against each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.approximate.messages.decode import decoded
from pgm.approximate.messages.passing import Passing
from pgm.approximate.messages.settle import Options, Schedule, settle
from pgm.fields.carried import written
from pgm.fields.field import Field, Group, grid
from pgm.fields.testing import random_field, worlds

seeds = st.integers(0, 10_000)
temperatures = st.sampled_from([1.0, 0.0, 0.5])


def same_way(passing: Passing, damping: float, close: float = 1e-10) -> None:
    """A few steps of both routes from the same messages, residual by residual."""
    few = {"damping": damping, "iterations": 6, "tolerance": 0.0}
    fast, slow = (settle(passing, Options(**few, compiled=compiled)) for compiled in (True, False))
    torch.testing.assert_close(fast.messages, slow.messages, atol=close, rtol=close)
    np.testing.assert_allclose(
        np.nan_to_num(fast.residuals), np.nan_to_num(slow.residuals[: len(fast.residuals)]), atol=close
    )


@given(seeds, temperatures, st.booleans(), st.sampled_from([0.0, 0.5]))
@settings(max_examples=9)
def test_compiled_loops_take_the_steps_of_the_equations(seed: int, temp: float, powers: bool, damping: float) -> None:
    field = random_field(seed, rows=2, zeros=0.2)
    chosen = torch.linspace(0.6, 1.0, field.factors, dtype=torch.float64) if powers else None
    same_way(Passing(field, temp, chosen), damping)


@given(seeds)
@settings(max_examples=5)
def test_compiled_loops_take_the_steps_of_wide_factors(seed: int) -> None:
    same_way(Passing(random_field(seed, variables=4, rows=2, zeros=0.2, trains=2)), 0.3)


@given(seeds, temperatures, st.booleans(), st.booleans())
@settings(max_examples=17)
def test_grids_of_two_states_take_the_steps_of_the_equations(seed: int, temp: float, wrap: bool, shared: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 2) if shared else (2, 4, 3, 2, 2)
    unary, coupling = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((2, 4, 3, 2), shape))
    same_way(Passing(grid(unary, 3 * coupling, wrap), temp), 0.3, 1e-9)


def test_factors_of_one_table_may_have_different_powers() -> None:
    field = grid(torch.randn(1, 3, 3, 2, generator=torch.Generator().manual_seed(1)).double(), torch.eye(2).double())
    same_way(Passing(field, powers=torch.linspace(0.5, 1.0, field.factors, dtype=torch.float64)), 0.3)


def test_weights_beyond_double_precision_are_multiplied_in_logs() -> None:
    """Products down to e^-2400: in linear arithmetic they would all be zero, here no state is lost."""
    field = random_field(7, rows=1, strength=400.0)
    same_way(Passing(field), 0.0, 1e-7)
    tree = random_field(8, tree=True, strength=400.0)
    passing = Passing(tree)
    found = settle(passing, Options(damping=0.0))
    torch.testing.assert_close(passing.log_partition(found.messages), worlds(tree).log_z)
    assert bool(torch.isfinite(found.messages).all())


@given(seeds, st.sampled_from(["parallel", "residual"]), st.sampled_from([10.0, 300.0]), st.sampled_from([0.0, 0.3]))
@settings(max_examples=20)
def test_messages_have_settled_only_when_what_goes_on_far_below_has_too(
    seed: int, schedule: Schedule, strength: float, zeros: float
) -> None:
    """On trees what has settled is exact, also where strong weights oppose one another."""
    field = random_field(seed, variables=6, rows=2, tree=True, strength=strength, zeros=zeros)
    passing, every = Passing(field), worlds(field)
    found = settle(passing, Options(iterations=200, tolerance=1e-9, schedule=schedule))
    assert (found.residual <= 1e-9).all()
    # an error of 1e-9 of the logs, which are of the order of 1e4 nats at most, moves probabilities by 1e-5
    torch.testing.assert_close(passing.marginals(found.messages), every.marginals, atol=1e-5, rtol=0)
    torch.testing.assert_close(passing.log_partition(found.messages), every.log_z)


@given(seeds, st.sampled_from([torch.float64, torch.float32]))
@settings(max_examples=7)
def test_wide_factors_lose_no_state_to_what_opposes_them(seed: int, dtype: torch.dtype) -> None:
    """A count that must be 1 or 2 of variables that would all be off, by e^-800 each: a tree, so exact."""
    field = random_field(seed, variables=5, rows=2, trains=1)
    (soft,) = field.trains
    last = soft.cores[-1].clone()
    last[..., :1, :, :] = 0.0  # none on so far ... [1, 1, left, size, 1]
    opposed = field.unary.reshape(2, -1).index_fill(1, field.starts[1:] - 1, -800.0)
    strong = Field(field.sizes, opposed, (), (replace(soft, cores=(*soft.cores[:-1], last)),), field.constant)
    passing = Passing(strong.to(dtype=dtype))
    every = worlds(strong)
    for compiled in (True, False):
        found = settle(passing, Options(damping=0.0, iterations=5, compiled=compiled))
        close = {"atol": 1e-3, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 1e-9, "rtol": 1e-9}
        torch.testing.assert_close(passing.log_partition(found.messages).double(), every.log_z, **close)
        torch.testing.assert_close(passing.marginals(found.messages).double(), every.marginals, **close)
        torch.testing.assert_close(passing.joint(found.messages, (2, 0)).double(), every.joint((2, 0)), **close)


@pytest.mark.parametrize("lower", [-95.0, -300.0])
def test_tables_beyond_single_precision_lose_no_state(lower: float) -> None:
    """In single precision e^-95 has few digits and e^-300 none; a state that only they allow stays possible."""
    gone = -torch.inf
    tables = torch.tensor([[lower, gone], [0.0, 0.0]]).expand(1, 2, 2, 2)  # variable 0 in state 0 costs this much
    unary = torch.tensor([[0.0, gone, 0.0, 0.0, 0.0, 0.0]])
    field = Field(torch.tensor([2, 2, 2]), unary, (Group(torch.tensor([[0, 1], [0, 2]]), tables),))
    passing = Passing(field)
    found = settle(passing, Options(damping=0.0))
    torch.testing.assert_close(passing.log_partition(found.messages), torch.tensor([2 * lower]))
    torch.testing.assert_close(found.messages, passing.step(found.messages))


@given(seeds)
@settings(max_examples=15)
def test_single_precision_is_near_double_precision(seed: int) -> None:
    field = random_field(seed, rows=2, strength=0.7)
    options = Options(damping=0.3, iterations=10, tolerance=0.0)
    wide, narrow = Passing(field), Passing(field.to(dtype=torch.float32))
    expected, found = settle(wide, options).messages, settle(narrow, options).messages
    # every message is rounded ten times, to 24 bits, and each time its error may grow by what its few neighbours add
    torch.testing.assert_close(found.double().exp(), expected.exp(), atol=1e-4, rtol=0)


def ring(seed: int, length: int = 7, strength: float = 1.0) -> Field:
    """A single loop with random couplings."""
    generator = torch.Generator().manual_seed(seed)
    scopes = torch.tensor([[k, (k + 1) % length] for k in range(length)])
    logs = strength * torch.randn(1, length, 3, 3, generator=generator, dtype=torch.float64)
    unary = torch.randn(2, 3 * length, generator=generator, dtype=torch.float64)
    return Field(torch.full((length,), 3), unary, (Group(scopes, logs),))


def attractive(seed: int) -> Field:
    """A grid of spins that like to agree, in fields of one sign: there is one fixed point."""
    generator = torch.Generator().manual_seed(seed)
    unary = torch.rand(2, 4, 4, 2, generator=generator, dtype=torch.float64)
    unary[..., 0] = 0.0
    return grid(unary, torch.tensor([[0.4, -0.4], [-0.4, 0.4]], dtype=torch.float64))


@pytest.mark.parametrize("make", [ring, attractive])
@given(seeds)
@settings(max_examples=8)
def test_every_schedule_reaches_the_same_fixed_point(make, seed: int) -> None:
    field = make(seed)
    passing, found = Passing(field), []
    for schedule, damping in (("parallel", 0.0), ("parallel", 0.6), ("residual", 0.0), ("residual", 0.3)):
        settled = settle(passing, Options(damping, 3000, 1e-11, schedule))
        assert (settled.residual <= 1e-11).all()
        assert passing.residual(settled.messages, passing.step(settled.messages)).max() < 1e-9
        found.append(passing.marginals(settled.messages))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-8, rtol=0)


@given(seeds)
@settings(max_examples=10)
def test_rows_stop_by_themselves_and_as_they_would_alone(seed: int) -> None:
    field = random_field(seed, rows=3, strength=0.5)
    options = Options(damping=0.2, iterations=300, tolerance=1e-7)
    together = settle(Passing(field), options)
    for row in range(3):
        alone = settle(Passing(field.row(row)), options)
        torch.testing.assert_close(together.messages[row : row + 1], alone.messages)
        assert together.iterations[row] == alone.iterations[0]


def test_a_start_at_the_fixed_point_needs_one_iteration() -> None:
    passing = Passing(attractive(0))
    first = settle(passing, Options(tolerance=1e-8))
    again = settle(passing, Options(tolerance=1e-8), start=first.messages)
    assert first.iterations.min() > 5
    assert again.iterations.tolist() == [1, 1]


def test_the_urgent_schedule_spends_less_where_little_happens() -> None:
    """On a chain whose only information is at one end, one sweep from there is enough."""
    unary = torch.zeros(1, 1, 200, 2, dtype=torch.float64)
    unary[..., 0, 0] = 2.0
    passing = Passing(grid(unary, torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)))
    urgent, parallel = (
        settle(passing, Options(0.0, 1000, 1e-12, schedule)).iterations[0] for schedule in ("residual", "parallel")
    )
    assert urgent <= 4
    assert parallel >= 30


@given(seeds, st.booleans())
@settings(max_examples=25)
def test_decoded_states_of_trees_are_the_best_even_with_ties(seed: int, ties: bool) -> None:
    field = random_field(seed, rows=2, tree=True, zeros=0.2)
    if ties:  # weights of 0, -1, -2 ... tie often
        groups = tuple(Group(g.scopes, g.logs.round()) for g in field.groups)
        field = Field(field.sizes, 0.0 * field.unary, groups, (), field.constant)
    passing = Passing(field, 0.0)
    states, bound = decoded(passing, settle(passing, Options(damping=0.0)).messages)
    best = worlds(field).logs.amax(1)
    torch.testing.assert_close(field.log_weight(states[:, None])[:, 0], best)
    torch.testing.assert_close(bound, best)


@given(seeds, st.integers(0, 6), st.booleans())
@settings(max_examples=25)
def test_the_bound_holds_for_any_messages(seed: int, steps: int, powers: bool) -> None:
    wide = random_field(seed, variables=4, rows=2, zeros=0.15, trains=1)
    field = replace(wide, groups=(*wide.groups, *map(written, wide.trains)), trains=())
    chosen = torch.linspace(0.6, 1.0, field.factors, dtype=torch.float64) if powers else None
    passing = Passing(field, 0.0, chosen)
    messages = settle(passing, Options(0.2, steps, 0.0)).messages if steps else passing.start()
    states, bound = decoded(passing, messages)
    best = worlds(field).logs.amax(1)
    assert (bound >= best - 1e-9).all()
    assert (field.log_weight(states[:, None])[:, 0] <= best + 1e-9).all()


@pytest.mark.parametrize("schedule", ["parallel", "residual"])
def test_a_field_without_factors_is_settled_at_once(schedule) -> None:
    field = Field(torch.tensor([2, 3]), torch.arange(5.0, dtype=torch.float64)[None])
    passing = Passing(field)
    settled = settle(passing, Options(schedule=schedule))
    assert settled.iterations.tolist() == [1]
    torch.testing.assert_close(passing.log_partition(settled.messages), worlds(field).log_z)
    assert decoded(passing, settled.messages)[0].tolist() == [[1, 2]]


@pytest.mark.gpu
def test_messages_settle_on_a_gpu_where_they_do_on_the_cpu() -> None:
    field = random_field(3, rows=2, zeros=0.1, trains=1, strength=0.5)
    here, there = settle(Passing(field), Options()), settle(Passing(field.to("cuda")), Options())
    assert here.iterations.tolist() == there.iterations.tolist()
    torch.testing.assert_close(there.messages.cpu(), here.messages)
