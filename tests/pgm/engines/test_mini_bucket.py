"""Bounds hold in every random field and model, and meet where nothing has to be cut apart."""

from math import inf

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Cardinality,
    Field,
    MarkovNetwork,
    MiniBucket,
    NoisyOr,
    Table,
    Tabular,
    Variable,
    grid,
    infer,
    log_evidence,
    mpe,
)
from pgm.approximate.buckets.scheme import largest, scheme_of
from pgm.approximate.buckets.tables import tables_of
from pgm.errors import EvidenceError, PlanError
from pgm.fields.testing import random_field, worlds
from pgm.testing import brute_posterior, random_case

ROUNDING = 1e-9
QUIET = {"progress": False}


def bounds(field, **options) -> tuple[torch.Tensor, torch.Tensor]:
    said = MiniBucket(**options, **QUIET).solve(field).diagnostics
    return torch.as_tensor(said["log_evidence_lower"]), torch.as_tensor(said["log_evidence_upper"])


@given(st.integers(0, 10_000), st.integers(0, 4), st.sampled_from([0.0, 0.3]), st.integers(0, 1), st.booleans())
@settings(max_examples=9)
def test_the_sum_over_all_worlds_is_between_the_bounds(seed, i_bound, zeros, trains, matching) -> None:
    field = random_field(seed, 6, rows=2, zeros=zeros, trains=trains)
    lower, upper = bounds(field, i_bound=i_bound, iterations=2, moment_matching=matching)
    expected = worlds(field).log_z
    assert (lower <= expected + ROUNDING).all()
    assert (expected <= upper + ROUNDING).all()


@given(st.integers(0, 10_000), st.integers(0, 4))
@settings(max_examples=10)
def test_without_zeros_the_lower_bound_is_a_number(seed: int, i_bound: int) -> None:
    lower, _ = bounds(random_field(seed, 7, strength=3.0), i_bound=i_bound, iterations=1)
    assert lower.item() > -inf


def test_negative_weights_do_not_run_away() -> None:
    """Steps along their gradient doubled the weights of this field, pass by pass, until they were no numbers."""
    field = random_field(3, 4, strength=3.0, zeros=0.15)
    lower, upper = bounds(field, i_bound=1, iterations=15)
    assert lower <= worlds(field).log_z <= upper


def test_a_field_without_variables_is_its_constant() -> None:
    field = Field(torch.zeros(0, dtype=torch.long), torch.zeros(2, 0), (), (), torch.tensor([1.5, -inf]))
    assert MiniBucket().solve(field).log_evidence.tolist() == [1.5, -inf]
    assert MiniBucket().search(field).bound.tolist() == [1.5, -inf]


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]))
@settings(max_examples=13)
def test_everything_is_exact_at_full_width(seed: int, zeros: float) -> None:
    field = random_field(seed, 7, rows=2, zeros=zeros, trains=1)
    expected, found = worlds(field), MiniBucket(i_bound=30, **QUIET).solve(field)
    torch.testing.assert_close(found.marginals, expected.marginals)
    torch.testing.assert_close(found.log_evidence, expected.log_z)
    assert torch.equal(found.diagnostics["log_evidence_lower"], found.diagnostics["log_evidence_upper"])


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_trees_are_exact_with_messages_of_one_variable(seed: int) -> None:
    field = random_field(seed, 7, tree=True)
    lower, upper = bounds(field, i_bound=2)
    torch.testing.assert_close(lower, worlds(field).log_z)
    torch.testing.assert_close(lower, upper)


@given(st.integers(0, 10_000))
@settings(max_examples=4)
def test_more_passes_never_loosen_bounds(seed: int) -> None:
    field = random_field(seed, 7, strength=2.0)
    loose, tight = bounds(field, i_bound=2, iterations=0), bounds(field, i_bound=2, iterations=4)
    assert (loose[0] <= tight[0] + ROUNDING).all()
    assert (tight[1] <= loose[1] + ROUNDING).all()


@given(st.integers(0, 10_000), st.integers(0, 4), st.sampled_from([0.0, 0.3]), st.integers(0, 1))
@settings(max_examples=9)
def test_no_world_weighs_more_than_the_bound_of_the_maximum(seed, i_bound, zeros, trains) -> None:
    field = random_field(seed, 7, rows=2, zeros=zeros, trains=trains)
    best, found = worlds(field).logs.amax(1), MiniBucket(i_bound=i_bound, iterations=3, **QUIET).search(field)
    assert (best <= found.bound + ROUNDING).all()
    assert (field.log_weight(found.states[:, None]).squeeze(1) <= best + ROUNDING).all()


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]))
@settings(max_examples=20)
def test_the_best_world_is_found_at_full_width(seed: int, zeros: float) -> None:
    field = random_field(seed, 7, rows=2, zeros=zeros)
    best, found = worlds(field).logs.amax(1), MiniBucket(i_bound=30, **QUIET).search(field)
    torch.testing.assert_close(found.bound, best)
    torch.testing.assert_close(field.log_weight(found.states[:, None]).squeeze(1), best)


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]), st.integers(0, 3))
@settings(max_examples=9)
def test_probabilities_are_inside_their_intervals(seed: int, kind: str, i_bound: int) -> None:
    model, seen, likelihood = random_case(seed, kind)
    engine = MiniBucket(i_bound=i_bound, iterations=2, intervals=100, **QUIET)
    post = infer(model, given=seen, likelihood=likelihood, engine=engine)
    for name in model.graph.names:
        low, high = post.diagnostics["bounds"][name].unbind(-1)
        exact = torch.as_tensor(brute_posterior(model, [name], given=seen, likelihood=likelihood))
        for value in (exact, post[name]):
            assert (low - ROUNDING <= value).all()
            assert (value <= high + ROUNDING).all()


def ring(count: int = 6) -> MarkovNetwork:
    names = [Variable(f"x{k}", 2) for k in range(count)]
    pairs = zip(names, names[1:] + names[:1], strict=True)
    return MarkovNetwork(*(Table(pair, [[3, 1], [1, 2]]) for pair in pairs), Table(names[:1], [1, 4]))


def test_rows_with_holes_are_the_rows_alone() -> None:
    rows = {"x0": ["1", None, "0"], "x3": [None, "0", "1"]}
    engine = MiniBucket(i_bound=1, **QUIET)
    together = infer(ring(), ["x1", ("x2", "x4"), "x3"], given=rows, engine=engine)
    for row in range(3):
        seen = {name: labels[row] for name, labels in rows.items()}
        alone = infer(ring(), ["x1", ("x2", "x4"), "x3"], given=seen, engine=engine)
        for name in ("x1", "x3", ("x2", "x4")):
            torch.testing.assert_close(together[name][row], alone[name])
            torch.testing.assert_close(together.diagnostics["bounds"][name][row], alone.diagnostics["bounds"][name])
    assert together.diagnostics["bounds"]["x2", "x4"].shape == (3, 2, 2, 2)


def test_beliefs_stand_in_where_many_states_are_asked_for() -> None:
    beliefs = infer(ring(), engine=MiniBucket(i_bound=9, intervals=0, **QUIET))
    for name in ring().graph.names:
        torch.testing.assert_close(beliefs[name], infer(ring(), [name])[name])
    assert "bounds" not in beliefs.diagnostics
    with pytest.raises(PlanError, match="raise intervals"):
        infer(ring(), [("x0", "x1")], engine=MiniBucket(intervals=0))


def test_a_noisy_or_of_forty_causes_needs_no_table_of_them() -> None:
    causes = [Variable(f"c{k}", 2) for k in range(40)]
    fever = Variable("fever", 2)
    net = BayesianNetwork(*(Tabular(c, [], [0.9, 0.1]) for c in causes), NoisyOr(fever, causes, [0.5] * 40, leak=0.1))
    expected = 1 - 0.9 * (1 - 0.1 * 0.5) ** 40
    found = log_evidence(net, given={"fever": "1"}, engine=MiniBucket(i_bound=2, **QUIET))
    assert found.exp().item() == pytest.approx(expected, abs=1e-12)


def test_zeros_leave_a_lower_bound_by_holding_variables() -> None:
    """Exactly one of nine on in each row and column of a table: the lower bound of Hoelder's inequality is 0."""
    sites = [[Variable(f"{r}{c}", 2) for c in range(3)] for r in range(3)]
    lines = [*sites, *map(list, zip(*sites, strict=True))]
    model = MarkovNetwork(*(Cardinality(line, [0.0, 1.0, 0.0]) for line in lines))
    post = infer(model, [], engine=MiniBucket(i_bound=2, **QUIET))
    lower, upper = (post.diagnostics[f"log_evidence_{side}"] for side in ("lower", "upper"))
    assert 0.0 - ROUNDING <= lower <= torch.tensor(6.0).log().item() <= upper  # there are 3! permutations


def test_impossible_evidence_is_an_error() -> None:
    a, b = Variable("a"), Variable("b")
    net = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], [[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(EvidenceError, match="MiniBucket: the evidence {'b': '1'} has probability 0"):
        infer(net, ["a"], given={"b": "1"}, engine=MiniBucket())
    with pytest.raises(EvidenceError, match="probability 0"):
        mpe(net, given={"b": "1"}, engine=MiniBucket())
    post = infer(net, ["a"], given={"b": ["0", "1"]}, engine=MiniBucket(), impossible="nan")
    assert post["a"].isnan().any(-1).tolist() == [False, True]


def test_memory_bounds_what_is_held() -> None:
    tables = tables_of(grid(torch.zeros(8, 8, 2), torch.eye(2)))
    for numbers in (2e3, 2e4, 2e5):
        scheme = largest(tables.sizes, tables.scopes, numbers)
        assert scheme.numbers <= numbers
    assert scheme.exact  # 8 x 8 sites need tables of 2^9 numbers or so


def test_every_table_and_every_message_is_in_one_bucket() -> None:
    tables = tables_of(grid(torch.zeros(5, 5, 2), torch.eye(2)))
    scheme = scheme_of(tables.sizes, tables.scopes, lambda scope: len(scope) <= 3)
    used = sorted(source for mini in scheme.minis for source in mini.sources)
    messages = [scheme.tables + m for m, mini in enumerate(scheme.minis) if len(mini.scope) > 1]
    assert used == [*range(len(tables.scopes)), *messages]
    assert scheme.i_bound == 2


def test_single_precision_agrees_with_double() -> None:
    field = random_field(3, 7, trains=1)
    double, single = bounds(field, i_bound=2), bounds(field.to(dtype=torch.float32), i_bound=2)
    torch.testing.assert_close([each.double() for each in single], list(double), rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
def test_another_device_gives_the_same_bounds() -> None:
    field = random_field(3, 7, rows=2, zeros=0.2, trains=1)
    there = bounds(field.to("cuda"), i_bound=2)
    torch.testing.assert_close([each.cpu() for each in there], list(bounds(field, i_bound=2)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"i_bound": -1}, "MiniBucket: i_bound is -1, expected 0 or more."),
        ({"memory": 0.0}, "MiniBucket: memory is 0.0 bytes, expected a positive number."),
        ({"iterations": -1}, "MiniBucket: iterations is -1 and intervals 64, expected 0 or more."),
        ({"dtype": torch.int64}, "MiniBucket: dtype is torch.int64, expected torch.float64 or torch.float32."),
    ],
)
def test_options_that_are_none_are_refused(options: dict, text: str) -> None:
    with pytest.raises(PlanError) as error:
        MiniBucket(**options)
    assert str(error.value) == text
