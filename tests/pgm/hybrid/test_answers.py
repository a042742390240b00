"""Exact answers of models with numeric variables, against dense Gaussians in every world of the finite ones."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import infer, log_evidence, mpe, sample
from pgm.hybrid.oracles import brute_answer, random_network
from pgm.model import Model

SEEDS = st.integers(0, 2**32 - 1)


def random_evidence(generator: np.random.Generator, model: Model) -> dict[str, object]:
    """Labels and numbers for some variables; vectors are sometimes observed in part."""
    found: dict[str, object] = {}
    for variable in model.variables:
        if generator.random() < 0.4:
            if variable.finite:
                found[variable.name] = variable.states[int(generator.integers(variable.size))]
            else:
                values = generator.normal(size=variable.shape)
                hidden = generator.random(size=variable.shape) < 0.3
                found[variable.name] = np.where(hidden & bool(variable.shape), np.nan, values)
    return found


@settings(max_examples=40)
@given(SEEDS)
def test_marginals_moments_and_log_evidence(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_network(generator, finite=int(generator.integers(0, 4)), numeric=int(generator.integers(1, 5)))
    evidence = random_evidence(generator, model)
    expected, post = brute_answer(model, evidence), infer(model, given=evidence)
    assert post.log_evidence.item() == pytest.approx(expected.log_evidence, abs=1e-9)
    assert log_evidence(model, given=evidence).item() == pytest.approx(expected.log_evidence, abs=1e-9)
    for name, p in expected.probabilities.items():
        np.testing.assert_allclose(post[name], p, atol=1e-10)
    for name, mean in expected.means.items():
        np.testing.assert_allclose(post[name].flat, mean, atol=1e-9)
        np.testing.assert_allclose(post[name].covariance, expected.covariances[name], atol=1e-9)


@settings(max_examples=25)
@given(SEEDS)
def test_the_most_probable_explanation(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_network(generator, finite=int(generator.integers(0, 3)), numeric=int(generator.integers(1, 4)))
    evidence = random_evidence(generator, model)
    states, numbers, peak = brute_answer(model, evidence).best
    best = mpe(model, given=evidence)
    assert best.log_prob.item() == pytest.approx(peak, abs=1e-9)
    found = best.assignment()
    assert {name: model[name].number(found[name]) for name in states} == states
    for name, mean in numbers.items():
        np.testing.assert_allclose(np.reshape(found[name], -1), mean, atol=1e-9)


@settings(max_examples=15)
@given(SEEDS)
def test_joints_of_two(seed: int) -> None:
    """p(a, b | e) = p(a, b, e) / p(e), each by enumeration; covariances of two variables likewise."""
    generator = np.random.default_rng(seed)
    model = random_network(generator, finite=2, numeric=3)
    evidence = random_evidence(generator, model)
    expected = brute_answer(model, evidence)
    finite, numeric = (tuple(v for v in model.variables if v.finite == kind) for kind in (True, False))
    pairs = [tuple(v.name for v in pair) for pair in combinations(numeric, 2)]
    names = tuple(v.name for v in finite)
    post = infer(model, [names, *pairs], given=evidence)
    for states in product(*(range(v.size) for v in finite)):
        world = {v.name: v.states[state] for v, state in zip(finite, states, strict=True)}
        agrees = all(evidence.get(name, label) == label for name, label in world.items())
        total = brute_answer(model, evidence | world).log_evidence if agrees else -np.inf
        assert post[names][states].item() == pytest.approx(np.exp(total - expected.log_evidence), abs=1e-10)
    for one, two in pairs:
        n = len(expected.means[one])
        np.testing.assert_allclose(post[one, two].covariance[:n, n:], expected.crosses[one, two], atol=1e-9)


@settings(max_examples=15)
@given(SEEDS)
def test_the_most_probable_states_with_numbers_integrated_out(seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_network(generator, finite=2, numeric=3)
    seen = {name: value for name, value in random_evidence(generator, model).items() if not model[name].finite}
    finite = [v for v in model.variables if v.finite]
    worlds = [{v.name: v.states[i] for v, i in zip(finite, states, strict=True)}
              for states in product(*(range(v.size) for v in finite))]  # fmt: skip
    weights = [brute_answer(model, seen | world).log_evidence for world in worlds]
    best = mpe(model, [v.name for v in finite], given=seen)
    assert best.log_prob.item() == pytest.approx(max(weights), abs=1e-9)
    assert best.assignment() == worlds[int(np.argmax(weights))]


@settings(max_examples=10)
@given(SEEDS)
def test_samples_given_evidence(seed: int) -> None:
    """Shares are off by sqrt(p q / n) and means by sigma / sqrt(n), of which six are allowed."""
    generator, n = np.random.default_rng(seed), 2000
    model = random_network(generator, finite=2, numeric=3)
    evidence = random_evidence(generator, model)
    expected, draws = brute_answer(model, evidence), sample(model, n, given=evidence, seed=seed % 1000)
    for name, p in expected.probabilities.items():
        shares = np.bincount(draws[name], minlength=len(p)) / n
        assert (np.square(shares - p) <= 36 * p * (1 - p) / n + 1e-12).all()
    for name, mean in expected.means.items():
        off = draws[name].reshape(n, -1).mean(0).numpy() - mean
        assert (np.square(off) <= 36 * np.diag(expected.covariances[name]) / n + 1e-12).all()
