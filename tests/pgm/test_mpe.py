"""Most probable explanations, marginal MAP and the k best, against enumeration."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Exact,
    Explanation,
    MarkovNetwork,
    Model,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
)
from pgm.errors import EvidenceError, GraphError
from pgm.testing import KINDS, brute_mpe, enumerate_joint, random_case, random_targets

SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
CLOSE = {"rel": 1e-12, "abs": 1e-12}  # logs of products of positive numbers, a few roundings each
A, B = Variable("a"), Variable("b")


def assert_best(found: Explanation, model: Model, targets: list[str] | None, seen: dict, likelihood: dict) -> None:
    """The values are the largest ones, and each assignment has the value that comes with it; no two are the same."""
    weight = {
        tuple(sorted(state.items())): value
        for state, value in brute_mpe(model, targets, given=seen, likelihood=likelihood, k=10**6)
    }
    logs = [value for value in found.log_prob.tolist() if value > -math.inf]
    assert logs == pytest.approx(sorted(weight.values(), reverse=True)[: len(found)], **CLOSE)
    states = [tuple(sorted(found.assignment(rank).items())) for rank in range(len(logs))]
    assert len(set(states)) == len(states)
    assert [weight[state] for state in states] == pytest.approx(logs, **CLOSE)
    assert (found.states[len(logs) :] == -1).all()


@pytest.mark.parametrize("executor", ["tape", "products"])
@given(SEEDS, KIND)
@settings(max_examples=20)
def test_the_most_probable_explanation(executor: str, seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    found = mpe(model, given=seen, likelihood=likelihood, engine=Exact(executor=executor))
    assert_best(found, model, None, seen, likelihood)
    assert seen.items() <= found.assignment().items()


@pytest.mark.parametrize("executor", ["tape", "products"])
@given(SEEDS, KIND)
@settings(max_examples=20)
def test_marginal_map(executor: str, seed: int, kind: str) -> None:
    """The sum is inside the maximum."""
    model, seen, likelihood = random_case(seed, kind)
    for targets in random_targets(seed, model, 2):
        found = mpe(model, targets, given=seen, likelihood=likelihood, engine=Exact(executor=executor))
        assert [v.name for v in found.variables] == list(targets)
        assert_best(found, model, list(targets), seen, likelihood)


@given(SEEDS, KIND, st.sampled_from([2, 3, 10, 1000]))
@settings(max_examples=46)
def test_the_k_best_up_to_more_than_there_are(seed: int, kind: str, k: int) -> None:
    model, seen, likelihood = random_case(seed, kind, most=4)
    assert_best(mpe(model, given=seen, likelihood=likelihood, k=k), model, None, seen, likelihood)
    (targets,) = random_targets(seed, model, 1)
    found = mpe(model, targets, given=seen, likelihood=likelihood, k=k)
    assert_best(found, model, list(targets), seen, likelihood)


@given(SEEDS, KIND)
@settings(max_examples=20)
def test_all_explanations_together_are_the_evidence(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind, most=4)
    worlds = enumerate_joint(model).values.numel()
    found = mpe(model, given=seen, likelihood=likelihood, k=worlds)
    total = log_evidence(model, given=seen, likelihood=likelihood).item()
    assert found.log_prob.logsumexp(0).item() == pytest.approx(total, rel=1e-12, abs=1e-12)


@given(SEEDS)
@settings(max_examples=20)
def test_the_value_is_the_probability_of_the_assignment(seed: int) -> None:
    """Two routes to one number: the maximum, and log p of where it lies."""
    model, seen, _ = random_case(seed, "bayesian")
    found = mpe(model, given=seen)
    assert found.log_prob[0].item() == pytest.approx(model.log_prob(found.assignment()).item(), rel=1e-12, abs=1e-12)


@given(SEEDS, KIND)
@settings(max_examples=20)
def test_a_batch_is_its_rows(seed: int, kind: str) -> None:
    model, seen, _ = random_case(seed, kind)
    rows = {name: [label, None] for name, label in seen.items()} or {model.graph.names[0]: [None, None]}
    batch = mpe(model, given=rows, k=2)
    alone = [mpe(model, given=seen, k=2), mpe(model, k=2)]
    assert batch.states.shape == (2, 2, len(model.variables))
    for row, one in enumerate(alone):
        assert batch.log_prob[row].tolist() == pytest.approx(one.log_prob.tolist(), **CLOSE)
        assert batch.assignment(0, row) == one.assignment(0) or batch.log_prob[row, 0] == batch.log_prob[row, 1]


def test_joint_states_are_not_the_states_of_each_variable() -> None:
    """The most probable explanation need not consist of the most probable states."""
    model = MarkovNetwork(Table([A, B], [[0, 0.4], [0.3, 0.3]]))
    assert mpe(model).assignment() == {"a": "0", "b": "1"}
    assert infer(model).argmax() == {"a": "1", "b": "1"}


def test_marginal_map_is_not_a_part_of_the_explanation() -> None:
    model = BayesianNetwork(Tabular(A, [], [0.6, 0.4]), Tabular(Variable("b", 3), [A], [[0.4, 0.3, 0.3], [1, 0, 0]]))
    assert mpe(model).assignment()["a"] == "1"
    assert mpe(model, ["a"]).assignment() == {"a": "0"}
    assert mpe(model, ["a"]).log_prob[0].exp().item() == pytest.approx(0.6)


def test_ties_are_all_found() -> None:
    coins = [Variable(f"coin{i}") for i in range(4)]
    found = mpe(BayesianNetwork(*(Tabular(coin, [], [0.5, 0.5]) for coin in coins)), k=16)
    assert len({tuple(state.tolist()) for state in found.states}) == 16
    assert found.log_prob.exp().tolist() == pytest.approx([1 / 16] * 16)


def test_a_long_chain_by_the_viterbi_recursion() -> None:
    """A hidden Markov model of 1,000 steps: best path's value by dynamic programming in logs, written here."""
    generator = np.random.default_rng(5)
    steps, states, signs = 1000, 4, 3
    start, move, emit = generator.random(states), generator.random((states, states)), generator.random((states, signs))
    start, move, emit = start / start.sum(), move / move.sum(1, keepdims=True), emit / emit.sum(1, keepdims=True)
    seen = generator.integers(signs, size=steps)
    best = np.log(start) + np.log(emit[:, seen[0]])
    for t in range(1, steps):
        best = (best[:, None] + np.log(move)).max(0) + np.log(emit[:, seen[t]])
    hidden = [Variable(f"z{t}", states) for t in range(steps)]
    shown = [Variable(f"x{t}", signs) for t in range(steps)]
    moves = [Tabular(b, [a], move) for a, b in zip(hidden, hidden[1:], strict=False)]
    model = BayesianNetwork(
        Tabular(hidden[0], [], start), *moves, *(Tabular(x, [z], emit) for z, x in zip(hidden, shown, strict=True))
    )
    found = mpe(model, given={f"x{t}": str(seen[t]) for t in range(steps)})
    assert found.log_prob[0].item() == pytest.approx(best.max(), rel=1e-12)
    assert model.log_prob(found.assignment()).item() == pytest.approx(best.max(), rel=1e-12)


def test_an_explanation_speaks_in_labels() -> None:
    found = mpe(MarkovNetwork(Table([A, B], [[30, 5], [1, 0]])), k=5)
    assert str(found) == (
        f"#1 log p {math.log(30):.4f}: a=0, b=0\n#2 log p {math.log(5):.4f}: a=0, b=1\n#3 log p 0.0000: a=1, b=0"
    )
    assert repr(found) == "Explanation(best 5 over 2 variables)"
    with pytest.raises(GraphError, match="^Explanation: there is no explanation of rank 3 with positive probability.$"):
        found.assignment(3)
    with pytest.raises(GraphError, match="^Explanation: rank is 5, expected one below 5; ask for more with k.$"):
        found.assignment(5)
    with pytest.raises(GraphError, match="^Explanation: row is 1, expected none, as for one row of evidence.$"):
        found.assignment(row=1)
    rows = mpe(MarkovNetwork(Table([A, B], [[30, 5], [1, 0]])), given={"a": ["0", "1"]})
    assert [rows.assignment(row=row)["a"] for row in (0, 1, -1)] == ["0", "1", "1"]
    for row in (None, 2):
        with pytest.raises(GraphError, match=f"^Explanation: row is {row}, expected a row below 2.$"):
            rows.assignment(row=row)


def test_what_is_observed_comes_out_as_observed() -> None:
    found = mpe(MarkovNetwork(Table([A, B], [[30, 5], [1, 10]])), ["a"], given={"a": "1"})
    assert found.assignment() == {"a": "1"}
    assert found.log_prob[0].exp().item() == pytest.approx(11)


def test_what_cannot_be_explained_is_said() -> None:
    model = MarkovNetwork(Table([A, B], [[30, 5], [0, 0]]))
    with pytest.raises(EvidenceError, match="^mpe: k is 0, expected 1 or more.$"):
        mpe(model, k=0)
    with pytest.raises(GraphError, match="^mpe: 'c' is not a variable; there are 'a', 'b'.$"):
        mpe(model, ["c"])
    with pytest.raises(EvidenceError, match=r"^mpe: the evidence \{'a': '1'\} has probability 0"):
        mpe(model, given={"a": "1"})


def test_no_memory_is_read_before_it_is_written() -> None:
    """Memory that others used before must not show in the answers."""
    for seed in [*range(160, 240), *range(160, 240)]:
        model, seen, likelihood = random_case(seed, KINDS[seed % 3])
        for targets in random_targets(seed, model, 2):
            used = [np.full(length, 1e5) for length in range(8, 200)]
            del used
            found = mpe(model, targets, given=seen, likelihood=likelihood, k=2)
            assert_best(found, model, list(targets), seen, likelihood)
