"""Comparing and copying memory at addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_memcpy = types.ExternalFunction("memcpy", types.voidptr(types.voidptr, types.voidptr, types.uintp))
_memcmp = types.ExternalFunction("memcmp", types.intc(types.voidptr, types.voidptr, types.uintp))


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    """An address as a pointer."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), code


@njit(cache=True)
def same_bytes(places, lengths, copy):
    """Whether the bytes at each place still equal the copy."""
    at = np.int64(copy.ctypes.data)
    for k in range(len(places)):
        if _memcmp(_pointer(places[k]), _pointer(at), np.uint64(lengths[k])) != 0:
            return False
        at += lengths[k]
    return True


@njit(cache=True)
def copied_bytes(places, lengths):
    """The bytes at all places, end to end."""
    copy = np.empty(lengths.sum(), np.uint8)
    at = np.int64(copy.ctypes.data)
    for k in range(len(places)):
        _memcpy(_pointer(at), _pointer(places[k]), np.uint64(lengths[k]))
        at += lengths[k]
    return copy
