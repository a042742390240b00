"""Dual decomposition: bounds and certificates against enumeration, exact inference and closed forms."""

import importlib.util
import os
import pathlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    DualDecomposition,
    MarkovNetwork,
    Parity,
    Table,
    Tabular,
    Variable,
    grid,
    load,
    mpe,
    sample,
)
from pgm.approximate.search.dual import BlocksDual, CompiledDual
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.fields.answers import Best
from pgm.fields.field import Field
from pgm.fields.testing import random_field, worlds
from pgm.testing import random_case

PGMPY = importlib.util.find_spec("pgmpy")
FOLDER = pathlib.Path(os.path.dirname(PGMPY.origin or "") if PGMPY else "") / "utils" / "example_models"
ENGINE = DualDecomposition()
SLACK = 1e-9  # rounding of sums of some dozens of numbers below a hundred

nothing_found = pytest.mark.filterwarnings("ignore::pgm.errors.ConvergenceWarning")  # said so, and tested below


def assert_consistent(field: Field, found: Best) -> None:
    """What any search must keep: a bound above the best, and certificates that hold."""
    best, weight = worlds(field).logs.max(1).values, field.log_weight(found.states)
    assert bool((found.bound >= best - SLACK).all())
    assert bool((weight <= best + SLACK).all())
    certified = torch.tensor(found.diagnostics["certified"])
    torch.testing.assert_close(weight[certified], best[certified])
    torch.testing.assert_close(
        torch.tensor(found.diagnostics["gap"]).double()[certified],
        torch.zeros(int(certified.sum())).double(),
        atol=1e-6,
        rtol=0,
    )


@nothing_found
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([0.0, 0.4]), st.integers(0, 1))
@settings(max_examples=10)
def test_bounds_and_certificates_hold(seed: int, rows: int, zeros: float, trains: int) -> None:
    field = random_field(seed, variables=5, rows=rows, zeros=zeros, trains=trains)
    assert_consistent(field, DualDecomposition(iterations=40).search(field))


@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=15)
def test_trees_are_certified(seed: int, rows: int) -> None:
    field = random_field(seed, variables=7, rows=rows, tree=True)
    found = ENGINE.search(field)
    assert_consistent(field, found)
    assert found.diagnostics["certified"] == [True] * rows


@given(st.integers(0, 10_000))
@settings(max_examples=5)
def test_attractive_grids_are_certified(seed: int) -> None:
    """Their relaxation is tight (Wainwright and Jordan 2008, section 8.4.1)."""
    generator = torch.Generator().manual_seed(seed)
    coupling = torch.rand(2, 4, 4, 1, 1, generator=generator, dtype=torch.float64) * torch.eye(2)
    field = grid(torch.randn(4, 4, 2, generator=generator, dtype=torch.float64), coupling)
    found = ENGINE.search(field)
    assert_consistent(field, found)
    assert found.diagnostics["certified"] == [True]


def test_ties_are_certified() -> None:
    """On a line without preferences but for equal neighbours, all or none on weigh the same: 5 links of 0.5."""
    found = ENGINE.search(grid(torch.zeros(1, 6, 2).double(), 0.5 * torch.eye(2).double()))
    assert found.bound.item() == pytest.approx(2.5)
    assert found.diagnostics["certified"] == [True]
    assert len(set(found.states[0].tolist())) == 1


def test_a_chain_takes_one_sweep() -> None:
    generator = torch.Generator().manual_seed(0)
    field = grid(torch.randn(1, 9, 3, generator=generator).double(), torch.randn(3, 3, generator=generator).double())
    found = ENGINE.search(field)
    assert found.diagnostics["iterations"] == [1]
    assert_consistent(field, found)


def test_checks_correct_a_corrupted_word() -> None:
    """The [7, 4] code of Hamming (1950) corrects any one flipped bit; parities are chains of small tables here."""
    bits = [Variable(f"b{k}") for k in range(7)]
    checks = [Parity([bits[k] for k in scope]) for scope in ((0, 2, 4, 6), (1, 2, 5, 6), (3, 4, 5, 6))]
    sent = [0, 1, 1, 0, 0, 1, 1]
    for flipped in range(7):
        seen = [bit ^ (k == flipped) for k, bit in enumerate(sent)]
        noise = [Table([bit], [0.9, 0.1] if on == 0 else [0.1, 0.9]) for bit, on in zip(bits, seen, strict=True)]
        best = mpe(MarkovNetwork(*noise, *checks), engine=DualDecomposition())
        assert best.states[0].tolist() == sent
        assert best.log_prob.item() == pytest.approx(np.log(0.9**6 * 0.1))


@nothing_found
@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=20)
def test_models_with_evidence_are_explained_as_exactly_as_the_gap_says(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    expected = mpe(model, given=seen, likelihood=likelihood).log_prob[0].item()
    found = mpe(model, given=seen, likelihood=likelihood, engine=ENGINE)
    assert found.log_prob.item() <= expected + SLACK
    assert expected <= found.log_prob.item() + found.gap.item() + SLACK


@pytest.mark.skipif(PGMPY is None, reason="pgmpy, which carries the networks, is not installed")
@pytest.mark.parametrize("name", ["alarm", "insurance", "win95pts"])
def test_networks_are_explained_in_rows_with_holes(name: str) -> None:
    model = load(FOLDER / f"{name}.bif.gz")
    drawn = sample(model, 4, seed=1)
    leaves = [
        v.name
        for v in model.variables
        if not any(v.name in {p.name for p in c.given} for c in model.conditionals.values())
    ]
    given_ = {leaf: [*drawn.labels(leaf)[:3], None] for leaf in leaves[:5]}
    expected, found = mpe(model, given=given_).log_prob[:, 0], mpe(model, given=given_, engine=ENGINE)
    assert bool((found.log_prob[:, 0] <= expected + SLACK).all())
    assert bool((expected <= found.bound + SLACK).all())
    certified = torch.tensor(found.diagnostics["certified"])
    assert bool(certified[-1])  # without evidence
    torch.testing.assert_close(found.log_prob[certified, 0], expected[certified])


def test_blocks_end_where_compiled_sweeps_do(monkeypatch: pytest.MonkeyPatch) -> None:
    field = random_field(11, variables=8, tree=True, rows=2)
    expected = ENGINE.search(field)
    monkeypatch.setattr("pgm.engines.dual.dual_of", BlocksDual)
    found = ENGINE.search(field)
    torch.testing.assert_close(found.bound, expected.bound, atol=1e-6, rtol=0)
    assert torch.equal(found.states, expected.states)


@pytest.mark.gpu
def test_it_works_where_the_field_is() -> None:
    field = random_field(11, variables=8, tree=True, rows=2)
    found = ENGINE.search(field.to("cuda"))
    torch.testing.assert_close(found.bound.cpu(), ENGINE.search(field).bound, atol=1e-6, rtol=0)
    torch.testing.assert_close(field.log_weight(found.states.cpu()), found.bound.cpu(), atol=1e-6, rtol=0)


def test_impossible_evidence_is_an_error() -> None:
    a, b = Variable("a"), Variable("b")
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], [[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(EvidenceError, match="DualDecomposition: the evidence {'b': '1'} has probability 0"):
        mpe(model, given={"b": "1"}, engine=ENGINE)


def test_contradictions_among_hidden_variables_are_found() -> None:
    """Three variables of two states cannot all differ, but any two can: the relaxation does not see it, and says so."""
    differ = [[0.0, 1.0], [1.0, 0.0]]
    a, b, c = (Variable(name) for name in "abc")
    model = MarkovNetwork(Table([a, b], differ), Table([b, c], differ), Table([a, c], differ))
    with pytest.warns(
        ConvergenceWarning, match="DualDecomposition: found no joint states of positive probability in 1 of 1"
    ):
        found = mpe(model, engine=ENGINE)
    assert found.states.tolist() == [[-1, -1, -1]]
    assert found.gap.item() == np.inf


def test_a_bound_that_still_falls_is_said_so() -> None:
    field = random_field(3, variables=8, strength=2.0)
    with pytest.warns(
        ConvergenceWarning, match="the bound was still falling, with a gap of .*, in 1 of 1 rows. Use more iter"
    ):
        found = DualDecomposition(iterations=2, tolerance=1e-12).search(field)
    assert found.diagnostics["converged"] == [False]


def test_ctrl_c_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    field, plain = random_field(3, variables=8, strength=2.0), CompiledDual.sweep
    calls = iter(range(100))

    def interrupted(self: CompiledDual, forward: bool) -> torch.Tensor:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return plain(self, forward)

    monkeypatch.setattr(CompiledDual, "sweep", interrupted)
    found = ENGINE.search(field)
    assert found.diagnostics["interrupted"] == [True]
    assert found.diagnostics["iterations"] == [2]
    assert found.bound.item() >= worlds(field).logs.max().item() - SLACK


@pytest.mark.parametrize(
    ("options", "text"), [({"iterations": 0}, "iterations is 0"), ({"tolerance": 0}, "tolerance is 0")]
)
def test_options_are_checked(options: dict, text: str) -> None:
    with pytest.raises(PlanError, match=f"DualDecomposition: {text}"):
        DualDecomposition(**options)


def test_what_is_not_its_question_is_refused() -> None:
    a, b = Variable("a"), Variable("b")
    model = MarkovNetwork(Table([a, b], [[1.0, 2.0], [3.0, 4.0]]))
    with pytest.raises(PlanError, match="b would be summed out; it maximises over all variables"):
        mpe(model, ["a"], engine=ENGINE)
    with pytest.raises(PlanError, match="k is 2; it finds one explanation"):
        mpe(model, k=2, engine=ENGINE)
