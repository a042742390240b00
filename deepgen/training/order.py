"""The order in which rows are looked at: a pure function of seed and position, so that it can be resumed anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.errors import ShapeError


@dataclass(frozen=True)
class Order:
    """Batches of row numbers, each epoch in an order of its own; what does not fill a batch waits for another epoch.

    Args:
        rows: how many there are.
        batch: rows a batch.
        seed: of the orders.

    Raises:
        ShapeError: when there is no batch.

    Example:
        >>> order = Order(10, 4, seed=0)
        >>> order.an_epoch, next(order.start()).shape
        (2, torch.Size([4]))
    """

    rows: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= self.rows:
            raise ShapeError(f"fit: batch is {self.batch}, expected 1 to {self.rows}, the number of rows.")

    @property
    def an_epoch(self) -> int:
        """Batches an epoch."""
        return self.rows // self.batch

    def start(self, number: int = 0) -> Iterator[Tensor]:
        """The row numbers of batches without end, `[batch]` each, from the given one on."""
        epoch, place = divmod(number, self.an_epoch)
        while True:
            order = torch.randperm(self.rows, generator=self.generator(-1 - epoch))
            for first in range(place * self.batch, self.an_epoch * self.batch, self.batch):
                yield order[first : first + self.batch]
            epoch, place = epoch + 1, 0

    def generator(self, number: int, device: torch.device | str = "cpu") -> torch.Generator:
        """A source of randomness for whatever belongs to a number, such as what a batch draws anew."""
        return torch.Generator(device).manual_seed(mixed(self.seed, number))


def mixed(seed: int, number: int) -> int:
    """Two numbers as one seed, so that neighbours have nothing in common.

    Reference: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators.
    """
    x = (seed * 0x9E3779B97F4A7C15 + number + 1) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return (x ^ (x >> 31)) % 2**63
