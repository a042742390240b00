"""Samples beside data: distances between two sets of rows, and which part of the data samples cover."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from pgm.errors import ShapeError

SPARE = 8  # neighbours that are looked at again


@dataclass(frozen=True)
class Modes:
    """What samples of a mixture of equal Gaussians have found.

    Args:
        captured: how many modes are nearest to at least one high-quality sample.
        of: how many modes there are.
        high_quality: the share of samples within so many standard deviations of their nearest mode.
        counts: high-quality samples of each mode.
    """

    captured: int
    of: int
    high_quality: float
    counts: tuple[int, ...]

    @property
    def divergence(self) -> float:
        """sum_m p_m log(p_m modes), p_m the share of mode m in the counts: 0 when all are equal; infinite for none."""
        counts = torch.tensor(self.counts, dtype=torch.float64)
        shares = counts / counts.sum()
        return torch.xlogy(shares, shares * self.of).sum().item() if counts.any() else inf

    def __str__(self) -> str:
        return f"{self.captured} of {self.of} modes, {100 * self.high_quality:.1f} % of high quality"


def modes(samples: Tensor, centres: Tensor, deviation: float, within: float = 3.0) -> Modes:
    """How many modes of a mixture samples have captured, and the share of them that is of high quality.

    Args:
        samples: `[rows, 2]` or of any other length.
        centres: of the modes, `[modes, 2]`.
        deviation: the standard deviation of each mode, in every direction.
        within: how many of those a high-quality sample may be away.

    Raises:
        ShapeError: when the two have not the same axes.

    Example:
        >>> from deepgen.data.toys import ring, ring_centres
        >>> print(modes(ring(2500)["x"], ring_centres(), 0.01))
        8 of 8 modes, 98.6 % of high quality

    Reference: Srivastava et al. (2017), VEEGAN.
    """
    _same(samples, centres, "modes")
    distance, nearest = torch.cdist(samples, centres).min(1)
    good = distance <= within * deviation
    counts = nearest[good].bincount(minlength=len(centres))
    share = good.float().mean().item()
    return Modes(int((counts > 0).sum()), len(centres), share, tuple(counts.tolist()))


def sliced_wasserstein(one: Tensor, other: Tensor, directions: int = 200, seed: int = 0) -> float:
    """The sliced Wasserstein distance of order 2: the root mean square of that along random lines.

    Along a line it is that of two sorted lists. Both sets need the same number of rows; two independent halves of the
    data say what it is when there is nothing to tell apart.

    Args:
        one, other: `[rows, *event]`.
        directions: how many lines.
        seed: of their directions.

    Raises:
        ShapeError: when the two have not the same shape.

    Example:
        >>> x = torch.zeros(100, 3)
        >>> round(sliced_wasserstein(x, x + torch.tensor([3.0, 0.0, 0.0]), directions=20_000), 2)  # about 3 / sqrt(3)
        1.74

    Reference: Rabin, Peyre, Delon and Bernot (2012), Wasserstein barycenter and its application to texture mixing.
    """
    if one.shape != other.shape:
        raise ShapeError(
            f"sliced_wasserstein: shapes are {tuple(one.shape)} and {tuple(other.shape)}, expected the same."
        )
    flat = [x.flatten(1).double() for x in (one, other)]
    generator = torch.Generator(one.device).manual_seed(seed)
    lines = torch.randn(flat[0].shape[1], directions, generator=generator, device=one.device, dtype=torch.float64)
    lines = lines / lines.norm(dim=0)
    first, second = ((x @ lines).sort(0).values for x in flat)
    return (first - second).square().mean().sqrt().item()


def maximum_mean_discrepancy(one: Tensor, other: Tensor, bandwidth: float | None = None) -> float:
    """The squared maximum mean discrepancy under a Gaussian kernel, unbiased: 0 on average for one distribution.

    E k(x, x') + E k(y, y') - 2 E k(x, y) with k(x, y) = exp(-|x - y|^2 / (2 bandwidth^2)).

    Args:
        one, other: `[rows, *event]`, two rows or more each.
        bandwidth: of the kernel; the median distance between rows of both by default, or 1 where that is 0.

    Raises:
        ShapeError: when the two have not the same event shape, or fewer than two rows.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> round(maximum_mean_discrepancy(x, x + 100.0, bandwidth=1.0), 4)  # 2 exp(-1/2)
        1.2131

    Reference: Gretton et al. (2012), A kernel two-sample test.
    """
    x, y = _flat(one, other, "maximum_mean_discrepancy", least=2)
    distances = torch.cdist(torch.cat([x, y]), torch.cat([x, y]))
    if bandwidth is None:
        others = ~torch.eye(len(distances), dtype=torch.bool, device=distances.device)
        bandwidth = float(distances[others].median()) or 1.0
    kernel = (-distances.square() / (2 * bandwidth**2)).exp()
    n, m = len(x), len(y)
    own = (kernel[:n, :n].sum() - n) / (n * (n - 1)), (kernel[n:, n:].sum() - m) / (m * (m - 1))
    return float(own[0] + own[1] - 2 * kernel[:n, n:].mean())


@dataclass(frozen=True)
class Coverage:
    """How samples and data cover one another, by the distance to the k-th nearest neighbour of each row.

    Args:
        precision: the share of samples that lie within reach of some row of the data: fidelity.
        recall: the share of data that lie within reach of some sample: diversity.
        density: how many rows of the data have a sample within reach, a sample, divided by k; 1 for one distribution.
        coverage: the share of data that have a sample within their reach.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def coverage(samples: Tensor, data: Tensor, k: int = 5) -> Coverage:
    """Precision, recall, density and coverage of samples.

    Args:
        samples, data: `[rows, *event]`, more than k rows each; features of images rather than pixels.
        k: which neighbour sets the reach of a row.

    Raises:
        ShapeError: when the two have not the same event shape, or too few rows.

    Example:
        >>> line = torch.arange(20.0)[:, None]
        >>> found = coverage(line[:10], line)  # of the first half
        >>> round(found.precision, 2), round(found.recall, 2), round(found.coverage, 2)
        (1.0, 0.75, 0.65)

    Reference: Kynkaanniemi et al. (2019), Improved precision and recall metric for assessing generative models; Naeem
    et al. (2020), Reliable fidelity and diversity metrics for generative models.
    """
    x, y = _flat(samples, data, "coverage", least=k + 1)
    reach_x, reach_y = (
        torch.cdist(rows, rows).kthvalue(k + 1).values for rows in (x, y)
    )  # the first is the row itself
    between = torch.cdist(x, y)  # [samples, data]
    in_data, in_samples = between <= reach_y, between <= reach_x[:, None]
    return Coverage(
        in_data.any(1).float().mean().item(),
        in_samples.any(0).float().mean().item(),
        in_data.float().sum(1).mean().item() / k,
        in_data.any(0).float().mean().item(),
    )


def nearest(samples: Tensor, data: Tensor, k: int = 1, at_once: int = 1024) -> tuple[Tensor, Tensor]:
    """The nearest rows of the data to each sample, nearest first, and how far they are: what was copied lies at 0.

    Args:
        samples, data: `[rows, *event]`.
        k: how many rows for each sample.
        at_once: samples that are compared together.

    Returns:
        Row numbers `[samples, k]` and Euclidean distances `[samples, k]`.

    Raises:
        ShapeError: when the two have not the same event shape, or the data fewer than k rows.

    Example:
        >>> nearest(torch.tensor([[0.2], [5.0]]), torch.tensor([[0.0], [4.0]]))
        (tensor([[0], [1]]), tensor([[0.2000], [1.0000]]))
    """
    x, y = _flat(samples, data, "nearest", least=1)
    if len(y) < k:
        raise ShapeError(f"nearest: there are {len(y)} rows of data, expected {k} or more.")
    found = [_nearest(some, y, k) for some in x.split(at_once)]
    return torch.cat([rows for rows, _ in found]), torch.cat([distances for _, distances in found])


def _nearest(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Some more than k by products of matrices, which lose what is small beside the rows; of these k by differences."""
    likely = torch.cdist(x, y).topk(min(k + SPARE, len(y)), largest=False).indices  # [rows, likely]
    distances, order = torch.stack([(x - y[each]).norm(dim=1) for each in likely.T], 1).topk(k, largest=False)
    return likely.gather(1, order), distances.float()


def _flat(one: Tensor, other: Tensor, subject: str, least: int) -> tuple[Tensor, Tensor]:
    _same(one, other, subject)
    if min(len(one), len(other)) < least:
        raise ShapeError(f"{subject}: there are {len(one)} and {len(other)} rows, expected {least} or more each.")
    return one.flatten(1).double(), other.flatten(1).double()  # distances by products lose half of all digits


def _same(one: Tensor, other: Tensor, subject: str) -> None:
    if one.shape[1:] != other.shape[1:] or one.dim() < 2:
        raise ShapeError(f"{subject}: rows have shapes {tuple(one.shape[1:])} and {tuple(other.shape[1:])}.")
