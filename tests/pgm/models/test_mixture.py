"""Mixtures and kernel densities: against scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from pgm import (
    EvidenceError,
    Real,
    ShapeError,
    Variable,
    fit,
    gaussian_mixture,
    infer,
    kernel_density,
    log_evidence,
    mixture_discriminant,
)
from pgm.models.starts import clusters

FORMS = {
    ("full", False): "full",
    ("diagonal", False): "diag",
    ("spherical", False): "spherical",
    ("full", True): "tied",
}
K, X = Variable("component", 3), Variable("x", Real(2))


def three_clouds() -> np.ndarray:
    random = np.random.default_rng(0)
    clouds = [(80, [0, 0], [[1, 0.6], [0.6, 1]]), (60, [3, -2], [[0.5, 0], [0, 2]]), (60, [-2, 4], [[2, -1], [-1, 1]])]
    return np.concatenate([random.multivariate_normal(mean, covariance, n) for n, mean, covariance in clouds])


def peer_of(model, form: str, **options) -> GaussianMixture:
    """Scikit-learn's mixture with the same parameters."""
    term, rows = model.conditionals["x"], model.conditionals["component"].table.detach().numpy()
    covariance = term.covariance.detach()
    covariance = covariance[0] if form == "tied" else covariance
    return GaussianMixture(
        3,
        covariance_type=form,
        reg_covar=0.0,
        weights_init=rows,
        means_init=term.bias.detach().numpy(),
        precisions_init=(torch.linalg.inv(covariance) if form in ("full", "tied") else 1 / covariance).numpy(),
        **options,
    )


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_em_from_one_start_is_that_of_scikit_learn(kind: tuple[str, bool]) -> None:
    rows, steps = three_clouds(), 7
    start = gaussian_mixture(K, X, rows, covariance=kind[0], tied=kind[1])
    found = fit(start, {"x": rows}, iterations=steps, tolerance=0.0).model
    # theirs begins an iteration by an E-step under the given parameters, as ours does
    peer = peer_of(start, FORMS[kind], max_iter=steps, tol=0.0).fit(rows)
    np.testing.assert_allclose(found.conditionals["component"].table.detach(), peer.weights_, rtol=1e-6)
    np.testing.assert_allclose(found.conditionals["x"].bias.detach(), peer.means_, rtol=1e-6, atol=1e-8)
    covariance = found.conditionals["x"].covariance.detach().numpy().reshape(peer.covariances_.shape)
    np.testing.assert_allclose(covariance, peer.covariances_, rtol=1e-6, atol=1e-8)
    given = {"x": rows}
    np.testing.assert_allclose(log_evidence(found, given=given).detach(), peer.score_samples(rows), rtol=1e-6)
    posterior = infer(found, ["component"], given=given)["component"]
    np.testing.assert_allclose(posterior.detach(), peer.predict_proba(rows), atol=1e-8)


def test_the_start_is_the_clusters_and_its_seed_decides() -> None:
    rows = three_clouds()
    one, same = (gaussian_mixture(K, X, rows, seed=4) for _ in range(2))
    chosen = clusters(torch.from_numpy(rows), 3, torch.Generator().manual_seed(4)).numpy()
    centres = np.stack([rows[chosen == state].mean(0) for state in range(3)])
    np.testing.assert_allclose(one.conditionals["x"].bias.detach(), centres, rtol=1e-12)
    within = np.cov((rows - centres[chosen]).T, bias=True)
    np.testing.assert_allclose(one.conditionals["x"].covariance.detach(), [within] * 3, rtol=1e-9, atol=1e-12)
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), same.parameters(), strict=True))


def test_clusters_cannot_be_bettered_by_moving_a_row() -> None:
    rows = torch.from_numpy(three_clouds())
    chosen = clusters(rows, 4, torch.Generator().manual_seed(1))
    centres = torch.stack([rows[chosen == k].mean(0) for k in range(4)])
    assert torch.equal(torch.cdist(rows, centres).argmin(1), chosen)


def test_equal_rows_leave_clusters_empty() -> None:
    assert clusters(torch.ones(5, 2), 3, torch.Generator().manual_seed(0)).unique().numel() == 1


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_kernel_density_is_that_of_scikit_learn(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    kernels, rows = random.normal(size=(40, *shape)), random.normal(size=(25, *shape))
    model = kernel_density(Variable("x", Real(*shape)), kernels, 0.3)
    peer = KernelDensity(bandwidth=0.3).fit(kernels.reshape(40, -1))
    expected = peer.score_samples(rows.reshape(25, -1))
    np.testing.assert_allclose(log_evidence(model, given={"x": rows}).detach(), expected, rtol=1e-9)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_mixture_for_each_class_is_fitted_as_if_alone() -> None:
    rows = three_clouds()
    label = np.repeat([0, 1, 1], [80, 60, 60])
    side, part = Variable("side", 2), Variable("part", 2)
    data = {"side": label, "x": rows}
    found = fit(mixture_discriminant(side, part, X, data), data, tolerance=1e-12, iterations=500).model
    alone = [found.conditionals["x"].bias[k].detach().numpy() for k in range(2)]
    for k in range(2):
        peer = GaussianMixture(
            2,
            reg_covar=0.0,
            tol=1e-12,
            means_init=alone[k],
            weights_init=found.conditionals["part"].table[k].detach().numpy(),
            precisions_init=torch.linalg.inv(found.conditionals["x"].covariance[k].detach()).numpy(),
        ).fit(rows[label == k])
        np.testing.assert_allclose(peer.means_, alone[k], rtol=1e-4, atol=1e-4)
        given = {"side": np.full(len(rows), k), "x": rows}
        share = np.log((label == k).mean())
        np.testing.assert_allclose(
            log_evidence(found, given=given).detach() - share, peer.score_samples(rows), rtol=1e-4
        )


def test_errors() -> None:
    with pytest.raises(EvidenceError, match=r"gaussian_mixture: rows have shape \(1, 2\), expected \[rows, 2\], none"):
        gaussian_mixture(K, X, [[float("nan"), 0.0]])
    with pytest.raises(EvidenceError, match=r"kernel_density: rows have shape \(2,\), expected \[rows, 2\], none"):
        kernel_density(X, [0.0, 1.0], 0.5)
    with pytest.raises(ShapeError, match=r"covariance is 'round', expected one of full, diagonal, spherical."):
        gaussian_mixture(K, X, [[0.0, 0.0]], covariance="round")
