"""The equations of message passing in torch, against enumeration, and laws that hold for any messages."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm.approximate.messages.passing import Passing, soft_maximum
from pgm.errors import PlanError, ShapeError
from pgm.fields.carried import written
from pgm.fields.field import Field, Group, grid
from pgm.fields.testing import Worlds, random_field, worlds

seeds = st.integers(0, 10_000)


def settled(passing: Passing, steps: int, damping: float = 0.0) -> Tensor:
    messages = passing.start()
    for _ in range(steps):
        messages = passing.step(messages, damping)
    return messages


def tempered(field: Field, temperature: float) -> Worlds:
    all_ = worlds(field)
    return replace(all_, logs=all_.logs / temperature)


def random_messages(passing: Passing, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(passing.start().shape, generator=generator, dtype=torch.float64)


@given(seeds, st.sampled_from([1.0, 0.5, 2.0]))
@settings(max_examples=9)
def test_trees_are_exact_after_as_many_steps_as_they_are_long(seed: int, temperature: float) -> None:
    field = random_field(seed, rows=2, tree=True, zeros=0.3)
    passing, all_ = Passing(field, temperature), tempered(field, temperature)
    messages = settled(passing, field.factors + 1)  # a path has at most as many factors as there are
    assert passing.residual(messages, passing.step(messages)).max() < 1e-12
    torch.testing.assert_close(passing.marginals(messages), all_.marginals)
    torch.testing.assert_close(passing.log_partition(messages), temperature * all_.log_z)
    scope = field.groups[-1].scopes[0].tolist()
    for asked in (scope, scope[::-1], scope[:2]):
        torch.testing.assert_close(passing.joint(messages, asked), all_.joint(tuple(asked)))


@given(seeds)
@settings(max_examples=30)
def test_temperature_zero_finds_the_greatest_weights_on_trees(seed: int) -> None:
    field = random_field(seed, rows=2, tree=True, zeros=0.3)
    passing, all_ = Passing(field, 0.0), worlds(field)
    messages = settled(passing, field.factors + 1)
    torch.testing.assert_close(passing.log_partition(messages), all_.logs.amax(1))
    for v in range(field.variables):
        low, high = field.starts[v], field.starts[v + 1]
        expected = torch.stack([all_.logs[:, all_.states[:, v] == s].amax(1) for s in range(high - low)], 1)
        beliefs = passing.beliefs(messages)[:, low:high]
        found = beliefs - beliefs.amax(1, keepdim=True)
        torch.testing.assert_close(found, expected - expected.amax(1, keepdim=True))


@given(seeds, st.booleans())
@settings(max_examples=30)
def test_messages_move_weight_around_without_changing_it(seed: int, powers: bool) -> None:
    field = random_field(seed, rows=2)
    chosen = torch.linspace(0.4, 1.3, field.factors, dtype=torch.float64) if powers else None
    passing = Passing(field, powers=chosen)
    messages, all_ = random_messages(passing, seed), worlds(field)
    beliefs = passing.beliefs(messages)
    places = field.starts[:-1] + all_.states  # [worlds, variables]
    total = field.constant[:, None] + beliefs[:, places].sum(-1)
    first = 0
    for group, tables in zip(field.groups, passing.factor_beliefs(messages), strict=True):
        for number, scope in enumerate(group.scopes):
            power = 1.0 if chosen is None else chosen[first]
            at = tables[(slice(None), number, *all_.states[:, scope].T)]
            total = total + power * (at - beliefs[:, places[:, scope]].sum(-1))
            first += 1
    torch.testing.assert_close(total, all_.logs)


@given(seeds)
@settings(max_examples=4)
def test_the_partition_is_energy_plus_entropy_at_a_fixed_point(seed: int) -> None:
    field = random_field(seed, 4, rows=2, zeros=0.15, strength=0.5)
    powers = torch.linspace(0.8, 1.0, field.factors, dtype=torch.float64)
    passing = Passing(field, 2.0, powers)
    messages = settled(passing, 150, 0.5)
    assert passing.residual(messages, passing.step(messages)).max() < 1e-9
    total, counts, first = field.constant.clone(), torch.ones(field.variables, dtype=torch.float64), 0
    for group, tables in zip(field.groups, passing.factor_beliefs(messages), strict=True):
        for number, scope in enumerate(group.scopes):
            logs = tables[:, number] / 2.0
            belief = logs.flatten(1).softmax(1).reshape(logs.shape)
            table = group.logs[:, number if group.logs.shape[1] > 1 else 0]
            weight = torch.where(belief > 0, belief * table, 0.0)
            total += (weight - 2.0 * powers[first] * torch.xlogy(belief, belief)).flatten(1).sum(1)
            counts[scope] -= powers[first]
            first += 1
    beliefs = passing.marginals(messages)
    entropies = torch.stack(
        [-torch.xlogy(b, b).sum(1) for b in beliefs.split(field.sizes.tolist(), 1)], 1
    )  # [rows, variables]
    total += (beliefs * field.unary).sum(1) + 2.0 * (entropies * counts).sum(1)
    torch.testing.assert_close(passing.log_partition(messages), total, atol=1e-6, rtol=0)


@given(seeds)
@settings(max_examples=5)
def test_wide_factors_say_what_their_tables_do(seed: int) -> None:
    field = random_field(seed, rows=2, zeros=0.2, trains=2)
    groups = (*field.groups, *map(written, field.trains))
    wide, tables = Passing(field), Passing(replace(field, groups=groups, trains=()))
    messages, others = settled(wide, 8, 0.3), settled(tables, 8, 0.3)
    torch.testing.assert_close(messages, others)
    torch.testing.assert_close(wide.log_partition(messages), tables.log_partition(others))
    for scope in ([3, 1], [0, 5, 2], [4, 2]):
        torch.testing.assert_close(wide.joint(messages, scope), tables.joint(others, scope))


@given(seeds)
@settings(max_examples=5)
def test_rows_do_not_meet(seed: int) -> None:
    field = random_field(seed, rows=3, zeros=0.2, trains=1)
    together = Passing(field)
    messages = settled(together, 5, 0.2)
    for row in range(3):
        alone = Passing(field.row(row))
        found = settled(alone, 5, 0.2)
        torch.testing.assert_close(messages[row : row + 1], found)
        torch.testing.assert_close(together.log_partition(messages)[row : row + 1], alone.log_partition(found))


def test_what_is_impossible_everywhere_has_no_weight() -> None:
    never = torch.tensor([[0.0, -torch.inf], [-torch.inf, -torch.inf]])
    clash = torch.tensor([[-torch.inf, -torch.inf], [-torch.inf, 0.0]])
    pairs = Group(torch.tensor([[0, 1], [0, 1]]), torch.stack([never, clash])[None])
    passing = Passing(Field(torch.tensor([2, 2]), torch.zeros(1, 4), (pairs,)))
    assert passing.log_partition(settled(passing, 3)).tolist() == [-torch.inf]


def test_soft_maxima_lie_between_sums_and_maxima() -> None:
    logs = torch.tensor([[0.3, -1.0, 2.0], [-torch.inf, -torch.inf, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(soft_maximum(logs, 1.0)[:, 0], logs.logsumexp(1))
    torch.testing.assert_close(soft_maximum(logs, 1e-3)[:, 0], soft_maximum(logs, 0.0)[:, 0])
    blocked = torch.full((3,), -torch.inf, requires_grad=True)
    soft_maximum(blocked, 1.0).exp().sum().backward()
    assert blocked.grad.tolist() == [0.0, 0.0, 0.0]


def test_what_does_not_fit_is_refused() -> None:
    field = random_field(0, trains=1)
    with pytest.raises(PlanError, match="Passing: Trains.* is wide, which needs temperature 1"):
        Passing(field, 0.0)
    with pytest.raises(ShapeError, match=r"Passing: powers have shape \(1,\)"):
        Passing(field, powers=torch.ones(1))
    passing = Passing(grid(torch.zeros(2, 2, 2), torch.zeros(2, 2)))
    with pytest.raises(PlanError, match=r"no factor has all of the variables numbered \(0, 3\)"):
        passing.joint(passing.start(), [0, 3])
