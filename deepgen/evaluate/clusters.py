"""Clusters beside labels that were not used to find them."""

from __future__ import annotations

import torch
from torch import Tensor

from pgm.errors import ShapeError


def purity(clusters: Tensor, labels: Tensor) -> float:
    """The share of rows whose label is the most frequent one of their cluster.

        (1 / rows) sum_c max_l (rows in cluster c with label l)

    Args:
        clusters, labels: any numbers, `[rows]`.

    Raises:
        ShapeError: when the two are not of one length, or empty.

    Example:
        >>> purity(torch.tensor([0, 0, 0, 1]), torch.tensor([2, 2, 5, 5]))
        0.75

    Reference: Manning, Raghavan and Schutze (2008), Introduction to information retrieval, section 16.3.
    """
    if clusters.shape != labels.shape or clusters.dim() != 1 or not len(clusters):
        raise ShapeError(
            f"purity: clusters and labels have shapes {tuple(clusters.shape)} and {tuple(labels.shape)}, expected "
            "[rows] for both, one row or more."
        )
    pairs = torch.stack([x.unique(return_inverse=True)[1] for x in (clusters, labels)], 1).cpu()
    counts = torch.zeros(*(int(n) + 1 for n in pairs.amax(0)), dtype=torch.long)
    counts.index_put_(tuple(pairs.T), torch.ones(len(pairs), dtype=torch.long), accumulate=True)
    return counts.amax(1).sum().item() / len(pairs)
