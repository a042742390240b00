"""The model's numbers as one flat array, and whether they have changed since it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, getitem, is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .compiled.memory import same_bytes
from .errors import ShapeError

_version = attrgetter("_version")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All tables of a model as they were when the snapshot was taken.

    Args:
        values: the tables in the order of the terms, flat, float64, a 1 at the end.
        owners, names: where each parameter and buffer is kept, and under which name.
        tensors: what was there; `addresses` and `lengths` (in bytes) where its numbers lay.
        held: the same numbers under another name, so that their memory stays valid.
        copy: the bytes of all of them, end to end; empty when some are not on the CPU, and then `versions` tells.
    """

    values: np.ndarray
    owners: tuple[dict[str, Any], ...]
    names: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    held: tuple[Tensor, ...]
    addresses: tuple[int, ...]
    places: np.ndarray
    lengths: np.ndarray
    copy: np.ndarray
    versions: tuple[int, ...]

    def fresh(self) -> bool:
        """Whether no parameter was replaced, moved or changed since, in whatever way; compares the bytes."""
        if not all(map(is_, map(getitem, self.owners, self.names), self.tensors)):
            return False
        if tuple(map(Tensor.data_ptr, self.tensors)) != self.addresses:
            return False
        if len(self.copy):
            return bool(same_bytes(self.places, self.lengths, self.copy))
        return tuple(map(_version, self.tensors)) == self.versions


def snapshot(model: nn.Module, factors: Sequence[Tensor], subjects: Sequence[object]) -> Snapshot:
    """Copy the tables, and the parameters behind them.

    Args:
        model: the module whose parameters and buffers are watched.
        factors: the tables, in the order of the terms.
        subjects: what each table belongs to, for messages.

    Raises:
        ShapeError: when a table has become negative, infinite or NaN.
    """
    watched = [
        (owner, name, tensor)
        for module in model.modules()
        for owner in (module._parameters, module._buffers)
        for name, tensor in owner.items()
        if tensor is not None
    ]
    tensors = tuple(tensor for _, _, tensor in watched)
    held = tuple(tensor.detach() for tensor in tensors)
    readable = all(tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in held)
    raw = [_bytes(tensor) for tensor in held] if readable else []
    flat = [table.detach().to("cpu", torch.float64).reshape(-1) for table in factors]
    _check_finite(flat, subjects)
    addresses = tuple(tensor.data_ptr() for tensor in tensors)
    return Snapshot(
        torch.cat([*flat, torch.ones(1, dtype=torch.float64)]).numpy(),
        tuple(owner for owner, _, _ in watched),
        tuple(name for _, name, _ in watched),
        tensors,
        held,
        addresses,
        np.array(addresses, dtype=np.int64),
        np.array([len(part) for part in raw], dtype=np.int64),
        torch.cat(raw).numpy() if raw else np.empty(0, dtype=np.uint8),
        tuple(map(_version, tensors)),
    )


def _bytes(tensor: Tensor) -> Tensor:
    """A copy of the tensor's bytes; laid out anew because torch views no bytes of tensors with odd strides."""
    return tensor.new_empty(tensor.numel()).copy_(tensor.reshape(-1)).view(torch.uint8)


def _check_finite(tables: Sequence[Tensor], subjects: Sequence[object]) -> None:
    for table, subject in zip(tables, subjects, strict=True):
        if len(table) and not (float(table.min()) >= 0.0 and float(table.max()) < float("inf")):
            raise ShapeError(
                f"{subject!r}: its table holds {float(table.min()):g} to {float(table.max()):g}, expected finite "
                "numbers that are not negative; look at its parameters."
            )
