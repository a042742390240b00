"""Vectors that a few hidden numbers explain: factor analysis and probabilistic principal components."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from ..errors import GraphError, ShapeError
from ..gaussians import Gaussian, LinearGaussian
from ..model import BayesianNetwork
from ..terms import Numbers
from ..values import read_value
from ..variable import Variable


def probabilistic_pca(z: Variable, x: Variable, rows: Numbers) -> BayesianNetwork:
    """Probabilistic principal components, z ~ N(0, I), x ~ N(z W + mean, variance I), at the maximum of likelihood.

    With the eigenvalues l_1 >= l_2 >= ... and eigenvectors u_i of the rows' covariance (divided by their number), the
    variance is the mean of the eigenvalues beyond the first k, and row i of W is u_i sqrt(l_i - variance).

    Args:
        z: a `Real(k)` variable, the hidden factors.
        x: a `Real(d)` variable with d >= k.
        rows: what was seen, `[rows, d]`, none missing. With missing numbers use `factor_analysis` and `fit`.

    Returns:
        The fitted model; `fit` can go on from it.

    Raises:
        ShapeError: when there are more factors than numbers, or no rows.

    Example:
        >>> from pgm import Real, Variable, infer
        >>> z, x = Variable("z", Real(1)), Variable("x", Real(2))
        >>> line = probabilistic_pca(z, x, [[0.0, 0.0], [1.0, 1.1], [2.0, 1.9], [3.0, 3.0]])
        >>> infer(line, ["z"], given={"x": [1.5, 1.5]})["z"].mean.abs() < 1e-9
        tensor([True])

    Reference: Tipping and Bishop (1999), Probabilistic principal component analysis.
    """
    weights, mean, values = _components(z, x, rows, "probabilistic_pca")
    rest = values[z.shape[0] :]
    return _factors(z, x, weights, mean, rest.mean() if len(rest) else torch.zeros(()).to(values))


def factor_analysis(z: Variable, x: Variable, rows: Numbers) -> BayesianNetwork:
    """Factor analysis, z ~ N(0, I), x ~ N(z W + mean, diagonal): where to start `fit`.

    The loadings W are those of probabilistic principal components, the variances what these leave of each number's.

    Args:
        z: a `Real(k)` variable, the hidden factors.
        x: a `Real(d)` variable with d >= k.
        rows: what was seen, `[rows, d]`, none missing.

    Raises:
        ShapeError: when there are more factors than numbers, or no rows.

    Example:
        >>> from pgm import Real, Variable
        >>> z, x = Variable("z", Real(1)), Variable("x", Real(2))
        >>> factor_analysis(z, x, [[0.0, 0.0], [1.0, 1.1], [2.0, 1.9], [3.0, 3.1]]).conditionals["x"]
        LinearGaussian(x | z)

    Reference: Rubin and Thayer (1982), EM algorithms for ML factor analysis.
    """
    weights, mean, values = _components(z, x, rows, "factor_analysis")
    left = _checked(x, rows, "factor_analysis").var(0, correction=0) - weights.square().sum(0)
    return _factors(z, x, weights, mean, left.clamp(min=TINY * float(values[0])))


TINY = 1e-6  # share of the largest eigenvalue that a variance has at least where EM starts


def _factors(z: Variable, x: Variable, weights: Tensor, mean: Tensor, covariance: Tensor) -> BayesianNetwork:
    standard = Gaussian(z, torch.zeros(z.shape, dtype=torch.float64), 1.0).requires_grad_(False)  # fit leaves it so
    return BayesianNetwork(standard, LinearGaussian(x, [z], weights, mean, covariance))


def _components(z: Variable, x: Variable, rows: Numbers, subject: str) -> tuple[Tensor, Tensor, Tensor]:
    """Loadings `[k, d]`, the mean and all eigenvalues, largest first."""
    table = _checked(x, rows, subject)
    if z.finite or len(z.shape) != 1 or z.shape[0] > prod(x.shape):
        raise ShapeError(f"{subject}: {z.name!r} is {z.domain!r}, expected Real(k) with k up to {prod(x.shape)}.")
    mean = table.mean(0)
    values, vectors = torch.linalg.eigh((table - mean).mT @ (table - mean) / len(table))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    k = z.shape[0]
    rest = values[k:].mean() if k < len(values) else torch.zeros(()).to(values)
    return vectors[:, :k].mT * (values[:k] - rest).clamp(min=0).sqrt().unsqueeze(-1), mean, values


def _checked(x: Variable, rows: Numbers, subject: str) -> Tensor:
    """Complete rows `[rows, d]`."""
    if x.finite or len(x.shape) != 1:
        raise GraphError(f"{subject}: {x.name!r} is {x.domain!r}, expected Real(d).")
    table = read_value(x, rows, subject).double()
    if table.dim() != 2 or not len(table) or bool(table.isnan().any()):
        raise ShapeError(
            f"{subject}: rows have shape {tuple(table.shape)}, expected [rows, {x.shape[0]}], none missing."
        )
    return table
