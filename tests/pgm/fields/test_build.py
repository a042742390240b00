"""Fields made from models weigh every joint state as the model does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, Cardinality, MarkovNetwork, Model, NoisyMax, NoisyOr, Parity, Table, Tabular, Variable
from pgm.errors import PlanError
from pgm.evidence import read_evidence
from pgm.fields.build import reduced
from pgm.fields.field import Field, grid
from pgm.fields.testing import random_field, worlds
from pgm.testing import brute_log_z, brute_posterior, random_case


def field_of(model: Model, seen: dict, likelihood: dict | None = None, widest: int = 64) -> Field:
    evidence = read_evidence(model.graph, seen, likelihood)
    return reduced(model, evidence.hard, evidence.soft, evidence.rows, widest=widest).field


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=43)
def test_a_field_sums_to_the_evidence_of_its_model(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    expected = brute_log_z(model, given=seen, likelihood=likelihood)
    found = worlds(field_of(model, seen, likelihood)).log_z
    assert found.item() == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=60)
def test_dropping_what_is_barren_keeps_the_evidence(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    evidence = read_evidence(model.graph, seen, likelihood)
    found = worlds(reduced(model, evidence.hard, evidence.soft, 1, wanted=[]).field).log_z
    assert found.item() == pytest.approx(brute_log_z(model, given=seen, likelihood=likelihood), abs=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_rows_of_evidence_are_fields_side_by_side(seed: int) -> None:
    model, seen, _ = random_case(seed, "chain")
    rows = {name: [label, model[name].states[0]] for name, label in seen.items()}
    both = field_of(model, rows)
    for row in range(both.rows):
        alone = {name: labels[row] for name, labels in rows.items()}
        expected = worlds(field_of(model, alone)).log_z
        torch.testing.assert_close(worlds(both).log_z[row : row + 1], expected)
        torch.testing.assert_close(worlds(both.row(row)).log_z, expected)


def causes(parents: int) -> BayesianNetwork:
    """A noisy or and a noisy max of the same parents, whose tables are small enough to check."""
    rng = np.random.default_rng(0)
    given_ = [Variable(f"x{k}") for k in range(parents)]
    roots = [Tabular(x, [], [0.7, 0.3]) for x in given_]
    on, level = Variable("on"), Variable("level", ["none", "some", "much"])
    either = NoisyOr(on, given_, rng.uniform(0, 1, parents), leak=0.05)
    effects = rng.dirichlet(np.ones(3), (parents, 2))
    return BayesianNetwork(*roots, either, NoisyMax(level, given_, effects, leak=[0.8, 0.2, 0.0]))


@pytest.mark.parametrize("seen", [{}, {"on": "1"}, {"on": "1", "x0": "1", "x3": "0"}, {"level": "some", "x4": "0"}])
def test_trains_weigh_what_the_tables_do(seen: dict[str, str]) -> None:
    model = causes(5)
    wide, tables = field_of(model, seen, widest=1), field_of(model, seen, widest=10_000)
    assert wide.trains
    assert not tables.trains
    torch.testing.assert_close(worlds(wide).logs, worlds(tables).logs)
    assert worlds(wide).log_z.item() == pytest.approx(brute_log_z(model, given=seen), abs=1e-12)


def test_counts_and_checks_let_through_what_they_should() -> None:
    xs = [Variable(f"x{k}") for k in range(5)]
    weights = torch.rand(5, 2, dtype=torch.float64) + 0.1
    model = MarkovNetwork(
        *(Table([x], w) for x, w in zip(xs, weights, strict=True)),
        Parity(xs[:4], odd=True),
        Cardinality(xs, [0.0, 2.0, 0.5]),
    )
    on = torch.cartesian_prod(*[torch.arange(2)] * 5)
    allowed = (on[:, :4].sum(1) % 2 == 1) * torch.tensor([0.0, 2.0, 0.5, 0.5, 0.5, 0.5])[on.sum(1)]
    products = torch.stack([weights[k][on[:, k]] for k in range(5)], 1).prod(1)
    expected = (products * allowed).sum().log().item()
    for widest in (1, 64):
        assert worlds(field_of(model, {}, widest=widest)).log_z.item() == pytest.approx(expected, abs=1e-12)
    posterior = brute_posterior(model, ["x4"])
    found = worlds(field_of(model, {}, widest=1)).joint((4,))[0]
    np.testing.assert_allclose(found.detach().numpy(), posterior, atol=1e-12)


def test_five_hundred_causes_need_no_table() -> None:
    model = causes(500)
    field = field_of(model, {"on": "1", "level": "much"})
    states = torch.zeros(1, 500, dtype=torch.long)
    states[0, :40] = 1
    labels = {f"x{k}": states[0, k] for k in range(500)}
    expected = model.log_prob({**labels, "on": torch.tensor(1), "level": torch.tensor(2)})
    assert field.log_weight(states).item() == pytest.approx(expected.item(), abs=1e-9)
    with pytest.raises(PlanError, match="500 variables|entries"):
        field_of(model, {}, widest=2**600)


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=40)
def test_log_weight_is_the_sum_of_all_factors(seed: int, rows: int) -> None:
    field = random_field(seed, rows=rows, zeros=0.2, trains=1)
    everything = worlds(field)
    found = field.log_weight(everything.states.expand(rows, -1, -1))
    torch.testing.assert_close(found, everything.logs)


def test_a_torus_has_two_links_a_site() -> None:
    pair = torch.tensor([[0.3, 0.0], [0.0, 0.3]])
    assert grid(torch.zeros(5, 4, 2), pair, wrap=True).factors == 40
    assert grid(torch.zeros(5, 4, 2), pair).factors == 5 * 3 + 4 * 4
    each = pair.expand(2, 5, 4, 2, 2)
    torch.testing.assert_close(
        worlds(grid(torch.zeros(3, 3, 2), pair, wrap=True)).log_z,
        worlds(grid(torch.zeros(3, 3, 2), each[:, :3, :3], wrap=True)).log_z,
    )


def test_a_field_of_a_model_knows_its_names() -> None:
    field = field_of(causes(3), {"x1": ["0", "1"]})
    assert field.names == ("x0", "x2", "on", "level")
    assert field.row(1).names == field.to("cpu").names == field.names


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_thousands_of_observed_causes_leave_is_not_lost(dtype: torch.dtype) -> None:
    """Of 1500 causes that are on, each fails with probability 1/2: their effect is absent with probability 2^-1500."""
    model = causes_of(1500)
    seen = {f"x{k}": 1 for k in range(1, 1499)} | {"y": 0}
    evidence = read_evidence(model.graph, seen, None)
    found = worlds(reduced(model, evidence.hard, evidence.soft, 1, dtype=dtype).field)
    # the two that are left are off, or on and failed
    expected = -2 * 1498 * np.log(2) + 2 * np.log(0.5 + 0.25)
    assert found.log_z.item() == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(found.marginals.detach(), torch.tensor([[2, 1, 2, 1]]).to(dtype) / 3)


def causes_of(count: int) -> Model:
    xs = [Variable(f"x{k}") for k in range(count)]
    roots = [Tabular(x, [], [0.5, 0.5]) for x in xs]
    return BayesianNetwork(*roots, NoisyOr(Variable("y"), xs, [0.5] * count))


def test_tiny_probabilities_survive_in_single_precision() -> None:
    a, b = Variable("a"), Variable("b")
    model = BayesianNetwork(Tabular(a, [], [1 - 1e-300, 1e-300]), Tabular(b, [a], [[1, 0], [0.5, 0.5]]))
    evidence = read_evidence(model.graph, {"b": 1}, None)
    field = reduced(model, evidence.hard, evidence.soft, 1, dtype=torch.float32).field
    assert worlds(field).log_z.item() == pytest.approx(np.log(0.5e-300), rel=1e-6)


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=30)
def test_no_evidence_is_above_its_ceiling(seed: int, kind: str) -> None:
    """Likelihoods here have entries up to 3, so that a directed model's evidence may weigh more than 1."""
    model, seen, likelihood = random_case(seed, kind)
    larger = {name: 3 * torch.as_tensor(vector) for name, vector in likelihood.items()}
    evidence = read_evidence(model.graph, seen, larger)
    found = reduced(model, evidence.hard, evidence.soft, evidence.rows).field
    assert bool((worlds(found).log_z <= found.ceiling + 1e-12).all())
    assert np.isfinite(found.ceiling) >= (kind == "bayesian")
    assert found.to("cpu").ceiling == found.row(0).ceiling == found.ceiling
