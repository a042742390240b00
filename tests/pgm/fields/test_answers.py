"""Answers in names, from an engine that enumerates all worlds, against exact inference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Explanation,
    Gaussian,
    MarkovNetwork,
    Posterior,
    Real,
    Table,
    Tabular,
    Variable,
    infer,
    mpe,
)
from pgm.ask import _scopes
from pgm.errors import EvidenceError, PlanError
from pgm.evidence import read_evidence
from pgm.fields.answers import Best, Settings, Solved, answered, explained
from pgm.fields.field import Field
from pgm.fields.testing import worlds
from pgm.testing import random_case, random_targets


def enumerated(field: Field) -> Solved:
    all_ = worlds(field)
    return Solved(all_.marginals, all_.log_z, all_.joint, {"worlds": [len(all_.states)] * field.rows})


def best(field: Field) -> Best:
    all_ = worlds(field)
    return Best(all_.states[all_.logs.argmax(1)], all_.logs.max(1).values)


def ask(model, targets, given, likelihood=None, impossible="raise") -> Posterior:
    evidence = read_evidence(model.graph, given, likelihood)
    return answered(Settings("Enumerate"), model, _scopes(model, tuple(targets)), evidence, impossible, enumerated)


def explain(model, given) -> Explanation:
    evidence = read_evidence(model.graph, given, None)
    return explained(Settings("Enumerate"), model, tuple(range(len(model.variables))), evidence, 1, best)


@given(st.integers(0, 10_000), st.sampled_from(["bayesian", "markov", "chain"]))
@settings(max_examples=24)
def test_targets_of_all_kinds_equal_exact_ones(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    targets = random_targets(seed, model) + list(model.graph.names)
    expected = infer(model, targets, given=seen, likelihood=likelihood)
    found = ask(model, targets, seen, likelihood)
    for target in targets:
        np.testing.assert_allclose(found[target].numpy(), expected[target].numpy(), atol=1e-12)
    assert found.log_evidence.item() == pytest.approx(expected.log_evidence.item(), abs=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=19)
def test_rows_with_holes_equal_exact_ones(seed: int) -> None:
    model, seen, _ = random_case(seed, "chain")
    rows = {name: [label, None, model[name].states[-1]] for name, label in seen.items()}
    expected = infer(model, given=rows, impossible="nan")
    found = ask(model, model.graph.names, rows, impossible="nan")
    for name in model.graph.names:
        np.testing.assert_allclose(found[name].numpy(), expected[name].numpy(), atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_explanations_weigh_as_much_as_exact_ones(seed: int) -> None:
    model, seen, _ = random_case(seed, "chain")
    expected, found = mpe(model, given=seen), explain(model, seen)
    torch.testing.assert_close(found.log_prob, expected.log_prob)
    torch.testing.assert_close(model.log_prob(found.assignment()).detach(), expected.log_prob[0])
    assert found.gap.item() == pytest.approx(0.0, abs=1e-12)


def test_impossible_evidence_is_an_error() -> None:
    a, b = Variable("a"), Variable("b")
    model = BayesianNetwork(Tabular(a, [], [0.5, 0.5]), Tabular(b, [a], [[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(EvidenceError, match="Enumerate: the evidence {'b': '1'} has probability 0"):
        ask(model, ["a"], {"b": "1"})
    with pytest.raises(EvidenceError, match="probability 0"):
        explain(model, {"b": "1"})
    assert np.isnan(ask(model, ["a"], {"b": ["1", "0"]}, impossible="nan")["a"].numpy()[0]).all()


def test_diagnostics_are_one_a_row() -> None:
    a, b = Variable("a"), Variable("b", 3)
    model = MarkovNetwork(Table([a, b], [[1, 2, 3], [4, 5, 6]]))
    assert ask(model, ["a"], {}).diagnostics == {"worlds": 6}
    assert ask(model, ["a"], {"b": ["0", None, "2"]}).diagnostics == {"worlds": [2, 6, 2]}


def test_numeric_variables_are_refused_by_name() -> None:
    model = BayesianNetwork(Gaussian(Variable("height", Real()), 0.0, 1.0))
    with pytest.raises(PlanError, match="Enumerate: 'height' is numeric"):
        ask(model, ["height"], {})


def test_engines_that_hold_rows_many_times_over_get_fewer_of_them() -> None:
    coin, seen = Variable("coin"), Variable("seen")
    net = BayesianNetwork(Tabular(coin, [], [0.4, 0.6]), Tabular(seen, [coin], [[0.9, 0.1], [0.3, 0.7]]))
    evidence = read_evidence(net.graph, {"seen": ["0", "1", "0"]}, None)
    worked: list[int] = []

    def solve(field: Field) -> Solved:
        worked.append(field.rows)
        return enumerated(field)

    found = answered(Settings("Enumerate", copies=2**30), net, ((0,),), evidence, "raise", solve)
    assert worked == [1, 1, 1]
    expected = infer(net, ["coin"], given={"seen": ["0", "1", "0"]})["coin"]
    np.testing.assert_allclose(found["coin"].numpy(), expected.numpy(), atol=1e-12)
