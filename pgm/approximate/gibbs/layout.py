"""A field laid out for the compiled sweeps: one list of factors a variable."""

from __future__ import annotations

from itertools import accumulate
from math import prod

import numpy as np
import torch
from torch import Tensor

from ...compiled.gibbs import MEMBER, Tables, Wide
from ...fields.field import Field, Group

Arrays = list[np.ndarray]


def tables_of(field: Field) -> Tables:
    """The tables of a field, and around each variable the entries that the compiled sweeps read."""
    logs, offsets = _end_to_end([group.logs for group in field.groups], field)
    axes = [
        _axis(group, axis, offset)
        for group, offset in zip(field.groups, offsets, strict=True)
        for axis in range(len(group.sizes))
    ]
    variable, base, jump, step = (_joined([each[k] for each in axes]) for k in range(4))
    width = [each[4].shape[1] for each in axes]
    widths = np.repeat(np.array(width, np.int64), [len(each[0]) for each in axes])
    others, strides = _joined([each[4].ravel() for each in axes]), _joined([each[5].ravel() for each in axes])
    order = np.argsort(variable, kind="stable")
    around = _starts(widths[order])
    inner = np.arange(around[-1]) - np.repeat(around[:-1], widths[order])
    source = np.repeat(_starts(widths)[:-1][order], widths[order]) + inner
    first = _starts(np.bincount(variable, minlength=field.variables))
    entries = np.stack([np.append(each[order], 0) for each in (base, jump, step)] + [around], 1)
    members = np.stack([others[source], strides[source]], 1).astype(np.int32)
    plain, _ = _end_to_end([_plain(group) for group in field.groups], field)
    return Tables(_numpy(field.starts), _numpy(field.unary), _own(field), logs, plain, first, entries, members)


def _plain(group: Group) -> Tensor:
    """The tables of a group as they are, the greatest entry of each divided out."""
    logs = group.logs.flatten(2)
    return (logs - logs.amax(2, keepdim=True)).exp().nan_to_num(0.0)


def _own(field: Field) -> np.ndarray:
    """The weights of single states, the greatest of each variable divided out, `[rows, states]`."""
    return _numpy((field.unary - best(field).repeat_interleave(field.sizes, 1)).exp().nan_to_num(0.0))


def best(field: Field) -> Tensor:
    """The greatest log weight of a single state, for each variable, `[rows, variables]`."""
    owner = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    least = field.unary.new_full((field.rows, field.variables), -torch.inf)
    return least.scatter_reduce(1, owner.expand(field.rows, -1), field.unary, "amax")


def _axis(group: Group, axis: int, offset: int) -> tuple[np.ndarray, ...]:
    """What surrounds the variables at one axis of a group: variable, base, jump, step, others and their strides."""
    sizes, (rows, count), factors = group.sizes, group.logs.shape[:2], len(group)
    strides = np.array([prod(sizes[k + 1 :]) for k in range(len(sizes))], np.int64)
    scopes, kept = _numpy(group.scopes), [k for k in range(len(sizes)) if k != axis]
    base = offset + (np.arange(factors) if count > 1 else np.zeros(factors, np.int64)) * prod(sizes)
    jump = np.full(factors, count * prod(sizes) if rows > 1 else 0)
    around = np.broadcast_to(strides[kept], (factors, len(kept)))
    return scopes[:, axis], base, jump, np.full(factors, strides[axis]), scopes[:, kept], around


def wide_of(field: Field) -> Wide:
    """The trains of a field, laid out place after place."""
    cores, offsets = _end_to_end([core for trains in field.trains for core in trains.cores], field)
    spots: list[tuple[int, ...]] = []
    lengths: list[int] = []
    room = 0
    offset = iter(offsets)
    for trains in field.trains:
        begins = [next(offset) for _ in trains.cores]
        for number, scope in enumerate(trains.scopes.tolist()):
            for member, core, begin in zip(scope, trains.cores, begins, strict=True):
                rows, count, left, size, right = core.shape
                base = begin + (number if count > 1 else 0) * left * size * right
                jump = count * left * size * right if rows > 1 else 0
                spots.append((len(lengths), member, size, left, right, base, jump, room))
                room += left
            lengths.append(len(scope))
            room += 1  # what is right of the last place
    lines = np.array(spots, np.int64).reshape(-1, 8)
    first = _starts(np.bincount(lines[:, MEMBER], minlength=field.variables))
    return Wide(
        first, np.argsort(lines[:, MEMBER], kind="stable"), _starts(np.array(lengths, np.int64)), lines, cores, room
    )


def _end_to_end(arrays: list[Tensor], field: Field) -> tuple[np.ndarray, list[int]]:
    """Arrays one after another, and where each begins."""
    flat = [array.reshape(-1) for array in arrays]
    whole = torch.cat(flat) if flat else field.unary.new_zeros(0)
    return _numpy(whole), [0, *accumulate(len(each) for each in flat)][: len(flat)]


def _starts(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _joined(arrays: Arrays) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *arrays])


def _numpy(values: Tensor) -> np.ndarray:
    """As the loops take them: all floats are double, so that they are compiled once."""
    whole = values.double() if values.is_floating_point() else values
    found: np.ndarray = whole.detach().contiguous().cpu().numpy()
    return found
