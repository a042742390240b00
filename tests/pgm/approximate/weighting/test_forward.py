"""Samples without a plan: distributed as enumeration says, the same for a seed, and only where that is enough."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, Exact, Model, NoisyMax, NoisyOr, Table, Tabular, Variable, infer, sample
from pgm.approximate.weighting.forward import draws_forward
from pgm.errors import EvidenceError, ShapeError
from pgm.evidence import read_evidence
from pgm.testing import brute_posterior, random_model

SEEDS = st.integers(0, 2**32 - 1)
RAIN, WET = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
NET = BayesianNetwork(Tabular(RAIN, [], [0.8, 0.2]), Tabular(WET, [RAIN], [[0.9, 0.1], [0.0, 1.0]]))


def assert_distributed(states: np.ndarray, expected: np.ndarray) -> None:
    """Pearson's statistic, cells of fewer than five pooled, within six standard deviations of its mean, and ten.

    Its mean is the number d of freedoms and its variance 2 d; the ten cover small d, where the tail is exponential.
    """
    counts = np.zeros(expected.shape)
    np.add.at(counts, tuple(states.T), 1)
    assert (counts[expected == 0] == 0).all()  # what is impossible never occurs
    wanted, found = len(states) * expected.reshape(-1), counts.reshape(-1)
    small = wanted < 5
    wanted, found = np.append(wanted[~small], wanted[small].sum()), np.append(found[~small], found[small].sum())
    used = wanted > 0
    statistic, freedom = ((found - wanted)[used] ** 2 / wanted[used]).sum(), int(used.sum()) - 1
    assert statistic <= freedom + 6 * math.sqrt(2 * freedom) + 10


@given(SEEDS)
@settings(max_examples=30)
def test_all_variables_are_distributed_as_enumeration_says(seed: int) -> None:
    model = random_model(np.random.default_rng(seed), kind="bayesian")
    states = sample(model, 2000, seed=seed % 1000).states.numpy()
    assert_distributed(states, brute_posterior(model, model.graph.names))


@given(SEEDS)
@settings(max_examples=15)
def test_marginals_and_pairs_agree_with_exact_inference(seed: int) -> None:
    model = random_model(np.random.default_rng(seed), variables=9, kind="bayesian")
    names = model.graph.names
    drawn, pairs = sample(model, 4000, seed=seed % 1000), list(zip(names, names[1:], strict=False))
    post = infer(model, [*names, *pairs])
    for scope in [*((name,) for name in names), *pairs]:
        expected = post[scope if len(scope) > 1 else scope[0]].numpy()
        assert_distributed(torch.stack([drawn[name] for name in scope], 1).numpy(), expected)


def test_evidence_on_a_root_is_kept_and_what_depends_on_it_follows() -> None:
    drawn = sample(NET, 5000, given={"rain": "no"}, seed=1)
    assert not drawn["rain"].any()
    assert_distributed(drawn.states.numpy(), np.array([[0.9, 0.1], [0.0, 0.0]]))


def test_impossible_evidence_on_a_root_is_refused() -> None:
    never = BayesianNetwork(Tabular(RAIN, [], [1.0, 0.0]), NET.conditionals["wet"])
    with pytest.raises(EvidenceError, match=r"^sample: the evidence \{'rain': 'yes'\} has probability 0"):
        sample(never, 5, given={"rain": "yes"}, seed=0)


def test_a_missing_label_is_no_evidence() -> None:
    drawn = sample(NET, 5000, given={"wet": None}, seed=1)
    assert_distributed(drawn.states.numpy(), np.array([[0.72, 0.08], [0.0, 0.2]]))


def test_a_seed_gives_the_same_samples_and_more_of_them_begin_with_the_same() -> None:
    first, again, longer, other = (sample(NET, n, seed=s).states for n, s in ((50, 3), (50, 3), (3000, 3), (50, 4)))
    assert torch.equal(first, again)
    assert torch.equal(first, longer[:50])
    assert not torch.equal(first, other)


def test_no_samples_are_none() -> None:
    assert sample(NET, 0, seed=0).states.shape == (0, 2)


@pytest.mark.parametrize("size", [1, 2, 8, 9, 40])
def test_variables_of_few_and_of_many_states(size: int) -> None:
    """Both ways of searching cumulative sums; a third of the states are impossible, the last one among them."""
    weights = np.random.default_rng(size).random((3, size)) * (np.arange(size) % 3 != 2)
    weights[:, 0] += 0.1
    table = weights / weights.sum(1, keepdims=True)
    a, b = Variable("a", 3), Variable("b", size)
    model = BayesianNetwork(Tabular(a, [], [0.2, 0.3, 0.5]), Tabular(b, [a], table))
    expected = np.array([0.2, 0.3, 0.5])[:, None] * table
    assert_distributed(sample(model, 20_000, seed=0).states.numpy(), expected)


def test_rounding_never_draws_what_is_impossible() -> None:
    """Ten times 0.1 sums to less than one in floats; the state after them stays impossible."""
    a = Variable("a", 11)
    drawn = sample(BayesianNetwork(Tabular(a, [], [0.1] * 10 + [0.0])), 100_000, seed=0)
    assert int(drawn["a"].max()) == 9


def test_wide_causes_are_drawn_from_their_matrices() -> None:
    """A noisy or of twenty causes has a table of two million entries; that of nineteen absent ones is known."""
    causes = [Variable(f"c{k}", ["no", "yes"]) for k in range(20)]
    effect, worst = Variable("effect", ["no", "yes"]), Variable("worst", ["none", "some", "much"])
    strengths = torch.linspace(0.1, 0.6, 20, dtype=torch.float64)
    tables = [[[1, 0, 0], [0.7, 0.2, 0.1]]] * 20
    model = BayesianNetwork(
        *(Tabular(c, [], [0.9, 0.1]) for c in causes),
        NoisyOr(effect, causes, strengths, leak=0.05),
        NoisyMax(worst, causes, tables, leak=[0.9, 0.1, 0.0]),
    )
    off = 0.95 * float((1 - 0.1 * strengths).prod())
    none, some = 0.9 * (0.9 + 0.1 * 0.7) ** 20, (0.9 + 0.1 * 0.9) ** 20
    drawn = sample(model, 20_000, ["effect", "worst"], seed=0)
    assert_distributed(drawn["effect"][:, None].numpy(), np.array([off, 1 - off]))
    assert_distributed(drawn["worst"][:, None].numpy(), np.array([none, some - none, 1 - some]))


@pytest.mark.parametrize(
    ("model", "given", "likelihood", "engine", "expected"),
    [
        (NET, {}, {}, Exact(), True),
        (NET, {"rain": "yes"}, {}, Exact(), True),
        (NET, {"wet": "yes", "rain": "yes"}, {}, Exact(), True),
        (NET, {"wet": "yes"}, {}, Exact(), False),
        (NET, {}, {"rain": [1, 2]}, Exact(), False),
        (NET, {}, {}, Exact(executor="tape"), False),
        (Model(*NET.terms, Table([RAIN, WET], [[1, 2], [3, 4]])), {}, {}, Exact(), False),
    ],
)
def test_where_samples_need_no_plan(model: Model, given: dict, likelihood: dict, engine: Exact, expected: bool) -> None:
    evidence = read_evidence(model.graph, given, likelihood)
    assert draws_forward(model, evidence, engine) is expected


def test_parameters_that_are_no_probabilities_are_refused() -> None:
    model = BayesianNetwork(Tabular(RAIN, [], [0.8, 0.2]))
    model.conditionals["rain"].table.data[0] = torch.nan
    with pytest.raises(ShapeError, match=r"^Tabular\(rain\): its table holds nan to nan"):
        sample(model, 5, seed=0)
