"""Classifiers in scikit-learn's manner: its own checks, and its own classifiers."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KernelDensity
from sklearn.utils.estimator_checks import check_estimator

from pgm import (
    Classifier,
    Density,
    NormalInverseWishart,
    Real,
    Variable,
    gaussian_mixture,
    kernel_density,
    log_evidence,
    probabilistic_pca,
)
from pgm.models.estimators import bag, mixtures, single, tree
from pgm.models.estimators import naive as naive_

KINDS = {
    "gaussian": Classifier(),
    "bernoulli": Classifier(features="binary"),
    "multinomial": Classifier(bag, features="positive"),
    "tree": Classifier(tree, features="bins"),
    "mixtures": Classifier(mixtures, smoothing=1e-2, iterations=10),
}


@pytest.mark.parametrize("kind", KINDS)
def test_scikit_learn_is_content(kind: str) -> None:
    found = check_estimator(KINDS[kind], on_skip=None)
    assert len(found) > 40
    assert {each["status"] for each in found} <= {"passed", "skipped"}  # their own skips, such as for pandas' absence


FLOOR = NormalInverseWishart(0.01)


def mixture(x: Variable, rows: torch.Tensor):
    return gaussian_mixture(Variable("k", 2), x, rows, prior=FLOOR)


@pytest.mark.parametrize("build", [single, mixture])
def test_scikit_learn_is_content_with_densities(build) -> None:
    found = check_estimator(Density(build, prior=FLOOR, iterations=3), on_skip=None)
    assert {each["status"] for each in found} <= {"passed", "skipped"}


def test_densities_are_those_of_scikit_learn() -> None:
    rows = load_iris().data
    peers = {
        PCA(2).fit(rows * (149 / 150) ** 0.5 + rows.mean(0) * (1 - (149 / 150) ** 0.5)): lambda x, rows: (
            probabilistic_pca(Variable("z", Real(2)), x, rows)
        ),
        KernelDensity(bandwidth=0.4).fit(rows): lambda x, rows: kernel_density(x, rows, 0.4),
    }
    for peer, build in peers.items():
        made = Density(build, iterations=0).fit(rows)
        np.testing.assert_allclose(made.score_samples(rows), peer.score_samples(rows), rtol=1e-9)
        assert made.score(rows) == pytest.approx(made.score_samples(rows).mean())
    covariance = np.cov(rows.T, bias=True)
    expected = multivariate_normal(rows.mean(0), covariance).logpdf(rows)
    np.testing.assert_allclose(Density().fit(rows).score_samples(rows), expected, rtol=1e-9)


def test_classifiers_are_those_of_scikit_learn() -> None:
    flowers, digits = load_iris(return_X_y=True), load_digits(return_X_y=True)
    pairs = [
        (Classifier(), GaussianNB(), flowers),
        (Classifier(features="binary", threshold=7.5, counts=0.3), BernoulliNB(binarize=7.5, alpha=0.3), digits),
        (Classifier(bag, features="positive"), MultinomialNB(), digits),
    ]
    for ours, theirs, (rows, labels) in pairs:
        ours.fit(rows[::2], labels[::2]), theirs.fit(rows[::2], labels[::2])
        expected = theirs.predict_log_proba(rows[1::2])
        np.testing.assert_allclose(ours.predict_log_proba(rows[1::2]), expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(np.exp(expected), ours.predict_proba(rows[1::2]), atol=1e-6)
        assert ours.score(rows, labels) == theirs.score(rows, labels)


def test_a_tree_and_mixtures_tell_more_than_naive_bayes() -> None:
    rows, labels = load_digits(return_X_y=True)
    naive, tree_ = (Classifier(build, features="bins", bins=3) for build in (naive_, tree))
    before, after = (cross_val_score(each, rows[:600, 10:50:3], labels[:600], cv=3).mean() for each in (naive, tree_))
    assert after > before
    one, two = (
        Classifier(partial(mixtures, components=n), smoothing=1e-2, iterations=20).fit(rows[:500, 20:40], labels[:500])
        for n in (1, 2)
    )
    assert two.score_samples(rows[:500, 20:40]).mean() > one.score_samples(rows[:500, 20:40]).mean()


def test_evidence_is_the_sum_over_classes() -> None:
    rows, labels = load_iris(return_X_y=True)
    model = Classifier(tree, features="bins").fit(rows, labels)
    joint = model.predict_joint_log_proba(rows)
    evidence = log_evidence(model.model_, given=model.features_(rows)).detach()
    np.testing.assert_allclose(evidence, model.score_samples(rows))
    np.testing.assert_allclose(np.exp(joint - model.score_samples(rows)[:, None]), model.predict_proba(rows))


def test_classes_keep_their_labels_and_names_of_columns_are_checked() -> None:
    rows, labels = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[labels]
    model = Classifier().fit(rows, names)
    assert list(model.classes_) == list(model.model_["class"].states) == ["setosa", "versicolor", "virginica"]
    assert list(model.feature_names_in_) == list(rows.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(rows[rows.columns[::-1]])


def test_a_component_that_no_row_belongs_to_keeps_a_variance() -> None:
    """EM empties components on these flowers; their variances have to be those of the prior."""
    rows, labels = load_iris(return_X_y=True)
    train, _ = list(StratifiedKFold(3).split(rows, labels))[1]
    model = Classifier(mixtures, smoothing=1e-2).fit(rows[train], labels[train])
    covariance = model.model_.conditionals["x"].covariance.detach()
    weights = model.model_.conditionals["component"].table.detach()
    empty = weights < 1e-9
    largest = rows[train].var(0).max()
    assert bool(empty.any())
    variances = covariance[empty].diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(variances, torch.full_like(variances, largest))
