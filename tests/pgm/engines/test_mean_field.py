"""Mean field: bounds from below, exact inside clusters, against enumeration and exact inference."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, MarkovNetwork, Table, Tabular, Variable, infer, log_evidence
from pgm.engines.mean_field import MeanField
from pgm.errors import ConvergenceWarning, EvidenceError, GraphError, PlanError
from pgm.fields.answers import Solved
from pgm.fields.field import Field, Group, grid
from pgm.fields.testing import random_field, worlds

pytestmark = pytest.mark.filterwarnings("ignore:MeanField")
SLACK = 1e-9  # rounding, in nats
CUT = [[0, 1, 2], [3, 4]]
ALL = [[0, 1, 2, 3, 4, 5]]
ISING = torch.tensor([[0.1, 0.0], [0.0, 0.1]])[None, None]
ZEROS = st.sampled_from([0.0, 0.15])


def bounds_of(found: Solved) -> torch.Tensor:
    return torch.tensor(found.diagnostics["log_evidence_lower"], dtype=torch.float64)


@given(st.integers(0, 10_000), ZEROS, st.integers(0, 1), st.sampled_from([[], CUT, ALL]))
@settings(max_examples=4)
def test_the_evidence_is_a_lower_bound(seed: int, zeros: float, trains: int, clusters: list) -> None:
    field = random_field(seed, rows=2, zeros=zeros, trains=trains)
    found = MeanField(clusters, restarts=2, iterations=30).solve(field)
    bound = bounds_of(found)
    assert bool((bound <= worlds(field).log_z + SLACK).all())
    torch.testing.assert_close(found.log_evidence[~bound.isneginf()], bound[~bound.isneginf()])


@given(st.integers(0, 10_000), ZEROS)
@settings(max_examples=6)
def test_the_bound_is_that_of_the_product_of_its_marginals(seed: int, zeros: float) -> None:
    field = random_field(seed, rows=2, zeros=zeros)
    found, everything = MeanField(iterations=5).solve(field), worlds(field)
    q = torch.ones(2, len(everything.states), dtype=torch.float64)
    for v in range(field.variables):
        q = q * found.marginals[:, field.starts[v] + everything.states[:, v]]
    each = torch.where(q > 0, q * (everything.logs - q.clamp_min(1e-300).log()), 0.0)
    torch.testing.assert_close(bounds_of(found), each.sum(1))


@given(st.integers(0, 10_000), ZEROS, st.integers(0, 1), st.sampled_from([[], CUT]))
@settings(max_examples=4)
def test_no_sweep_lowers_the_bound(seed: int, zeros: float, trains: int, clusters: list) -> None:
    field = random_field(seed, rows=2, zeros=zeros, trains=trains, strength=2.0)
    found = MeanField(clusters, restarts=1).solve(field)
    history = torch.tensor(found.diagnostics["history"], dtype=torch.float64)
    assert bool((history[:, 1:] >= history[:, :-1] - SLACK).all())


@given(st.integers(0, 10_000), ZEROS)
@settings(max_examples=4)
def test_clusters_never_loosen_the_bound(seed: int, zeros: float) -> None:
    field = random_field(seed, rows=2, zeros=zeros)
    plain, cut = MeanField().solve(field), MeanField(CUT).solve(field)
    bounds = [bounds_of(each) for each in (plain, cut)]
    assert bool((bounds[1] >= bounds[0] - SLACK).all())


@given(st.integers(0, 10_000), ZEROS, st.integers(0, 1))
@settings(max_examples=4)
def test_one_cluster_of_everything_is_exact(seed: int, zeros: float, trains: int) -> None:
    field = random_field(seed, rows=2, zeros=zeros, trains=trains)
    found, everything = MeanField(ALL).solve(field), worlds(field)
    torch.testing.assert_close(found.log_evidence, everything.log_z)
    torch.testing.assert_close(found.marginals, everything.marginals, atol=1e-9, rtol=0)
    torch.testing.assert_close(found.joint((4, 1)), everything.joint((4, 1)), atol=1e-9, rtol=0)


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_independent_variables_are_exact(seed: int) -> None:
    field = Field(torch.tensor([2, 3]), torch.randn(2, 5, generator=torch.Generator().manual_seed(seed)).double())
    found, everything = MeanField().solve(field), worlds(field)
    torch.testing.assert_close(found.log_evidence, everything.log_z)
    torch.testing.assert_close(found.marginals, everything.marginals)


def test_an_ising_grid_solves_the_mean_field_equations() -> None:
    generator, coupling = torch.Generator().manual_seed(1), 0.3
    push = torch.randn(3, 3, generator=generator).double()
    pair = coupling * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()
    found = MeanField(tolerance=1e-12).solve(grid(torch.stack([-push, push], -1), pair))
    mean = found.marginals.reshape(3, 3, 2) @ torch.tensor([-1.0, 1.0]).double()
    wide = torch.nn.functional.pad(mean, (1, 1, 1, 1))
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    torch.testing.assert_close(mean, torch.tanh(push + coupling * around))


def test_random_starts_break_a_symmetry() -> None:
    pair = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).double()
    field = grid(torch.zeros(4, 4, 2).double(), pair)
    even, broken = MeanField(restarts=1).solve(field), MeanField(restarts=4).solve(field)
    torch.testing.assert_close(even.marginals, torch.full((1, 32), 0.5).double())
    assert broken.log_evidence.item() > even.log_evidence.item() + 1
    assert broken.log_evidence.item() < 24 * 2 + math.log(2) + 1


def test_rows_of_a_grid_as_chains_come_near_the_exact_sum() -> None:
    names = [[f"{i},{j}" for j in range(10)] for i in range(10)]
    x = {name: Variable(name) for row in names for name in row}
    rng = torch.Generator().manual_seed(2)
    pairs = [(names[i][j], names[i][j + 1]) for i in range(10) for j in range(9)]
    pairs += [(names[i][j], names[i + 1][j]) for i in range(9) for j in range(10)]
    terms = [Table([x[a], x[b]], torch.randn(2, 2, generator=rng).mul(0.5).exp()) for a, b in pairs]
    model = MarkovNetwork(*terms)
    exact = log_evidence(model).item()
    plain = infer(model, ["0,0"], engine=MeanField()).log_evidence.item()
    chains = infer(model, [("0,0", "0,1")], engine=MeanField(names))
    assert plain < chains.log_evidence.item() < exact
    expected = infer(model, [("0,0", "0,1")])["0,0", "0,1"]
    torch.testing.assert_close(chains["0,0", "0,1"], expected, atol=0.05, rtol=0)


@given(st.integers(0, 10_000), st.sampled_from([[], CUT]))
@settings(max_examples=2)
def test_rows_are_what_each_is_alone(seed: int, clusters: list) -> None:
    field = random_field(seed, rows=3, zeros=0.1)
    engine = MeanField(clusters, tolerance=1e-10)
    together = engine.solve(field)
    for row in range(3):
        alone = engine.solve(field.row(row))
        torch.testing.assert_close(together.log_evidence[row], alone.log_evidence[0], equal_nan=True)
        torch.testing.assert_close(together.marginals[row], alone.marginals[0], atol=1e-6, rtol=0)


def test_a_field_without_variables_is_its_constant() -> None:
    field = Field(torch.zeros(0, dtype=torch.long), torch.zeros(2, 0), (), (), torch.tensor([1.5, -2.0]))
    assert MeanField().solve(field).log_evidence.tolist() == [1.5, -2.0]


def coins() -> MarkovNetwork:
    a, b, c = Variable("a"), Variable("b"), Variable("c", 3)
    return MarkovNetwork(Table([a, b], [[3, 1], [1, 2]]), Table([b, c], [[3, 1, 1], [1, 2, 4]]), Table([a], [1, 2]))


def test_clusters_are_named_and_what_is_observed_drops_out() -> None:
    engine = MeanField([["a", "b", "c"]])
    for seen in ({}, {"b": "1"}, {"b": ["1", None], "c": ["2", "0"]}):
        found, expected = (
            infer(coins(), [("a", "c"), "b"], given=seen, engine=engine),
            infer(coins(), [("a", "c"), "b"], given=seen),
        )
        torch.testing.assert_close(found["a", "c"], expected["a", "c"])
        torch.testing.assert_close(found.log_evidence, expected.log_evidence)


def test_a_joint_of_independent_variables_is_refused_by_name() -> None:
    with pytest.raises(PlanError, match="MeanField: 'a', 'c' are independent here.*one cluster"):
        infer(coins(), [("a", "c")], engine=MeanField([["a", "b"]]))


def test_options_that_do_not_fit_are_named() -> None:
    with pytest.raises(PlanError, match="'a' is in two clusters"):
        MeanField([["a", "b"], ["a", "c"]])
    with pytest.raises(PlanError, match="iterations is 0, expected 1 or more"):
        MeanField(iterations=0)
    with pytest.raises(PlanError, match="expected collections of names"):
        MeanField(["ab"])
    with pytest.raises(GraphError, match="MeanField: clusters: 'z'"):
        infer(coins(), engine=MeanField([["a", "z"]]))
    with pytest.raises(GraphError, match="variable 6; there are 6"):
        MeanField([[0, 6]]).solve(random_field(0))


def test_a_cluster_that_is_too_wide_is_refused() -> None:
    every = Field(torch.full((24,), 2), torch.zeros(1, 48), (Group(torch.combinations(torch.arange(24)), ISING),))
    with pytest.raises(PlanError, match="a cluster of 24 variables has cliques of 2.24 joint states .limit 2.22."):
        MeanField([list(range(24))], iterations=1).solve(every)


@pytest.mark.filterwarnings("default:MeanField")
def test_what_has_not_converged_says_so() -> None:
    field = random_field(3, rows=2, strength=2.0)
    with pytest.warns(
        ConvergenceWarning, match=r"MeanField: 2 of 2 rows \(first 0\) still change by .* after 1 sweeps"
    ):
        found = MeanField(iterations=1, tolerance=0.0).solve(field)
    assert found.diagnostics["converged"] == [False, False]


def test_impossible_evidence_is_an_error() -> None:
    a, b, c = Variable("a"), Variable("b"), Variable("c")
    same = [[1.0, 0.0], [0.0, 1.0]]
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], same), Tabular(c, [b], same))
    with pytest.raises(EvidenceError, match=r"MeanField: the evidence {'a': '0', 'c': '1'} has probability 0"):
        infer(model, given={"a": "0", "c": "1"}, engine=MeanField())
    found = infer(model, given={"a": ["0", "1"], "c": ["1", "1"]}, engine=MeanField(), impossible="nan")
    torch.testing.assert_close(found["b"], torch.tensor([[math.nan, math.nan], [0.0, 1.0]]).double(), equal_nan=True)


@pytest.mark.filterwarnings("default:MeanField")
def test_no_bound_is_said_and_is_no_number() -> None:
    differ = torch.tensor([[-math.inf, 0.0], [0.0, -math.inf]]).double()[None, None]
    triangle = Field(
        torch.tensor([2, 2, 2]), torch.zeros(1, 6).double(), (Group(torch.tensor([[0, 1], [1, 2], [2, 0]]), differ),)
    )
    with pytest.warns(ConvergenceWarning, match="no distribution of positive weight was found in 1 of 1 rows"):
        found = MeanField().solve(triangle)
    assert bool(found.log_evidence.isnan().all())
    assert found.diagnostics["log_evidence_lower"] == [-math.inf]


@pytest.mark.gpu
def test_mean_field_works_on_a_device() -> None:
    field = random_field(4, rows=2, zeros=0.1)
    torch.testing.assert_close(
        MeanField(ALL).solve(field.to("cuda")).log_evidence.cpu(), MeanField(ALL).solve(field).log_evidence
    )
