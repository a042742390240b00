"""Exact answers of models with numeric variables, against dense Gaussians in every world of the finite ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import infer, log_evidence, mpe
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
