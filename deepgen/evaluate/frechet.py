"""Distances between images by what a network of our own makes of them; no weights are fetched from anywhere."""

from __future__ import annotations

import warnings
from types import ModuleType

import torch
from torch import Tensor, nn

from pgm.errors import PlanError

from ..data.data import Data
from .features import Features, image_column
from .figure import Figure
from .halves import halves

SUBSETS, SUBSET = 10, 1000  # of the kernel distance: how many, and rows each at most


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

    Without bias whatever the count of samples, unlike `lenet_fid`.

    Args, Raises: as for `lenet_fid`.

    Reference: Binkowski, Sutherland, Arbel and Gretton (2018), Demystifying MMD GANs.
    """
    seen = halves(samples, data[image_column(data)], seed).seen(features)
    return seen.figure("LeNet-KID", lambda one, other: kernel(one, other, seed), f"{data.name}, {features}")


def frechet(one: Tensor, other: Tensor) -> float:
    """The Frechet distance of the Gaussians with the means and covariances of two sets of features `[rows, features]`.

    Example:
        >>> x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
        >>> round(frechet(x, x + torch.tensor([2.0, 0.0, 0.0])), 3)
        4.0
    """
    metric = _image().fid.FrechetInceptionDistance(_Given(one.shape[1])).to(one.device)
    metric.update(one, real=True)
    metric.update(other, real=False)
    return float(metric.compute())


def kernel(one: Tensor, other: Tensor, seed: int = 0) -> float:
    """The unbiased squared maximum mean discrepancy of two sets of features `[rows, features]`, by subsets."""
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance`")  # that it keeps features, as it must
        torch.manual_seed(seed)
        size = min(SUBSET, len(one), len(other))
        metric = _image().kid.KernelInceptionDistance(_Given(one.shape[1]), SUBSETS, size).to(one.device)
        metric.update(one, real=True)
        metric.update(other, real=False)
        return float(metric.compute()[0])


def _image() -> ModuleType:
    try:
        import torchmetrics.image.fid
        import torchmetrics.image.kid
    except ImportError:
        raise PlanError("lenet_fid: it is computed by torchmetrics; pip install torchmetrics.") from None
    return torchmetrics.image


class _Given(nn.Module):
    """Features that are there already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.num_features = features

    def forward(self, features: Tensor) -> Tensor:
        return features
