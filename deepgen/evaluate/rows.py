"""What measuring takes: modules at rest, a seed, and rows of data where the modules are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from math import ceil

import torch
from torch import Tensor, nn

from ..data.data import Data


@contextmanager
def at_rest(*modules: nn.Module, seed: int) -> Iterator[torch.device]:
    """Modules in evaluation mode and torch's randomness from a seed; afterwards all is as before.

    Args:
        modules: what is measured.
        seed: of what is drawn meanwhile.

    Returns:
        The device where the modules are.
    """
    device = place(*modules)
    training = [each for module in modules for each in module.modules() if each.training]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for each in training:
            each.training = False
        try:
            yield device
        finally:
            for each in training:
                each.training = True


def place(*modules: nn.Module) -> torch.device:
    """The device of the first parameter or buffer."""
    held = (tensor for module in modules for tensor in chain(module.parameters(), module.buffers()))
    return next((tensor.device for tensor in held), torch.device("cpu"))


class Rows:
    """The rows of data in batches, whatever is drawn anew drawn from a seed, on any device.

    Args:
        data: the rows.
        batch: rows at a time.
        seed: of what the data draw.
        device: where to put them.

    Example:
        >>> rows = Rows(Data({"x": torch.arange(5.0)}), 2, 0, torch.device("cpu"))
        >>> len(rows), rows[2]
        (3, {'x': tensor([4.])})
    """

    def __init__(self, data: Data, batch: int, seed: int, device: torch.device) -> None:
        self.data, self.batch, self.seed, self.device = data, batch, seed, device
        self.home = next(iter(data.columns.values())).device

    def __len__(self) -> int:
        return ceil(len(self.data) / self.batch)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """The columns of one batch, by name; the same whenever it is asked for."""
        first = number * self.batch
        which = torch.arange(first, min(first + self.batch, len(self.data)), device=self.home)
        generator = torch.Generator(self.home).manual_seed(self.seed + number)
        return {name: column.to(self.device) for name, column in self.data.batch(which, generator).items()}
