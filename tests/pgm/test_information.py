"""Entropy, mutual information and divergence: by enumeration, by closed forms and by their laws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    MarkovNetwork,
    Model,
    Real,
    Table,
    Tabular,
    Variable,
    entropy,
    kl_divergence,
    mutual_information,
)
from pgm.errors import EvidenceError, GraphError
from pgm.testing import KINDS, brute_posterior, random_case, random_targets

SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
CLOSE = {"rel": 1e-11, "abs": 1e-11}  # sums of a few logarithms of size ten that may cancel
A, B, C = (Variable(name) for name in "abc")


def plogp(table: np.ndarray) -> float:
    kept = table[table > 0]
    return float((kept * np.log(kept)).sum())


@given(SEEDS, KIND)
@settings(max_examples=26)
def test_entropy_by_enumeration(seed: int, kind: str) -> None:
    model, seen, _ = random_case(seed, kind)
    expected = -plogp(brute_posterior(model, model.graph.names, given=seen))
    assert entropy(model, given=seen).item() == pytest.approx(expected, **CLOSE)
    for targets in random_targets(seed, model, 2):
        expected = -plogp(brute_posterior(model, targets, given=seen))
        assert entropy(model, targets, given=seen).item() == pytest.approx(expected, **CLOSE)


@given(SEEDS, KIND)
@settings(max_examples=24)
def test_mutual_information_by_entropies(seed: int, kind: str) -> None:
    """I(a; b) = H(a) + H(b) - H(a, b), for groups that may overlap, and never below zero."""
    model, seen, _ = random_case(seed, kind)
    one, two = random_targets(seed, model, 2)
    found = mutual_information(model, one, two, given=seen).item()
    separate = entropy(model, one, given=seen) + entropy(model, two, given=seen)
    assert found == pytest.approx((separate - entropy(model, (*one, *two), given=seen)).item(), **CLOSE)
    assert found >= -1e-12
    assert mutual_information(model, two, one, given=seen).item() == pytest.approx(found, **CLOSE)


@given(SEEDS, KIND)
@settings(max_examples=30)
def test_the_chain_rule_of_entropy(seed: int, kind: str) -> None:
    """H(x, y) = H(x) + sum_x p(x) H(y | x), the second half with x as evidence, all states as one batch."""
    model, _, _ = random_case(seed, kind)
    x, rest = model.graph.names[0], model.graph.names[1:]
    weights = brute_posterior(model, x)
    states = [label for label, weight in zip(model[x].states, weights, strict=True) if weight > 0]
    conditional = entropy(model, rest, given={x: states})
    assert conditional.shape == (len(states),)
    total = entropy(model, [x]).item() + float(weights[weights > 0] @ conditional.numpy())
    assert entropy(model).item() == pytest.approx(total, **CLOSE)


@given(SEEDS, KIND, KIND)
@settings(max_examples=21)
def test_divergence_by_enumeration(seed: int, kind: str, other: str) -> None:
    p, _, _ = random_case(seed, kind)
    q = second_model(seed, p)
    one, two = (brute_posterior(model, p.graph.names) for model in (p, q))
    possible = one > 0
    expected = float((one[possible] * np.log(one[possible] / two[possible])).sum())
    found = kl_divergence(p, q).item()
    assert found == pytest.approx(expected, **CLOSE)
    assert found >= -1e-12
    assert kl_divergence(p, p).item() == pytest.approx(0, abs=1e-11)


def second_model(seed: int, p: Model) -> Model:
    """Another structure over the same variables, in another order, positive everywhere."""
    generator = np.random.default_rng(seed)
    order = [p.variables[int(i)] for i in generator.permutation(len(p.variables))]
    tables = [Table([a, b], generator.random((a.size, b.size)) + 0.1) for a, b in zip(order, order[1:], strict=False)]
    return MarkovNetwork(*tables, Table([order[-1]], generator.random(order[-1].size) + 0.1), variables=order)


def test_divergence_is_infinite_where_support_is_missing() -> None:
    wide, narrow = Table([A, B], [[1, 1], [1, 1]]), Table([A, B], [[1, 0], [1, 1]])
    p, q = MarkovNetwork(wide), MarkovNetwork(narrow)
    assert kl_divergence(p, q).item() == math.inf
    assert kl_divergence(q, p).item() == pytest.approx(math.log(4 / 3))
    assert kl_divergence(p, q, given={"a": "1"}).item() == pytest.approx(0, abs=1e-15)


def test_divergence_given_evidence() -> None:
    p = BayesianNetwork(Tabular(A, [], [0.5, 0.5]), Tabular(B, [A], [[0.9, 0.1], [0.3, 0.7]]))
    q = BayesianNetwork(Tabular(A, [], [0.1, 0.9]), Tabular(B, [A], [[0.9, 0.1], [0.6, 0.4]]))
    expected = [0, 0.3 * math.log(0.3 / 0.6) + 0.7 * math.log(0.7 / 0.4)]
    assert kl_divergence(p, q, given={"a": ["0", "1"]}).tolist() == pytest.approx(expected, abs=1e-14)


def test_a_chain_too_long_to_enumerate() -> None:
    """A stationary Markov chain: H = H(x0) + (n - 1) times the entropy rate."""
    n, move = 500, np.array([[0.9, 0.1], [0.3, 0.7]])
    chain = [Variable(f"x{i}") for i in range(n)]
    moves = [Tabular(b, [a], move) for a, b in zip(chain, chain[1:], strict=False)]
    model = BayesianNetwork(Tabular(chain[0], [], [0.75, 0.25]), *moves)
    rate = -(0.75 * plogp(move[0]) + 0.25 * plogp(move[1]))
    expected = -plogp(np.array([0.75, 0.25])) + (n - 1) * rate
    assert entropy(model).item() == pytest.approx(expected, rel=1e-12)


def test_entropies_of_coins() -> None:
    coins = [Variable(f"coin{i}") for i in range(100)]
    model = BayesianNetwork(*(Tabular(coin, [], [0.5, 0.5]) for coin in coins))
    assert entropy(model).item() == pytest.approx(100 * math.log(2), rel=1e-13)
    assert entropy(model, ["coin3"], given={"coin3": "1"}).item() == 0
    assert entropy(model, []).item() == 0
    assert mutual_information(model, "coin1", ["coin2", "coin3"]).item() == pytest.approx(0, abs=1e-15)
    assert mutual_information(model, "coin1", "coin1").item() == pytest.approx(math.log(2))


def test_conditioning_can_make_dependence() -> None:
    """Two coins are independent until their exclusive or is seen; then each tells all about the other."""
    model = BayesianNetwork(
        Tabular(A, [], [0.5, 0.5]), Tabular(B, [], [0.5, 0.5]), Tabular(C, [A, B], [[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    )
    assert mutual_information(model, "a", "b").item() == pytest.approx(0, abs=1e-15)
    assert mutual_information(model, "a", "b", given={"c": "1"}).item() == pytest.approx(math.log(2))


def test_nothing_is_recorded_for_gradients() -> None:
    model = MarkovNetwork(Table([A, B], [[1, 2], [3, 4]]))
    for value in (entropy(model), mutual_information(model, "a", "b"), kl_divergence(model, model)):
        assert isinstance(value, torch.Tensor)
        assert not value.requires_grad


def test_what_has_no_information_is_said() -> None:
    model, other = MarkovNetwork(Table([A, B], [[1, 2], [0, 0]])), MarkovNetwork(Table([A], [1, 2]))
    with pytest.raises(GraphError, match="^kl_divergence: 'b' is a variable of only one of the two models.$"):
        kl_divergence(model, other)
    renamed = MarkovNetwork(Table([Variable("a", ["x", "y"])], [1, 2]))
    with pytest.raises(GraphError, match="^kl_divergence: 'a' has states '0', '1' in p and 'x', 'y' in q.$"):
        kl_divergence(other, renamed)
    with pytest.raises(GraphError, match="^mutual_information: a group of variables is empty"):
        mutual_information(model, "a", [])
    with pytest.raises(GraphError, match="'snow' is not a variable"):
        entropy(model, ["snow"])
    with pytest.raises(EvidenceError, match="probability 0"):
        entropy(model, given={"a": "1"})


def test_numeric_variables_are_summed_out_but_not_asked_about() -> None:
    kind, x = Variable("kind", ["low", "high"]), Variable("x", Real())
    model = BayesianNetwork(
        Tabular(kind, [], [0.5, 0.5]), ConditionalLinearGaussian(x, [kind], None, [-1.0, 1.0], [1.0])
    )
    high = 1 / (1 + math.exp(-2 * 0.3))  # N(x; 1, 1) / N(x; -1, 1) = exp(2 x)
    left = -high * math.log(high) - (1 - high) * math.log(1 - high)
    assert entropy(model, ["kind"], given={"x": 0.3}).item() == pytest.approx(left, rel=1e-12)
    said = r"'x' is Real\(\), expected variables with states; name those.$"
    for names in (None, ["x"], ["kind", "x"]):
        with pytest.raises(GraphError, match=f"^entropy: {said}"):
            entropy(model, names)
    with pytest.raises(GraphError, match=f"^mutual_information: {said}"):
        mutual_information(model, "kind", "x")
    with pytest.raises(GraphError, match=f"^kl_divergence: {said}"):
        kl_divergence(model, model)
