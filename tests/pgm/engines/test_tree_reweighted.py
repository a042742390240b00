"""Tree-reweighted message passing: bounds from above at any iteration, closed forms, exactness on trees."""

import math

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, MarkovNetwork, Table, Tabular, Variable, infer
from pgm.approximate.messages.passing import Passing
from pgm.approximate.messages.settle import Options, settle
from pgm.approximate.variational.forests import appearances, forest, shared_information, upper_bound
from pgm.engines.mean_field import MeanField
from pgm.engines.tree_reweighted import TreeReweighted
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.fields.field import Field, Group, grid
from pgm.fields.testing import random_field, worlds

pytestmark = pytest.mark.filterwarnings("ignore:TreeReweighted", "ignore:MeanField")
SLACK = 1e-9  # rounding, in nats
ISING = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double()


@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2, 5, 300]),
    st.sampled_from([0.0, 0.15]),
    st.integers(0, 1),
    st.integers(0, 2),
)
@settings(max_examples=10)
def test_the_evidence_is_an_upper_bound(seed: int, iterations: int, zeros: float, trains: int, rounds: int) -> None:
    field = random_field(seed, rows=2, zeros=zeros, trains=trains, strength=1.5)
    found = TreeReweighted(trees=5, rounds=rounds, iterations=iterations).solve(field)
    assert bool((found.log_evidence >= worlds(field).log_z - SLACK).all())
    assert found.diagnostics["log_evidence_upper"] == found.log_evidence.tolist()


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.15]))
@settings(max_examples=12)
def test_trees_are_exact(seed: int, zeros: float) -> None:
    field = random_field(seed, rows=2, zeros=zeros, tree=True)
    found, everything = TreeReweighted(tolerance=1e-12, damping=0.0).solve(field), worlds(field)
    torch.testing.assert_close(found.log_evidence, everything.log_z)
    torch.testing.assert_close(found.marginals, everything.marginals, atol=1e-9, rtol=0)
    scope = tuple(field.groups[0].scopes[0].tolist())
    torch.testing.assert_close(found.joint(scope), everything.joint(scope), atol=1e-9, rtol=0)


@given(st.integers(0, 10_000), st.sampled_from([-0.8, 0.3, 1.0]), st.sampled_from([3, 4]))
@settings(max_examples=12)
def test_without_a_push_an_ising_grid_has_a_closed_form(seed: int, coupling: float, side: int) -> None:
    """Marginals are even by symmetry; each edge is left with max over c of J c - r I(c) = r log cosh(J / r)."""
    field = grid(torch.zeros(side, side, 2).double(), coupling * ISING)
    shares = appearances(field, 20, torch.Generator().manual_seed(seed))
    expected = side * side * math.log(2) + (shares * torch.cosh(coupling / shares).log()).sum()
    found = TreeReweighted(seed=seed, tolerance=1e-12).solve(field)
    torch.testing.assert_close(found.log_evidence[0], expected)
    torch.testing.assert_close(found.marginals, torch.full((1, 2 * side * side), 0.5).double())


def test_a_single_loop_has_a_closed_form() -> None:
    """Each of n edges is left out of one spanning tree in n; the sum itself is (2 cosh J)^n + (2 sinh J)^n."""
    scopes = torch.tensor([[0, 1], [1, 2], [2, 3], [3, 0]])
    ring = Field(torch.full((4,), 2), torch.zeros(1, 8).double(), (Group(scopes, 0.5 * ISING[None, None]),))
    found = TreeReweighted(trees=4, tolerance=1e-12).solve(ring)
    expected = 4 * math.log(2) + 3 * math.log(math.cosh(0.5 * 4 / 3))
    assert found.log_evidence.item() == pytest.approx(expected, abs=1e-9)
    assert expected > math.log((2 * math.cosh(0.5)) ** 4 + (2 * math.sinh(0.5)) ** 4)


@given(st.integers(0, 10_000))
@settings(max_examples=8)
def test_factors_and_variables_agree_at_the_end(seed: int) -> None:
    field = random_field(seed, variables=4, rows=2, strength=0.5)
    found = TreeReweighted(tolerance=1e-11, damping=0.7, iterations=5000).solve(field)
    for group in field.groups:
        joint = found.joint(tuple(group.scopes[0].tolist()))
        for axis, v in enumerate(group.scopes[0].tolist()):
            own = found.marginals[:, field.starts[v] : field.starts[v + 1]]
            torch.testing.assert_close(joint.movedim(axis + 1, 1).flatten(2).sum(2), own, atol=1e-6, rtol=0)


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_the_bound_falls_as_shared_information_says(seed: int) -> None:
    """The bound is convex in the shares r, with the derivative -I_f: at least its tangent, everywhere."""
    field = grid(torch.randn(1, 3, 4, 2, generator=torch.Generator().manual_seed(seed)).double(), 0.7 * ISING)
    options = Options(tolerance=1e-12, iterations=5000, progress=False)
    one, two = (Passing(field, powers=appearances(field, 9, torch.Generator().manual_seed(k))) for k in (1, 2))
    here, there = (settle(each, options).messages for each in (one, two))
    assert one.powers is not None
    assert two.powers is not None
    tangent = upper_bound(one, here) - shared_information(one, here) @ (two.powers - one.powers)
    assert upper_bound(two, there).item() >= tangent.item() - 1e-7
    step = Passing(field, powers=one.powers + 1e-4 * (two.powers - one.powers))
    slope = (upper_bound(step, settle(step, options).messages) - upper_bound(one, here)) / 1e-4
    expected = -shared_information(one, here) @ (two.powers - one.powers)
    torch.testing.assert_close(slope, expected, atol=1e-3, rtol=0)


@given(st.integers(0, 10_000))
@settings(max_examples=5)
def test_damping_does_not_move_the_solution(seed: int) -> None:
    field = random_field(seed, variables=4, strength=0.5)
    one, two = (TreeReweighted(damping=d, tolerance=1e-11, iterations=5000).solve(field) for d in (0.6, 0.9))
    torch.testing.assert_close(one.marginals, two.marginals, atol=1e-6, rtol=0)
    torch.testing.assert_close(one.log_evidence, two.log_evidence, atol=1e-6, rtol=0)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_forests_have_no_cycle_and_are_not_to_be_extended(seed: int) -> None:
    field = random_field(seed, variables=8)
    scopes = [scope for part in field.parts for scope in part.scopes.tolist()]
    chosen = forest(field, np.random.default_rng(seed).permutation(field.factors))
    graph = networkx.Graph((f"f{f}", v) for f, scope in enumerate(scopes) for v in scope if chosen[f])
    assert not chosen.any() or networkx.is_forest(graph)
    for f, scope in enumerate(scopes):
        wider = networkx.Graph([*graph.edges, *((f"f{f}", v) for v in scope)])
        assert networkx.is_forest(wider) == chosen[f]


def test_shares_of_a_connected_grid_add_up_to_a_tree() -> None:
    shares = appearances(grid(torch.zeros(7, 6, 2).double(), ISING), 20, torch.Generator().manual_seed(0))
    assert shares.sum().item() == pytest.approx(7 * 6 - 1)
    assert 0 < shares.min().item() <= shares.max().item() <= 1


@given(st.integers(0, 10_000))
@settings(max_examples=4)
def test_better_forests_do_not_loosen_the_bound(seed: int) -> None:
    field = random_field(seed, rows=2)
    plain, better = (TreeReweighted(rounds=rounds).solve(field).log_evidence for rounds in (0, 3))
    assert bool((better <= plain + SLACK).all())


@given(st.integers(0, 10_000))
@settings(max_examples=4)
def test_rows_are_what_each_is_alone(seed: int) -> None:
    field = random_field(seed, rows=3, zeros=0.1, trains=1)
    together = TreeReweighted(iterations=50).solve(field)
    for row in range(3):
        alone = TreeReweighted(iterations=50).solve(field.row(row))
        torch.testing.assert_close(together.log_evidence[row], alone.log_evidence[0])
        torch.testing.assert_close(together.marginals[row], alone.marginals[0])


def test_the_evidence_of_a_grid_lies_between_the_bounds() -> None:
    x = {(i, j): Variable(f"{i},{j}") for i in range(10) for j in range(10)}
    rng = torch.Generator().manual_seed(3)
    pairs = [(a, b) for a in x for b in ((a[0] + 1, a[1]), (a[0], a[1] + 1)) if b in x]
    model = MarkovNetwork(*(Table([x[a], x[b]], torch.randn(2, 2, generator=rng).mul(0.5).exp()) for a, b in pairs))
    seen = {"0,0": ["0", "1"], "5,5": ["1", "1"]}
    exact = infer(model, ["9,9"], given=seen)
    upper, lower = (infer(model, ["9,9"], given=seen, engine=each) for each in (TreeReweighted(), MeanField()))
    assert bool((upper.log_evidence >= exact.log_evidence).all())
    assert bool((lower.log_evidence <= exact.log_evidence).all())
    torch.testing.assert_close(upper["9,9"], exact["9,9"], atol=0.05, rtol=0)


@pytest.mark.filterwarnings("default:TreeReweighted")
def test_what_has_not_converged_says_so() -> None:
    field = random_field(3, rows=2)
    with pytest.warns(
        ConvergenceWarning, match=r"TreeReweighted: 2 of 2 rows \(first 0\) still change by .* after 2 it"
    ):
        found = TreeReweighted(iterations=2).solve(field)
    assert found.diagnostics["converged"] == [False, False]


def test_impossible_evidence_is_an_error() -> None:
    a, b, c = Variable("a"), Variable("b"), Variable("c")
    same = [[1.0, 0.0], [0.0, 1.0]]
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], same), Tabular(c, [b], same))
    with pytest.raises(EvidenceError, match=r"TreeReweighted: the evidence {'a': '0', 'c': '1'} has probability 0"):
        infer(model, given={"a": "0", "c": "1"}, engine=TreeReweighted())
    found = infer(model, given={"a": ["0", "1"], "c": ["1", "1"]}, engine=TreeReweighted(), impossible="nan")
    torch.testing.assert_close(found["b"], torch.tensor([[math.nan, math.nan], [0.0, 1.0]]).double(), equal_nan=True)


def test_options_that_do_not_fit_are_named() -> None:
    with pytest.raises(PlanError, match="TreeReweighted: trees is 0, expected 1 or more"):
        TreeReweighted(trees=0)
    with pytest.raises(PlanError, match="damping is 1.0, expected 0 or more and less than 1"):
        TreeReweighted(damping=1.0)


@pytest.mark.gpu
def test_tree_reweighting_works_on_a_device() -> None:
    field = random_field(4, rows=2, zeros=0.1)
    expected, found = (TreeReweighted(rounds=1).solve(each) for each in (field, field.to("cuda")))
    torch.testing.assert_close(found.log_evidence.cpu(), expected.log_evidence)
