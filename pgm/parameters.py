"""The model's numbers as one flat array, and whether they have changed since it was made."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, getitem, is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All tables of a model as they were when the snapshot was taken.

    Args:
        values: the tables in the order of the terms, flat, float64, a 1 at the end.
        owners, names: where each parameter and buffer is kept, and under which name.
        tensors: what was there; `versions` and `addresses` say in which state.
    """

    values: np.ndarray
    owners: tuple[dict[str, Any], ...]
    names: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    versions: tuple[int, ...]
    addresses: tuple[int, ...]

    def fresh(self) -> bool:
        """Whether no parameter was replaced, moved or changed in place since.

        Torch counts changes in place of a tensor but not those made through its `.data`.
        """
        return (
            all(map(is_, map(getitem, self.owners, self.names), self.tensors))
            and tuple(map(_version, self.tensors)) == self.versions
            and tuple(map(Tensor.data_ptr, self.tensors)) == self.addresses
        )


_version = attrgetter("_version")


def snapshot(model: nn.Module, factors: tuple[Tensor, ...]) -> Snapshot:
    """Copy the tables and remember the versions of the parameters behind them.

    Args:
        model: the module whose parameters and buffers are watched.
        factors: the tables, in the order of the terms.
    """
    watched = [
        (owner, name, tensor)
        for module in model.modules()
        for owner in (module._parameters, module._buffers)
        for name, tensor in owner.items()
        if tensor is not None
    ]
    flat = [table.detach().to("cpu", torch.float64).reshape(-1) for table in factors]
    values = torch.cat([*flat, torch.ones(1, dtype=torch.float64)]).numpy()
    tensors = tuple(tensor for _, _, tensor in watched)
    return Snapshot(
        values,
        tuple(owner for owner, _, _ in watched),
        tuple(name for _, name, _ in watched),
        tensors,
        tuple(tensor._version for tensor in tensors),
        tuple(tensor.data_ptr() for tensor in tensors),
    )
