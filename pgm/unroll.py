"""Unrolling a plan into multiply-adds: only products of entries that are not structurally zero are kept.

Each tensor is a sorted list of keys (its non-zero entries in row-major order over its own axes). A step joins two
such lists on their shared axes; the pairs that meet become multiply-adds, grouped by the entry they add to.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TABLE, FULL, STEP = 0, 1, 2
DENSE = 1 << 27  # result spaces up to this many entries are counted in a dense table


@njit(cache=True)
def leaf_keys(values, base, sizes, strides, seen_sizes, seen_strides):
    """Keys of the entries of a leaf that are non-zero for some state of its observed axes.

    Args:
        values: all parameters in one flat array; the leaf's table starts at `base`.
        sizes, strides: of the leaf's own axes within that table.
        seen_sizes, seen_strides: of its observed axes.
    """
    total, worlds = 1, 1
    for size in sizes:
        total *= size
    for size in seen_sizes:
        worlds *= size
    keys, count = np.empty(total, np.int64), 0
    for key in range(total):
        place, rest = base, key
        for axis in range(len(sizes) - 1, -1, -1):
            place += (rest % sizes[axis]) * strides[axis]
            rest //= sizes[axis]
        for world in range(worlds):
            shift, rest = 0, world
            for axis in range(len(seen_sizes) - 1, -1, -1):
                shift += (rest % seen_sizes[axis]) * seen_strides[axis]
                rest //= seen_sizes[axis]
            if values[place + shift] != 0.0:
                keys[count] = key
                count += 1
                break
    return keys[:count]


@njit(cache=True)
def leaf_places(keys, sizes, strides):
    """Where each key of a leaf lies in its term's table, counted from the table's start."""
    places = np.zeros(len(keys), np.int64)
    for k in range(len(keys)):
        rest = keys[k]
        for axis in range(len(sizes) - 1, -1, -1):
            places[k] += (rest % sizes[axis]) * strides[axis]
            rest //= sizes[axis]
    return places


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
    found = np.zeros(len(keys), np.int64)
    for k in range(len(keys)):
        rest = keys[k]
        for axis in range(len(scope) - 1, -1, -1):
            size = sizes[scope[axis]]
            found[k] += (rest % size) * place[axis]
            rest //= size
    return found


@njit(cache=True)
def _space(scope, sizes):
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
def join(left, left_scope, right, right_scope, scope, sizes, limit):
    """The multiply-adds of one step.

    Args:
        left, right: keys of the operands; `left_scope`, `right_scope` and `scope` are their and the result's axes.
        sizes: number of states of each variable.
        limit: the most multiply-adds allowed.

    Returns:
        whether it fits; keys of the result; where each one's multiply-adds start (one more than there are keys); and
        the places of the left and the right entry of each multiply-add.
    """
    nothing = np.empty(0, np.int32)
    overlap = np.array([v for v in left_scope if v in right_scope], dtype=np.int64)
    none_left, in_left = np.zeros(len(left_scope), np.bool_), np.array([v in left_scope for v in right_scope], np.bool_)
    left_shared = project(left, left_scope, sizes, overlap, none_left)
    right_shared = project(right, right_scope, sizes, overlap, np.zeros(len(right_scope), np.bool_))
    left_out = project(left, left_scope, sizes, scope, none_left)
    right_out = project(right, right_scope, sizes, scope, in_left)
    starts, entries = _groups(right_shared, _space(overlap, sizes))
    total = 0
    for k in range(len(left)):
        total += starts[left_shared[k] + 1] - starts[left_shared[k]]
    space = _space(scope, sizes)
    if total > limit or space > DENSE:
        return False, np.empty(0, np.int64), np.zeros(1, np.int64), nothing, nothing
    counts = np.zeros(space, np.int32)
    for k in range(len(left)):
        for x in range(starts[left_shared[k]], starts[left_shared[k] + 1]):
            counts[left_out[k] + right_out[entries[x]]] += 1
    found = 0
    for key in range(space):
        found += counts[key] > 0
    keys, begins = np.empty(found, np.int64), np.zeros(found + 1, np.int64)
    found = 0
    for key in range(space):
        if counts[key]:
            keys[found], begins[found + 1] = key, begins[found] + counts[key]
            counts[key] = begins[found]  # from here on: where the next multiply-add of this key goes
            found += 1
    first, second = np.empty(total, np.int32), np.empty(total, np.int32)
    for k in range(len(left)):
        for x in range(starts[left_shared[k]], starts[left_shared[k] + 1]):
            key = left_out[k] + right_out[entries[x]]
            first[counts[key]], second[counts[key]] = k, entries[x]
            counts[key] += 1
    return True, keys, begins, first, second


@njit(cache=True)
def unroll(kinds, axis_starts, axes, lefts, rights, bases, own_strides, seen_starts, seen_sizes, seen_strides, sizes,
           values, limit):  # fmt: skip
    """All tensors of a plan as keys, and all steps as multiply-adds.

    Args:
        kinds: of each tensor: `TABLE`, `FULL` (a leaf without zeros: a likelihood, ones) or `STEP`.
        axis_starts, axes: the scope of each tensor.
        lefts, rights: operands of each tensor that is a step, as tensor numbers; right -1 for none.
        bases, own_strides, seen_starts, seen_sizes, seen_strides: where a leaf's entries lie in `values`.
        limit: the most multiply-adds allowed in all.

    Returns:
        whether the multiply-adds stayed within the limit;
        entry_starts: first entry of each tensor (entry 0 is the constant one);
        keys: of all entries; ptr: where each entry's multiply-adds start; left, right: the entries multiplied.
    """
    count = len(kinds)
    entry_starts = np.ones(count + 1, np.int64)
    keys, ptr = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    left, right = np.empty(1024, np.int32), np.empty(1024, np.int32)
    entries, used = 1, 0
    lone, no_axes = np.zeros(1, np.int64), np.empty(0, np.int64)
    for t in range(count):
        scope = axes[axis_starts[t] : axis_starts[t + 1]]
        first, second, begins = np.empty(0, np.int32), np.empty(0, np.int32), np.zeros(1, np.int64)
        if kinds[t] == STEP:
            a, b = lefts[t], rights[t]
            a_keys, a_scope = keys[entry_starts[a] : entry_starts[a + 1]], axes[axis_starts[a] : axis_starts[a + 1]]
            b_keys, b_scope, b_start = lone, no_axes, 0
            if b >= 0:
                b_keys, b_scope = keys[entry_starts[b] : entry_starts[b + 1]], axes[axis_starts[b] : axis_starts[b + 1]]
                b_start = entry_starts[b]
            fits, found, begins, first, second = join(a_keys, a_scope, b_keys, b_scope, scope, sizes, limit - used)
            if not fits:
                return False, entry_starts, keys, ptr, left, right
            left, right = _roomy(left, used + len(first)), _roomy(right, used + len(first))
            left[used : used + len(first)] = first + entry_starts[a]
            right[used : used + len(first)] = second + b_start
        elif kinds[t] == FULL:
            found = np.arange(_space(scope, sizes))
        else:
            own = np.array([sizes[v] for v in scope], dtype=np.int64)
            strides = own_strides[axis_starts[t] : axis_starts[t + 1]]
            x, y = seen_starts[t], seen_starts[t + 1]
            found = leaf_keys(values, bases[t], own, strides, seen_sizes[x:y], seen_strides[x:y])
        more = len(found)
        keys, ptr = _roomy(keys, entries + more), _roomy(ptr, entries + more + 1)
        keys[entries : entries + more] = found
        for k in range(more):
            ptr[entries + k + 1] = used + (begins[k + 1] if kinds[t] == STEP else 0)
        entries, used = entries + more, used + len(first)
        entry_starts[t + 1] = entries
    return True, entry_starts, keys[:entries], ptr[: entries + 1], left[:used], right[:used]


@njit(cache=True)
def _roomy(array, need):
    """The array itself, or a copy of at least twice the length when it is too short."""
    if need <= len(array):
        return array
    longer = np.empty(max(need, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer


@njit(cache=True)
def prune(entry_starts, keys, ptr, left, right, roots):
    """The same tape without the entries that no path of non-zero products joins to a root.

    Args:
        entry_starts, keys, ptr, left, right: as `unroll` returns them.
        roots: tensor numbers whose entries are all kept.
    """
    count = len(keys)
    live = np.zeros(count, np.bool_)
    live[0] = True
    for t in roots:
        live[entry_starts[t] : entry_starts[t + 1]] = True
    for o in range(count - 1, 0, -1):
        if live[o]:
            for e in range(ptr[o], ptr[o + 1]):
                live[left[e]] = live[right[e]] = True
    number, starts = np.zeros(count, np.int32), np.ones(len(entry_starts), np.int64)
    entries, used = 0, 0
    for o in range(count):
        number[o] = entries
        if live[o]:
            keys[entries] = keys[o]
            for e in range(ptr[o], ptr[o + 1]):
                left[used], right[used] = number[left[e]], number[right[e]]
                used += 1
            ptr[entries] = used  # shifted by one place below; ptr[o + 1] is still to be read
            entries += 1
    for t in range(len(entry_starts)):
        starts[t] = number[entry_starts[t]] if entry_starts[t] < count else entries
    shifted = np.zeros(entries + 1, np.int64)
    shifted[1:] = ptr[:entries]
    return starts, keys[:entries], shifted, left[:used], right[:used]
