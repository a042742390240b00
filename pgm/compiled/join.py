"""Joining two lists of keys on the axes they share, and arranging entries for a batched product."""

from __future__ import annotations

import numpy as np
from numba import njit

ONE, ZERO = 0, 1  # entries with these constants; all others follow


@njit(cache=True)
def project(keys, scope, sizes, target, repeated):
    """Keys over the axes of `target`, axes absent from `scope` at 0; axes flagged in `repeated` are left out."""
    place = np.zeros(len(scope), np.int64)
    stride = 1
    for axis in range(len(target) - 1, -1, -1):
        for mine in range(len(scope)):
            if scope[mine] == target[axis] and not repeated[mine]:
                place[mine] = stride
        stride *= sizes[target[axis]]
    if len(keys) == space_of(scope, sizes):
        return _counted(len(keys), scope, sizes, place)
    found = np.zeros(len(keys), np.int64)
    for k in range(len(keys)):
        rest = keys[k]
        for axis in range(len(scope) - 1, -1, -1):
            size = sizes[scope[axis]]
            found[k] += (rest % size) * place[axis]
            rest //= size
    return found


@njit(cache=True)
def _counted(count, scope, sizes, place):
    """`project` of a tensor without gaps, by counting up instead of dividing."""
    found, state, at = np.empty(count, np.int64), np.zeros(len(scope), np.int64), 0
    for k in range(count):
        found[k] = at
        for axis in range(len(scope) - 1, -1, -1):
            state[axis] += 1
            at += place[axis]
            if state[axis] < sizes[scope[axis]]:
                break
            at -= place[axis] * state[axis]
            state[axis] = 0
    return found


@njit(cache=True)
def space_of(scope, sizes):
    total = 1
    for v in scope:
        total *= sizes[v]
    return total


@njit(cache=True)
def _groups(shared, space):
    """Entries sorted by shared key: the place where each key's group starts, and the entries."""
    starts = np.zeros(space + 1, np.int32)
    for key in shared:
        starts[key + 1] += 1
    for key in range(space):
        starts[key + 1] += starts[key]
    fill, entries = starts[:-1].copy(), np.empty(len(shared), np.int32)
    for k in range(len(shared)):
        entries[fill[shared[k]]] = k
        fill[shared[k]] += 1
    return starts, entries


@njit(cache=True)
def meet(left, left_scope, right, right_scope, scope, sizes):
    """Which pairs of entries meet in one step, without listing them.

    Args:
        left, right: keys of the operands; `left_scope`, `right_scope` and `scope` are their and the result's axes.
        sizes: number of states of each variable.

    Returns:
        for each left entry its group of right entries and its share of the result's key; where each group starts;
        the right entries group by group, and each right entry's share of the result's key; and how many pairs meet.
    """
    overlap = np.array([v for v in left_scope if v in right_scope], dtype=np.int64)
    none_left, in_left = np.zeros(len(left_scope), np.bool_), np.array([v in left_scope for v in right_scope], np.bool_)
    group = project(left, left_scope, sizes, overlap, none_left)
    starts, entries = _groups(
        project(right, right_scope, sizes, overlap, np.zeros(len(right_scope), np.bool_)), space_of(overlap, sizes)
    )
    total = 0
    for k in range(len(left)):
        total += starts[group[k] + 1] - starts[group[k]]
    left_share = project(left, left_scope, sizes, scope, none_left)
    return group, left_share, starts, entries, project(right, right_scope, sizes, scope, in_left), total


@njit(cache=True)
def results(pairs, space):
    """The keys of a step's result, where each one's multiply-adds start, and (in a dense table) the same by key.

    Args:
        pairs: as `meet` returns them.
        space: number of joint states of the result's axes.
    """
    group, left_share, starts, entries, right_share, _ = pairs
    table = np.zeros(space, np.int64)
    for k in range(len(group)):
        for x in range(starts[group[k]], starts[group[k] + 1]):
            table[left_share[k] + right_share[entries[x]]] += 1
    found = 0
    for key in range(space):
        found += table[key] > 0
    keys, begins = np.empty(found, np.int64), np.zeros(found + 1, np.int64)
    found = 0
    for key in range(space):
        if table[key]:
            keys[found], begins[found + 1] = key, begins[found] + table[key]
            table[key] = begins[found]
            found += 1
    return keys, begins, table


@njit(cache=True)
def list_pairs(pairs, table, left_first, right_first, left, right):
    """Write the operands of every multiply-add, sorted by the result they add to; `table` counts up as places fill."""
    group, left_share, starts, entries, right_share, _ = pairs
    for k in range(len(group)):
        for x in range(starts[group[k]], starts[group[k] + 1]):
            key = left_share[k] + right_share[entries[x]]
            left[table[key]], right[table[key]] = left_first + k, right_first + entries[x]
            table[key] += 1


@njit(cache=True)
def arrange(keys, first, scope, sizes, outer, middle, inner):
    """The entries of a tensor in the order of three groups of its axes; `ZERO` where there is no entry."""
    target = np.empty(len(scope), np.int64)
    count = 0
    for group in (outer, middle, inner):
        for v in group:
            target[count] = v
            count += 1
    places = project(keys, scope, sizes, target, np.zeros(len(scope), np.bool_))
    entries = np.full(space_of(scope, sizes), ZERO, np.uint32)
    for k in range(len(keys)):
        entries[places[k]] = first + k
    return entries


@njit(cache=True)
def split_axes(scope, left_scope, right_scope):
    """The axes of a step: kept in both, kept from left, kept from right, summed."""
    both = np.array([v for v in scope if v in left_scope and v in right_scope], dtype=np.int64)
    only_left = np.array([v for v in scope if v not in right_scope], dtype=np.int64)
    only_right = np.array([v for v in scope if v not in left_scope], dtype=np.int64)
    summed = np.array([v for v in left_scope if v not in scope], dtype=np.int64)
    return both, only_left, only_right, summed
