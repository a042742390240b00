"""Naive Bayes of every kind of features: against scikit-learn, and published figures on MNIST."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB

from pgm import (
    BayesianNetwork,
    Binary,
    Count,
    Dirichlet,
    IndependentBernoulli,
    Real,
    Variable,
    fit,
    infer,
    log_evidence,
    naive_bayes,
)

LABEL = Variable("label", 3)
LABELS = np.random.default_rng(0).integers(3, size=150)
DATA = os.environ.get("DEEPGEN_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="DEEPGEN_DATA is not set")


def posterior(model, names_and_rows) -> np.ndarray:
    return infer(model, ["label"], given=names_and_rows)["label"].detach().numpy()


def vectors(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows that depend on the label, and others to classify."""
    draw = getattr(np.random.default_rng(1), kind)
    return draw(LABELS[:, None] + 1.0, size=(150, 4)).astype(float), draw(2.0, size=(20, 4)).astype(float)


@pytest.mark.parametrize(
    ("form", "tied", "peer"),
    [
        ("diagonal", False, GaussianNB(var_smoothing=0.0)),
        ("full", False, QuadraticDiscriminantAnalysis()),
        ("full", True, LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True)),
    ],
)
def test_gaussians_are_those_of_scikit_learn(form: str, tied: bool, peer) -> None:
    rows, others = vectors("normal")
    x = Variable("x", Real(4))
    model = fit(naive_bayes(LABEL, x, covariance=form, tied=tied), {"label": LABELS, "x": rows}).model
    np.testing.assert_allclose(posterior(model, {"x": others}), peer.fit(rows, LABELS).predict_proba(others), atol=1e-9)


def test_bernoullis_are_those_of_scikit_learn() -> None:
    rows, others = (x > 2 for x in vectors("normal"))
    model = naive_bayes(LABEL, Variable("x", Binary(4)))
    found = fit(model, {"label": LABELS, "x": rows.astype(float)}, prior={"x": Dirichlet(0.7)}).model
    peer = BernoulliNB(alpha=0.7).fit(rows, LABELS)
    np.testing.assert_allclose(posterior(found, {"x": others.astype(float)}), peer.predict_proba(others), atol=1e-12)
    joint = peer.predict_joint_log_proba(others)
    evidence = log_evidence(found, given={"x": others.astype(float)}).detach()
    np.testing.assert_allclose(evidence, np.logaddexp.reduce(joint, axis=1), rtol=1e-12)


def test_multinomials_are_those_of_scikit_learn() -> None:
    rows, others = vectors("poisson")
    model = naive_bayes(LABEL, Variable("x", Count(4)))
    found = fit(model, {"label": LABELS, "x": rows}, prior={"x": Dirichlet(0.5)}).model
    peer = MultinomialNB(alpha=0.5).fit(rows, LABELS)
    np.testing.assert_allclose(posterior(found, {"x": others}), peer.predict_proba(others), atol=1e-12)


def test_several_features_with_states_are_those_of_scikit_learn() -> None:
    rows = np.random.default_rng(2).integers(3, size=(150, 2)) * (LABELS[:, None] > 0)
    a, b = Variable("a", 3), Variable("b", 3)
    data = {"label": LABELS, "a": rows[:, 0], "b": rows[:, 1]}
    found = fit(naive_bayes(LABEL, [a, b]), data, prior={"a": Dirichlet(1.0), "b": Dirichlet(1.0)}).model
    peer = CategoricalNB(alpha=1.0, min_categories=3).fit(rows, LABELS)
    expected = peer.predict_proba(rows[:30])
    np.testing.assert_allclose(posterior(found, {"a": rows[:30, 0], "b": rows[:30, 1]}), expected, atol=1e-12)


def test_a_hidden_class_is_a_mixture_of_bernoullis_whose_likelihood_rises_to_a_stationary_point() -> None:
    rows = (np.random.default_rng(3).random((60, 5)) < np.where(np.arange(60)[:, None] % 2, 0.2, 0.7)).astype(float)
    k = Variable("k", 2)
    found = fit(naive_bayes(k, Variable("x", Binary(5))), {"x": rows}, seed=1, iterations=2000, tolerance=1e-14).model
    p, weight = found.conditionals["x"].probabilities, found.conditionals["k"].table
    slope_p, slope_k = torch.autograd.grad(log_evidence(found, given={"x": rows}).sum(), [p, weight])
    inside = (p > 1e-6) & (p < 1 - 1e-6)
    assert (slope_p * p * (1 - p))[inside].abs().max() < 1e-3  # of a sum of about 200 nats
    torch.testing.assert_close(slope_k, torch.full_like(slope_k, 60.0), rtol=1e-5, atol=0.0)  # Lagrange: n for each


def mnist(name: str) -> np.ndarray:
    packed = gzip.decompress((Path(DATA) / "mnist" / f"{name}-ubyte.gz").read_bytes())
    return np.frombuffer(packed, np.uint8, offset=16 if "images" in name else 8)


@needs_data
def test_bernoulli_naive_bayes_on_mnist() -> None:
    """Pixels above 127 of 255 are ink; Laplace's rule: accuracy .8427 and 168.92 nats an image on the test set."""
    digit, pixels = Variable("digit", 10), Variable("pixels", Binary(784))
    train, test = (
        torch.from_numpy(mnist(f"{n}-images-idx3").reshape(-1, 784) > 127).double() for n in ("train", "t10k")
    )
    labels, expected = (torch.from_numpy(mnist(f"{n}-labels-idx1").astype(int)) for n in ("train", "t10k"))
    model = fit(naive_bayes(digit, pixels), {"digit": labels, "pixels": train}, prior={"pixels": Dirichlet(1.0)}).model
    post = infer(model, ["digit"], given={"pixels": test})
    assert (post["digit"].argmax(-1) == expected).double().mean().item() == pytest.approx(0.8427, abs=5e-5)
    assert -post.log_evidence.mean().item() == pytest.approx(168.92, abs=5e-3)


@needs_data
def test_independent_pixels_on_statically_binarised_mnist() -> None:
    """205.79 nats an image on the test set of Salakhutdinov and Murray's binarisation."""
    packed = np.load(Path(DATA) / "mnist_static_binary.npz")
    train, test = (torch.from_numpy(np.unpackbits(packed[n], axis=1)[:, :784]).double() for n in ("train", "test"))
    x = Variable("x", Binary(784))
    model = BayesianNetwork(IndependentBernoulli(x, [], torch.full((784,), 0.5)))
    found = fit(model, {"x": train}, prior=Dirichlet(1.0)).model
    assert -log_evidence(found, given={"x": test}).mean().item() == pytest.approx(205.79, abs=5e-3)
