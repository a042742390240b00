"""Distances between images by what a network of our own makes of them; no weights are fetched from anywhere."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.data import Data
from .bounds import error
from .features import Features, image_column
from .figure import Figure
from .halves import halves

PORTION = 1000  # rows of which the kernel distance compares all with all


def lenet_fid(samples: Tensor, data: Data, features: Features, seed: int = 0) -> Figure:
    """The Frechet distance of samples and data in the features of a network trained on such data.

        |m - n|^2 + tr(S + T - 2 (S T)^(1/2)), with m, n the means and S, T the covariances of the features

    It can be compared only between figures with the same features and the same count of samples, and not at all with
    distances in the features of Inception. How far two parts of the data of that size are apart is said along with it:
    nothing can be expected to be nearer.

    Args:
        samples: images `[rows, *event]`.
        data: real ones.
        features: see `train_features`.
        seed: of which rows of the data are looked at.

    Raises:
        ShapeError: when there are too few rows.

    Reference: Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a local Nash equilibrium.
    """
    seen = halves(samples, data[image_column(data)], seed).seen(features)
    return seen.figure("LeNet-FID", frechet, f"{data.name}, {features}")


def lenet_kid(samples: Tensor, data: Data, features: Features, seed: int = 0) -> Figure:
    """The kernel distance (squared maximum mean discrepancy, cubic kernel) of samples and data in the same features.

    Without bias whatever the count of samples, unlike `lenet_fid`, and so it may come out below 0; the mean of portions
    of the rows, whose spread gives the standard error.

    Args, Raises: as for `lenet_fid`.

    Reference: Binkowski, Sutherland, Arbel and Gretton (2018), Demystifying MMD GANs; Zaremba, Gretton and Blaschko
    (2013), B-tests: low variance kernel two-sample tests.
    """
    seen = halves(samples, data[image_column(data)], seed, least=4).seen(features)
    values, own = kernel(seen.samples, seen.one), kernel(seen.other, seen.one).mean().item()
    how = f"{len(seen.samples):,} samples, {data.name}, {features}; of the data themselves {own:.4g}"
    return Figure("LeNet-KID", values.mean().item(), "estimate", how, error(values))


def frechet(one: Tensor, other: Tensor) -> float:
    """The Frechet distance of the Gaussians with the means and covariances of two sets of features `[rows, features]`.

    Example:
        >>> x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
        >>> round(frechet(x, x + torch.tensor([2.0, 0.0, 0.0])), 3)
        4.0
    """
    (m, s), (n, t) = ((x.mean(0), x.T.cov().reshape(2 * x.shape[1:])) for x in (one.double(), other.double()))
    root = torch.linalg.eigvals(s @ t).sqrt().real.sum()  # of the root of S T the trace, though it is not symmetric
    return float((m - n).square().sum() + s.trace() + t.trace() - 2 * root)


def kernel(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased squared maximum mean discrepancy of each portion of two sets of features `[rows, features]`.

        k(x, y) = (x . y / features + 1)^3

    Args:
        one, other: as many rows each, 4 or more.

    Returns:
        `[portions]`, independent of each other: two or more portions, none of more than 1,000 rows.

    Example:
        >>> kernel(torch.zeros(4, 1), torch.ones(4, 1))  # 1 + 8 - 2
        tensor([7., 7.], dtype=torch.float64)
    """
    portions = max(2, -(-len(one) // PORTION))
    pairs = zip(one.double().tensor_split(portions), other.double().tensor_split(portions), strict=True)
    return torch.stack([_discrepancy(x, y) for x, y in pairs])


def _discrepancy(x: Tensor, y: Tensor) -> Tensor:
    n, (own, theirs, between) = len(x), ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    return (own.sum() - own.trace() + theirs.sum() - theirs.trace()) / (n * (n - 1)) - 2 * between.mean()
