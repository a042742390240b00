"""Hidden Markov models against hmmlearn."""

import warnings

import numpy as np
import pytest
import torch

from pgm import (
    ConditionalLinearGaussian,
    Real,
    Tabular,
    Template,
    Variable,
    before,
    fit_sequences,
    log_likelihood,
    smoothing,
    viterbi,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hmmlearn import hmm

STATES, SYMBOLS, T = 3, 4, 60
RNG = np.random.default_rng(0)
START, CHANGE, EMISSION = RNG.dirichlet(np.ones(3)), RNG.dirichlet(np.ones(3), 3), RNG.dirichlet(np.ones(4), 3)
MEANS, VARIANCES = RNG.normal(size=(3, 2)), RNG.uniform(0.5, 2.0, (3, 2))
ROOTS = RNG.normal(size=(3, 2, 2))
COVARIANCES = ROOTS @ ROOTS.transpose(0, 2, 1) + np.eye(2)
WORDS, NUMBERS = RNG.integers(0, SYMBOLS, (3, T)), RNG.normal(size=(3, T, 2))
Z, X, Y = Variable("z", STATES), Variable("x", SYMBOLS), Variable("y", Real(2))


def mine(kind: str) -> tuple[Template, dict[str, np.ndarray]]:
    chain = [Tabular(Z, [], START)], Tabular(Z, [before(Z)], CHANGE)
    if kind == "categorical":
        return Template(chain[0], [chain[1], Tabular(X, [Z], EMISSION)]), {"x": WORDS}
    spread = VARIANCES if kind == "diag" else COVARIANCES
    return Template(chain[0], [chain[1], ConditionalLinearGaussian(Y, [Z], None, MEANS, spread)]), {"y": NUMBERS}


def theirs(kind: str, iterations: int = 10) -> tuple[hmm.BaseHMM, np.ndarray]:
    options = {"init_params": "", "n_iter": iterations, "tol": -np.inf}
    if kind == "categorical":
        model = hmm.CategoricalHMM(STATES, **options)
        model.emissionprob_ = EMISSION
    else:  # without its prior on covariances
        flat = {"covars_prior": 0.0, "covars_weight": 1.0 if kind == "diag" else -3.0, "min_covar": 0.0}
        model = hmm.GaussianHMM(STATES, kind, **options, **flat)
        model.means_, model.covars_ = MEANS, VARIANCES if kind == "diag" else COVARIANCES
    model.startprob_, model.transmat_ = START, CHANGE
    return model, WORDS.reshape(-1, 1) if kind == "categorical" else NUMBERS.reshape(-1, 2)


KINDS = ["categorical", "diag", "full"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ["sequential", "parallel"])
def test_likelihoods_and_posteriors(kind: str, route: str) -> None:
    (template, data), (model, rows) = mine(kind), theirs(kind)
    found = smoothing(template, data, route=route)  # type: ignore[arg-type]
    assert found.log_evidence.sum().item() == pytest.approx(model.score(rows, [T] * 3), rel=1e-12)
    assert log_likelihood(template, data, route=route).sum().item() == pytest.approx(model.score(rows, [T] * 3))  # type: ignore[arg-type]
    expected = torch.from_numpy(model.predict_proba(rows, [T] * 3)).reshape(3, T, STATES)
    torch.testing.assert_close(found["z"], expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_probable_paths(kind: str) -> None:
    (template, data), (model, rows) = mine(kind), theirs(kind)
    found = viterbi(template, data)
    weight, _ = model.decode(rows, [T] * 3)
    assert found.log_prob is not None
    assert found.log_prob.sum().item() == pytest.approx(weight, rel=1e-12)
    # paths may tie, so that ours is held to having the greatest weight
    weights = log_likelihood(template, {**data, "z": found["z"]})
    assert weights.sum().item() == pytest.approx(weight, rel=1e-12)


@pytest.mark.parametrize("kind", ["categorical", "diag"])
def test_the_same_parameters_after_five_iterations(kind: str) -> None:
    (template, data), (model, rows) = mine(kind), theirs(kind, 5)
    model.fit(rows, [T] * 3)
    found = fit_sequences(template, data, iterations=5, tolerance=-1.0).template
    start, (change, emission) = found.first[0], found.later
    pairs = [(start.table, model.startprob_), (change.table, model.transmat_)]
    pairs += {
        "categorical": lambda: [(emission.table, model.emissionprob_)],
        "diag": lambda: [(emission.bias, model.means_), (emission.covariance, np.diagonal(model.covars_, 0, 1, 2))],
    }[kind]()
    for one, two in pairs:
        torch.testing.assert_close(one.detach(), torch.from_numpy(np.array(two)), rtol=1e-8, atol=1e-10)
