"""Factor analysis and probabilistic principal components: against scikit-learn and the laws of a maximum."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA, FactorAnalysis

from pgm import (
    BayesianNetwork,
    Gaussian,
    GraphError,
    LinearGaussian,
    Real,
    ShapeError,
    Variable,
    factor_analysis,
    fit,
    infer,
    log_evidence,
    probabilistic_pca,
)

SEEDS = st.integers(0, 2**32 - 1)
Z, X = Variable("z", Real(2)), Variable("x", Real(5))


def rows_of(seed: int, n: int = 60) -> np.ndarray:
    """Two factors, noise of unequal size, a mean."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(n, 5)) * random.uniform(0.3, 1.5, 5)
    return random.normal(size=(n, 2)) @ random.normal(size=(2, 5)) + noise + random.normal(size=5)


@settings(max_examples=10)
@given(SEEDS, st.integers(1, 4))
def test_probabilistic_components_are_those_of_scikit_learn(seed: int, k: int) -> None:
    rows = rows_of(seed)
    model = probabilistic_pca(Variable("z", Real(k)), X, rows)
    # theirs divides the covariance by n - 1: the same rows scaled up make up for that
    wide = (rows - rows.mean(0)) * np.sqrt((len(rows) - 1) / len(rows)) + rows.mean(0)
    expected = PCA(k).fit(wide).score_samples(rows)
    np.testing.assert_allclose(log_evidence(model, given={"x": rows}).detach(), expected, rtol=1e-9)


@settings(max_examples=10)
@given(SEEDS)
def test_probabilistic_components_are_a_maximum(seed: int) -> None:
    rows = rows_of(seed)
    model = probabilistic_pca(Z, X, rows)
    term = model.conditionals["x"]
    slopes = torch.autograd.grad(log_evidence(model, given={"x": rows}).sum(), [term.weights, term.bias, term.scale])
    assert all(slope.abs().max() < 1e-8 * len(rows) / float(term.scale.detach() ** 2) for slope in slopes)


def test_factors_of_a_row_are_their_regression_on_it() -> None:
    rows = rows_of(0)
    model = probabilistic_pca(Z, X, rows)
    term = model.conditionals["x"]
    weights, noise = term.weights.detach(), term.covariance.detach()
    inner = weights @ weights.mT + noise * torch.eye(2, dtype=torch.float64)
    expected = (torch.from_numpy(rows) - term.bias.detach()) @ weights.mT @ torch.linalg.inv(inner)
    found = infer(model, ["z"], given={"x": rows})["z"]
    torch.testing.assert_close(found.mean.detach(), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.covariance[0].detach(), noise * torch.linalg.inv(inner), rtol=1e-9, atol=1e-9)


def test_the_best_factor_analysis_of_scikit_learn_is_where_em_stays_and_goes() -> None:
    rows = rows_of(1, n=200)
    peer = FactorAnalysis(2, tol=1e-12, max_iter=100_000, svd_method="lapack").fit(rows)
    best = BayesianNetwork(
        Gaussian(Z, [0.0, 0.0], 1.0).requires_grad_(False),
        LinearGaussian(X, [Z], peer.components_, peer.mean_, peer.noise_variance_),
    )
    evidence = log_evidence(best, given={"x": rows}).detach()
    np.testing.assert_allclose(evidence, peer.score_samples(rows), rtol=1e-9)
    stayed = fit(best, {"x": rows}, iterations=3, tolerance=0.0)
    assert stayed.log_likelihood == pytest.approx(evidence.sum().item(), abs=1e-6)
    start = factor_analysis(Z, X, rows)
    found = fit(start, {"x": rows}, iterations=40, tolerance=0.0)
    gap = evidence.sum().item() - log_evidence(start, given={"x": rows}).sum().item()
    assert 0 <= evidence.sum().item() - found.log_likelihood < 0.05 * gap  # EM closes in slowly
    assert torch.equal(found.model.conditionals["z"].covariance.detach(), torch.ones((), dtype=torch.float64))


def test_the_start_has_the_variances_of_the_rows() -> None:
    rows = rows_of(2)
    moments = infer(factor_analysis(Z, X, rows), ["x"])["x"]
    np.testing.assert_allclose(moments.variance.detach(), rows.var(0), rtol=1e-9)
    np.testing.assert_allclose(moments.mean.detach(), rows.mean(0), rtol=1e-9)


def test_as_many_factors_as_numbers_leave_no_noise() -> None:
    rows = rows_of(3)
    model = probabilistic_pca(Variable("z", Real(5)), X, rows)
    np.testing.assert_allclose(infer(model, ["x"])["x"].covariance.detach(), np.cov(rows.T, bias=True), atol=1e-9)


def test_errors() -> None:
    with pytest.raises(ShapeError, match=r"probabilistic_pca: 'z' is Real\(6\), expected Real\(k\) with k up to 5."):
        probabilistic_pca(Variable("z", Real(6)), X, rows_of(0))
    with pytest.raises(GraphError, match=r"factor_analysis: 'x' is Real\(\), expected Real\(d\)."):
        factor_analysis(Z, Variable("x", Real()), [0.0])
    with pytest.raises(ShapeError, match=r"factor_analysis: rows have shape \(0, 5\), expected \[rows, 5\], none"):
        factor_analysis(Z, X, np.zeros((0, 5)))
