"""The model's numbers as one flat array, and whether they have changed since it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All tables of a model as they were when the snapshot was taken.

    Args:
        values: the tables in the order of the terms, flat, float64, a 1 at the end.
        watched: for each parameter and buffer where it is kept, its name, the tensor, its version and its address.
    """

    values: np.ndarray
    watched: tuple[tuple[dict[str, Any], str, Tensor, int, int], ...]

    def fresh(self) -> bool:
        """Whether no parameter was replaced, moved or changed in place since.

        Torch counts changes in place of a tensor but not those made through its `.data`.
        """
        for owner, name, tensor, version, address in self.watched:
            if owner[name] is not tensor or tensor._version != version or tensor.data_ptr() != address:
                return False
        return True


def snapshot(model: nn.Module, factors: tuple[Tensor, ...]) -> Snapshot:
    """Copy the tables and remember the versions of the parameters behind them.

    Args:
        model: the module whose parameters and buffers are watched.
        factors: the tables, in the order of the terms.
    """
    watched = [
        (owner, name, tensor, tensor._version, tensor.data_ptr())
        for module in model.modules()
        for owner in (module._parameters, module._buffers)
        for name, tensor in owner.items()
        if tensor is not None
    ]
    flat = [table.detach().to("cpu", torch.float64).reshape(-1) for table in factors]
    values = torch.cat([*flat, torch.ones(1, dtype=torch.float64)]).numpy()
    return Snapshot(values, tuple(watched))
