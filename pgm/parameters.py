"""The model's numbers as one flat array, and whether they have changed since it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, getitem, is_
from typing import Any

import numpy as np
from torch import Tensor, nn

from .compiled.memory import copied_bytes, same_bytes
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
        for module in _modules(model)
        for owner in (module._parameters, module._buffers)
        for name, tensor in owner.items()
        if tensor is not None
    ]
    tensors = tuple(tensor for _, _, tensor in watched)
    held = tuple(tensor.detach() for tensor in tensors)
    addresses = tuple(tensor.data_ptr() for tensor in tensors)
    readable = all(tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in held)
    places = np.array(addresses, dtype=np.int64)
    lengths = np.array([tensor.nbytes if readable else 0 for tensor in held], dtype=np.int64)
    flat = [table.detach().numpy(force=True).reshape(-1).astype(np.float64, copy=False) for table in factors]
    values = np.concatenate([*flat, np.ones(1)])
    if not (values.min() >= 0.0 and values.max() < np.inf):
        check_numbers(flat, subjects)
    return Snapshot(
        values,
        tuple(owner for owner, _, _ in watched),
        tuple(name for _, name, _ in watched),
        tensors,
        held,
        addresses,
        places,
        lengths,
        copied_bytes(places, lengths),
        tuple(map(_version, tensors)),
    )


def _modules(model: nn.Module) -> list[nn.Module]:
    """The module and all below it, each once; cheaper than torch's own walk, which names them."""
    found = [model]
    for module in found:  # grows while it is walked
        found.extend(each for each in module._modules.values() if each is not None)
    return list(dict.fromkeys(found))


def check_numbers(tables: Sequence[np.ndarray], subjects: Sequence[object]) -> None:
    """Raise a `ShapeError` that says what is wrong with the first table that is not finite and non-negative."""
    for table, subject in zip(tables, subjects, strict=True):
        if table.size and not (table.min() >= 0.0 and table.max() < np.inf):
            raise ShapeError(
                f"{subject!r}: its table holds {table.min():g} to {table.max():g}, expected finite numbers that are "
                "not negative; look at its parameters."
            )
