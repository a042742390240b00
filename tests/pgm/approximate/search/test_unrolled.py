"""Wide factors as small tables, by enumeration and through models."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, Cardinality, Field, MarkovNetwork, NoisyOr, Parity, Table, Tabular, Variable
from pgm.approximate.search.unrolled import one_path, too_wide, unrolled
from pgm.errors import PlanError
from pgm.evidence import read_evidence
from pgm.fields.build import reduced
from pgm.fields.testing import random_field, worlds
from pgm.model import Model


def field_of(model: Model, widest: int = 1) -> Field:
    evidence = read_evidence(model.graph, {}, None)
    with torch.no_grad():
        return reduced(model, evidence.hard, evidence.soft, 1, widest=widest).field


def best_by_world(field: Field, whole: Field) -> torch.Tensor:
    """The maximum over the added variables for each joint state of the others, `[rows, worlds]`."""
    all_ = worlds(whole)
    place = torch.zeros(len(all_.states), dtype=torch.long)
    for v, size in enumerate(field.sizes.tolist()):
        place = place * size + all_.states[:, v]
    start = torch.full((field.rows, int(field.sizes.prod())), -torch.inf, dtype=field.dtype)
    return start.scatter_reduce(1, place.expand(field.rows, -1), all_.logs, "amax")


@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=20)
def test_the_best_of_what_is_carried_is_the_factor(seed: int, rows: int) -> None:
    field = random_field(seed, variables=4, rows=rows, zeros=0.2, trains=1)
    whole = unrolled(field, "test")
    assert not whole.trains
    torch.testing.assert_close(best_by_world(field, whole), worlds(field).logs)


@pytest.mark.parametrize("weights", [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.2, 0.5, 0.1, 0.9]])
def test_counts_and_checks_are_chains(weights: list[float]) -> None:
    xs = [Variable(f"x{k}") for k in range(4)]
    field = field_of(MarkovNetwork(Cardinality(xs, weights), Parity(xs[:3], odd=True), Table(xs[:1], [0.3, 0.7])))
    whole = unrolled(field, "test")
    assert max(len(group.sizes) for group in whole.groups) == 3
    torch.testing.assert_close(best_by_world(field, whole), worlds(field).logs)


def noisy(causes: int) -> BayesianNetwork:
    xs = [Variable(f"x{k}") for k in range(causes)]
    roots = [Tabular(x, [], [0.6, 0.4]) for x in xs]
    return BayesianNetwork(*roots, NoisyOr(Variable("on"), xs, np.linspace(0.1, 0.9, causes), leak=0.01))


def test_a_noisy_or_becomes_one_table() -> None:
    field = field_of(noisy(5))
    assert not one_path(field.trains[0])
    whole = unrolled(field, "test")
    assert whole.variables == field.variables
    torch.testing.assert_close(worlds(whole).logs, worlds(field).logs)


def test_a_noisy_or_of_too_many_causes_is_refused() -> None:
    field = field_of(noisy(30))
    assert too_wide(field)
    with pytest.raises(
        PlanError, match=r"test: a noisy or, noisy max or the like of x0, x1, .* would be a table of 2\^31"
    ):
        unrolled(field, "test")
