"""Noise without spread: exact linear relations, observed or not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    EvidenceError,
    Gaussian,
    LinearGaussian,
    PlanError,
    Real,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    sample,
)
from pgm.hybrid.oracles import brute_answer
from pgm.model import Model


def number(name: str, *shape: int) -> Variable:
    return Variable(name, Real(*shape))


@pytest.fixture(scope="module")
def total() -> Model:
    """z = x + y, and a copy of z."""
    x, y, z, copy = map(number, ("x", "y", "z", "copy"))
    return BayesianNetwork(
        Gaussian(x, 1.0, 1.0),
        Gaussian(y, 0.0, 4.0),
        LinearGaussian(z, [x, y], [1.0, 1.0], 0.0, 0.0),
        LinearGaussian(copy, [z], [1.0], 0.0, 0.0),
    )


@pytest.mark.parametrize("seen", ["z", "copy"])
def test_a_sum_that_is_observed(total: Model, seen: str) -> None:
    """x given x + y = 3: mean 1 + 2 / 5, variance 1 - 1 / 5, and what x gains y loses."""
    post = infer(total, ["x", "y", ("x", "y")], given={seen: 3.0})
    assert post["x"].mean.item() == pytest.approx(1.4, abs=1e-12)
    assert post["y"].mean.item() == pytest.approx(1.6, abs=1e-12)
    np.testing.assert_allclose(post["x", "y"].covariance, [[0.8, -0.8], [-0.8, 0.8]], atol=1e-12)
    assert post.log_evidence.item() == pytest.approx(-0.5 * (np.log(10 * np.pi) + 4 / 5), abs=1e-12)


def test_the_same_thing_observed_twice(total: Model) -> None:
    once, twice = (infer(total, given=given) for given in ({"z": 3.0}, {"z": 3.0, "copy": 3.0}))
    assert twice.log_evidence.item() == pytest.approx(once.log_evidence.item(), abs=1e-12)
    assert twice["x"].mean.item() == pytest.approx(1.4, abs=1e-12)


def test_a_contradiction_has_probability_zero(total: Model) -> None:
    with pytest.raises(EvidenceError, match=r"infer: the evidence \{'z': 3.0, 'copy': 3.5\} has probability 0"):
        infer(total, given={"z": 3.0, "copy": 3.5})
    post = infer(total, given={"z": [3.0, 3.0], "copy": [3.0, 3.5]}, impossible="nan")
    assert post["x"].mean.isnan().tolist() == [False, True]


def test_samples_keep_exact_relations(total: Model) -> None:
    draws = sample(total, 500, given={"copy": 3.0}, seed=1)
    np.testing.assert_allclose(draws["x"] + draws["y"], 3.0, atol=1e-12)
    assert abs(draws["x"].mean().item() - 1.4) < 5 * np.sqrt(0.8 / 500)


def test_the_best_explanation_keeps_exact_relations(total: Model) -> None:
    best = mpe(total, given={"copy": 3.0})
    assert best.assignment() == pytest.approx({"x": 1.4, "y": 1.6, "z": 3.0, "copy": 3.0}, abs=1e-12)
    x, y = torch.distributions.Normal(1.0, 1.0), torch.distributions.Normal(0.0, 2.0)
    expected = x.log_prob(torch.tensor(1.4)) + y.log_prob(torch.tensor(1.6))
    assert best.log_prob.item() == pytest.approx(expected.item(), abs=1e-6)


def random_singular(generator: np.random.Generator, spread: float) -> Model:
    """A network of vectors, every noise of rank one, or with `spread` added in all directions."""
    s = Variable("s", 2)
    vectors = [number(f"x{i}", 2) for i in range(3)]
    terms: list = [Tabular(s, [], [0.4, 0.6])]
    for i, child in enumerate(vectors):
        parents = vectors[:i]
        weights = generator.normal(size=(2, 2 * i, 2)) if i else None
        root = generator.normal(size=(2, 2, 1))
        covariance = root @ root.swapaxes(-1, -2) + spread * np.eye(2)
        terms.append(
            ConditionalLinearGaussian(child, [s, *parents], weights, generator.normal(size=(2, 2)), covariance)
        )
    return BayesianNetwork(*terms)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_noise_of_low_rank_is_the_limit_of_regular_noise(seed: int, seen: int) -> None:
    """A spread of 1e-7 in the missing directions moves answers by about as much."""
    singular, regular = (random_singular(np.random.default_rng(seed), spread) for spread in (0.0, 1e-7))
    evidence = {f"x{seen}": np.array([0.3, np.nan])}
    expected, post = brute_answer(regular, evidence), infer(singular, given=evidence)
    assert post.log_evidence.item() == pytest.approx(expected.log_evidence, abs=1e-3)
    np.testing.assert_allclose(post["s"], expected.probabilities["s"], atol=1e-3)
    for name, mean in expected.means.items():
        scale = 1 + np.abs(expected.covariances[name]).max() + np.abs(mean).max() ** 2
        np.testing.assert_allclose(post[name].flat, mean, atol=1e-3 * scale)
        np.testing.assert_allclose(post[name].covariance, expected.covariances[name], atol=1e-3 * scale)


def test_a_long_chain_observed_without_noise() -> None:
    """x[t] = x[t-1] + e[t] and y[t] = x[t]: the log evidence is that of the increments."""
    steps = 60
    states = [number(f"x{t}") for t in range(steps)]
    terms = [Gaussian(states[0], 0.0, 1.0)]
    terms += [LinearGaussian(b, [a], [1.0], 0.0, 0.5) for a, b in zip(states, states[1:], strict=False)]
    terms += [LinearGaussian(number(f"y{t}"), [x], [1.0], 0.0, 0.0) for t, x in enumerate(states)]
    seen = np.random.default_rng(0).normal(size=steps)
    increments = -0.5 * (np.log(2 * np.pi * 0.5) + np.diff(seen) ** 2 / 0.5)
    expected = -0.5 * (np.log(2 * np.pi) + seen[0] ** 2) + increments.sum()
    post = infer(BayesianNetwork(*terms), given={f"y{t}": y for t, y in enumerate(seen)})
    assert post.log_evidence.item() == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose([post[x.name].mean for x in states], seen, atol=1e-9)
    np.testing.assert_allclose([post[x.name].variance for x in states], 0.0, atol=1e-9)


def test_gradients_flow_through_exact_relations(total: Model) -> None:
    """d log N(3; mean of x, 5) / d mean = (3 - 1) / 5."""
    log_evidence(total, given={"copy": 3.0}).backward()
    assert total.conditionals["x"].bias.grad.item() == pytest.approx(0.4, abs=1e-12)


def test_a_density_and_a_certainty_cannot_be_compared() -> None:
    s, x = Variable("s", ["sure", "unsure"]), number("x")
    model = BayesianNetwork(Tabular(s, [], [0.5, 0.5]), ConditionalLinearGaussian(x, [s], None, [0.0, 0.0], [0.0, 1.0]))
    assert infer(model, ["s"], given={"x": 0.5})["s"].tolist() == [0.0, 1.0]
    with pytest.raises(PlanError, match="'x': the value observed is certain in some states and has a density"):
        infer(model, ["s"], given={"x": 0.0})


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_redundant_exact_observations(seed: int) -> None:
    """Random networks of which half is exact, some of it observed more than once: dense moments, pseudo-inverse."""
    generator = np.random.default_rng(seed)
    n = int(generator.integers(3, 8))
    variables = [number(f"x{i}") for i in range(n)]
    exact = generator.random(n) < 0.5
    exact[:2] = False
    weights = np.tril(generator.integers(-1, 3, size=(n, n)), -1) * (generator.random((n, n)) < 0.6)
    noise, bias = np.where(exact, 0.0, generator.random(n) + 0.2), generator.normal(size=n)
    terms = [
        LinearGaussian(v, variables[:i], weights[i, :i], bias[i], noise[i]) if i else Gaussian(v, bias[i], noise[i])
        for i, v in enumerate(variables)
    ]
    solved = np.linalg.inv(np.eye(n) - weights)
    mean, covariance = solved @ bias, solved @ np.diag(noise) @ solved.T
    world = solved @ (bias + np.sqrt(noise) * generator.normal(size=n))
    seen = generator.random(n) < 0.5
    gain = covariance[:, seen] @ np.linalg.pinv(covariance[np.ix_(seen, seen)], rcond=1e-9, hermitian=True)
    expected = mean + gain @ (world - mean)[seen]
    after = covariance - gain @ covariance[seen]
    post = infer(BayesianNetwork(*terms), given={f"x{i}": world[i] for i in np.flatnonzero(seen)})
    size = 1 + covariance.max()
    np.testing.assert_allclose([post[v.name].mean for v in variables], expected, atol=1e-7 * size)
    np.testing.assert_allclose([post[v.name].variance for v in variables], np.diag(after), atol=1e-7 * size)
