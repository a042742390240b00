"""Exact samples: distributed as enumeration says, the same for the same seed."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, Exact, MarkovNetwork, Model, Table, Tabular, Variable, sample
from pgm.errors import EvidenceError, GraphError
from pgm.testing import KINDS, brute_posterior, random_case, random_targets

SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
A, B = Variable("a"), Variable("b", 3)
PAIR = MarkovNetwork(Table([A, B], [[1, 2, 3], [4, 0, 6]]))


def chi_square(states: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    """Pearson's statistic of joint states `[n, variables]`, cells of fewer than five pooled, and its freedoms."""
    counts = np.zeros(expected.shape)
    np.add.at(counts, tuple(states.T), 1)
    assert (counts[expected == 0] == 0).all()  # what is impossible never occurs
    wanted, found = len(states) * expected.reshape(-1), counts.reshape(-1)
    small = wanted < 5
    wanted = np.append(wanted[~small], wanted[small].sum())
    found = np.append(found[~small], found[small].sum())
    used = wanted > 0
    return float(((found - wanted)[used] ** 2 / wanted[used]).sum()), int(used.sum()) - 1


def assert_distributed(states: np.ndarray, expected: np.ndarray) -> None:
    """Within six standard deviations of the statistic's mean; by chance about once in 10^6 (the tail is exponential).

    Reference: the mean of chi-square is its degrees of freedom d and its variance 2 d; ten more covers small d.
    """
    statistic, freedom = chi_square(states, expected)
    assert statistic <= freedom + 6 * math.sqrt(2 * freedom) + 10


@pytest.mark.parametrize("executor", ["tape", "products"])
@given(SEEDS, KIND)
@settings(max_examples=18)
def test_samples_of_all_variables(executor: str, seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    drawn = sample(model, 500, given=seen, likelihood=likelihood, seed=seed % 1000, engine=Exact(executor=executor))
    expected = brute_posterior(model, model.graph.names, given=seen, likelihood=likelihood)
    assert_distributed(drawn.states.numpy(), expected)


@pytest.mark.parametrize("executor", ["tape", "products"])
@given(SEEDS, KIND)
@settings(max_examples=18)
def test_samples_of_some_variables(executor: str, seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    (targets,) = random_targets(seed, model, 1)
    engine = Exact(executor=executor)
    drawn = sample(model, 500, targets, given=seen, likelihood=likelihood, seed=seed % 1000, engine=engine)
    assert [v.name for v in drawn.variables] == list(targets)
    assert_distributed(drawn.states.numpy(), brute_posterior(model, targets, given=seen, likelihood=likelihood))


@pytest.mark.parametrize("executor", ["tape", "products"])
def test_many_samples(executor: str) -> None:
    drawn = sample(PAIR, 20_000, seed=3, engine=Exact(executor=executor))
    assert_distributed(drawn.states.numpy(), np.array([[1, 2, 3], [4, 0, 6]]) / 16)


def test_samples_are_independent() -> None:
    """The correlation of each draw with the next is within five standard errors, 1/sqrt(n), of zero."""
    drawn = sample(PAIR, 10_000, ["a"], seed=4)["a"].numpy()
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 5 / math.sqrt(10_000)


def test_evidence_of_tiny_probability_is_sampled_without_rejection() -> None:
    chain = [Variable(f"x{i}") for i in range(400)]
    terms = [Tabular(b, [a], [[1 - 1e-3, 1e-3], [0.5, 0.5]]) for a, b in zip(chain, chain[1:], strict=False)]
    model = BayesianNetwork(Tabular(chain[0], [], [0.5, 0.5]), *terms)
    seen = {f"x{i}": str(i % 2) for i in range(1, 400)}  # about 1e-660
    drawn = sample(model, 2000, ["x0"], given=seen, seed=0)
    assert_distributed(drawn.states.numpy(), np.array([1e-3, 0.5])[[0, 1]] / 0.501 if seen["x1"] == "1" else np.ones(2))


def test_the_same_seed_gives_the_same_samples() -> None:
    first, again, other = (sample(PAIR, 50, seed=seed).states for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    one, two = (sample(PAIR, 50, generator=torch.Generator().manual_seed(9)).states for _ in range(2))
    assert torch.equal(one, two)


def test_without_a_seed_samples_differ() -> None:
    torch.manual_seed(0)
    assert not torch.equal(sample(PAIR, 50).states, sample(PAIR, 50).states)


def test_samples_speak_in_labels() -> None:
    coin = Variable("coin", ["heads", "tails"])
    drawn = sample(BayesianNetwork(Tabular(coin, [], [0.5, 0.5])), 30, seed=2)
    assert (len(drawn), repr(drawn)) == (30, "Samples(30 of 1 variables)")
    assert drawn.labels("coin") == [coin.states[number] for number in drawn["coin"].tolist()]
    assert drawn.to_dataframe()["coin"].tolist() == drawn.labels("coin")
    with pytest.raises(GraphError, match="^Samples: 'dice' was not sampled; there are 'coin'.$"):
        drawn["dice"]


def test_what_is_observed_comes_out_as_observed() -> None:
    drawn = sample(PAIR, 20, ["b", "a"], given={"a": "1"}, seed=0)
    assert drawn.labels("a") == ["1"] * 20
    assert "1" not in drawn.labels("b")


def test_no_samples_and_no_variables() -> None:
    for executor in ("tape", "products"):
        assert sample(PAIR, 0, engine=Exact(executor=executor)).states.shape == (0, 2)
        assert sample(Model(), 3, engine=Exact(executor=executor)).states.shape == (3, 0)


def test_what_cannot_be_sampled_is_said() -> None:
    for message, arguments in {
        "sample: n is -1, expected 0 or more.": {"n": -1},
        "sample: evidence has 2 rows, expected one; call sample once a row.": {"n": 1, "given": {"a": ["0", "1"]}},
        "sample: the evidence {'a': '1', 'b': '1'} has probability 0 (checked in log arithmetic).": {
            "n": 1, "given": {"a": "1", "b": "1"}
        },
    }.items():  # fmt: skip
        with pytest.raises(EvidenceError, match=f"^{re.escape(message)}$"):
            sample(PAIR, **arguments)
