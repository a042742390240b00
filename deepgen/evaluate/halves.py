"""Samples beside data, and data beside themselves: a distance means something only next to that of the data's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.errors import ShapeError

from .figure import Figure


@dataclass(frozen=True, eq=False)
class Halves:
    """As many samples as there are rows in each of two parts of the data that have no row in common.

    Args:
        samples, one, other: `[rows, *event]`.
    """

    samples: Tensor
    one: Tensor
    other: Tensor

    def seen(self, features: Callable[[Tensor], Tensor]) -> Halves:
        """What features make of all three."""
        return Halves(features(self.samples), features(self.one), features(self.other))

    def figure(self, name: str, measure: Callable[[Tensor, Tensor], float], of: str) -> Figure:
        """What a measure says of samples beside data, and of data beside data.

        Args:
            name: of the measure.
            measure: takes what is judged and what it is held against.
            of: what the data are.
        """
        value, own = measure(self.samples, self.one), measure(self.other, self.one)
        return Figure(name, value, "estimate", f"{len(self.samples):,} samples, {of}; of the data themselves {own:.4g}")


def halves(samples: Tensor, rows: Tensor, seed: int = 0, most: int | None = None, least: int = 2) -> Halves:
    """Samples and two parts of the data, as many rows each as there are for all three.

    Args:
        samples, rows: `[rows, *event]`.
        seed: of which rows of either are taken.
        most: rows each at most.
        least: rows each at least.

    Raises:
        ShapeError: when the two have not the same event shape, or there are too few rows.

    Example:
        >>> parts = halves(torch.zeros(100, 2), torch.ones(50, 2))
        >>> len(parts.samples), len(parts.one), len(parts.other)
        (25, 25, 25)
    """
    if samples.shape[1:] != rows.shape[1:]:
        raise ShapeError(f"halves: samples have shape {tuple(samples.shape[1:])}, data {tuple(rows.shape[1:])}.")
    n = min(len(samples), len(rows) // 2, most or len(samples))
    if n < least:
        raise ShapeError(f"halves: of {len(samples)} samples and {len(rows)} rows that is {n} each, expected {least}.")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(samples), generator=generator)[:n]
    order = torch.randperm(len(rows), generator=generator)[: 2 * n]
    mine, theirs = samples[chosen.to(samples.device)], rows[order.to(rows.device)].to(samples)
    return Halves(mine, theirs[:n], theirs[n:])
