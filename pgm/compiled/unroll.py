"""Unrolling a plan into multiply-adds: only products of entries that are not structurally zero are kept.

Each tensor is a sorted list of keys (its non-zero entries in row-major order over its own axes). A step joins two such
lists on their shared axes. Where zeros are many, the pairs that meet are listed, grouped by the entry they add to;
where most pairs meet, the step stays a block: a batched matrix product over the operands' entries.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .join import ONE, ZERO, arrange, list_pairs, meet, project, results, space_of, split_axes

TABLE, FULL, STEP = 0, 1, 2
TABLE_AT_MOST = 1 << 26  # result spaces up to this many entries are counted in a table
FULL_ENOUGH, WORTH_BLOCKING, WIDE = 0.9, 512, 16  # of a block: share of pairs that meet, pairs in all, pairs a product

_NONE = np.zeros(0, np.int64)
NO_PAIRS = (_NONE, _NONE, np.zeros(0, np.int32), np.zeros(0, np.int32), _NONE, 0)


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
def leaf_places(kinds, entry_starts, axis_starts, axes, strides, sizes, keys):
    """Where each entry of a leaf lies in its term's table, counted from the table's start; up to the last leaf."""
    last = 0
    for t in range(len(kinds)):
        last = entry_starts[t + 1] if kinds[t] != STEP else last
    places = np.zeros(last, np.int64)
    for t in range(len(kinds)):
        if kinds[t] != STEP:
            for k in range(entry_starts[t], entry_starts[t + 1]):
                rest = keys[k]
                for x in range(axis_starts[t + 1] - 1, axis_starts[t] - 1, -1):
                    size = sizes[axes[x]]
                    places[k] += (rest % size) * strides[x]
                    rest //= size
    return places


@njit(cache=True)
def answer_places(reads, target_starts, targets, entry_starts, axis_starts, axes, sizes, keys):
    """For each tensor that is read, entry by entry: the place within the answer.

    Args:
        reads: tensors read; the scope of read k is targets[target_starts[k]:target_starts[k + 1]].
    """
    total = 0
    for t in reads:
        total += entry_starts[t + 1] - entry_starts[t]
    places, at = np.empty(total, np.int64), 0
    for k in range(len(reads)):
        t = reads[k]
        low, high = entry_starts[t], entry_starts[t + 1]
        scope = axes[axis_starts[t] : axis_starts[t + 1]]
        target = targets[target_starts[k] : target_starts[k + 1]]
        places[at : at + high - low] = project(keys[low:high], scope, sizes, target, np.zeros(len(scope), np.bool_))
        at += high - low
    return places


@njit(cache=True)
def unroll(kinds, axis_starts, axes, lefts, rights, bases, own_strides, seen_starts, seen_sizes, seen_strides, sizes,
           values, limit, blocks_allowed):  # fmt: skip
    """All tensors of a plan as keys, and all steps as multiply-adds.

    Args:
        kinds: of each tensor: `TABLE`, `FULL` (a leaf without zeros: a likelihood, ones) or `STEP`.
        axis_starts, axes: the scope of each tensor.
        lefts, rights: operands of each tensor that is a step, as tensor numbers; right -1 for none.
        bases, own_strides, seen_starts, seen_sizes, seen_strides: where a leaf's entries lie in `values`.
        limit: the most multiply-adds listed, and the most entries.
        blocks_allowed: whether steps may stay blocks.

    Returns:
        whether all stayed within the limit; bytes of passing use at the largest step;
        entry_starts: first entry of each tensor;
        keys: of all entries; ptr: where each entry's multiply-adds start; left, right: the entries multiplied;
        blocks: [tensor, 6] sizes of the axes kept in both, from left, from right and summed, and where the entries of
        the operands start in `order`, a first size of 0 where the step is no block; order: those entries.
    """
    count = len(kinds)
    entry_starts, blocks = np.full(count + 1, 2, np.int64), np.zeros((count, 6), np.int64)
    keys, ptr = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    left, right, order = np.empty(1024, np.uint32), np.empty(1024, np.uint32), np.empty(1024, np.uint32)
    entries, used, arranged, scratch, fits = 2, 0, 0, 0, True
    for t in range(count):
        scope = axes[axis_starts[t] : axis_starts[t + 1]]
        begins, extra, fits = np.zeros(1, np.int64), 0, True
        if kinds[t] == STEP:
            one = _operand(lefts[t], keys, entry_starts, axes, axis_starts)
            two = _operand(rights[t], keys, entry_starts, axes, axis_starts)
            space = space_of(scope, sizes)
            fits = entries + space <= limit and space <= TABLE_AT_MOST
            block, pairs = fits and _is_block(one, two, scope, sizes, blocks_allowed), NO_PAIRS
            if fits and not block:
                pairs = meet(one[0], one[1], two[0], two[1], scope, sizes)
                extra = pairs[5]
                fits = used + extra <= limit
                block = blocks_allowed and _is_wide(one, two, scope, sizes, extra)
            scratch = max(scratch, 16 * len(one[0]) + 20 * len(two[0]) + (0 if block else 8 * space))
            if not fits:
                break
            if block:
                order, arranged = _add_block(one, two, scope, sizes, blocks[t], order, arranged)
                found, extra = np.arange(space), 0
            else:
                found, begins, table = results(pairs, space)
                left, right = _roomy(left, used + extra), _roomy(right, used + extra)
                list_pairs(pairs, table, one[2], two[2], left[used:], right[used:])
        elif kinds[t] == FULL:
            found = np.arange(space_of(scope, sizes))
        else:
            strides, x, y = own_strides[axis_starts[t] : axis_starts[t + 1]], seen_starts[t], seen_starts[t + 1]
            found = leaf_keys(values, bases[t], sizes[scope], strides, seen_sizes[x:y], seen_strides[x:y])
        keys, ptr = _roomy(keys, entries + len(found)), _roomy(ptr, entries + len(found) + 1)
        keys[entries : entries + len(found)] = found
        _number(ptr, entries, len(found), used, begins)
        entries, used = entries + len(found), used + extra
        entry_starts[t + 1] = entries
    return (fits, scratch, entry_starts, keys[:entries], ptr[: entries + 1], left[:used], right[:used], blocks,
            order[:arranged])  # fmt: skip


@njit(cache=True)
def _operand(t, keys, entry_starts, axes, axis_starts):
    """The keys, the scope and the first entry of a tensor; of the constant one when there is none."""
    if t < 0:
        return np.zeros(1, np.int64), axes[:0], np.int64(ONE)
    return keys[entry_starts[t] : entry_starts[t + 1]], axes[axis_starts[t] : axis_starts[t + 1]], entry_starts[t]


@njit(cache=True)
def _number(ptr, entries, more, used, begins):
    """Where the multiply-adds of new entries start; none are listed where `begins` holds no more than its first."""
    for k in range(more):
        ptr[entries + k + 1] = used + (begins[k + 1] if len(begins) > 1 else 0)


@njit(cache=True)
def _is_block(one, two, scope, sizes, allowed):
    """Whether a step is a block for sure, because its operands have no gaps."""
    full = len(one[0]) == space_of(one[1], sizes) and len(two[0]) == space_of(two[1], sizes)
    return allowed and full and _is_wide(one, two, scope, sizes, np.int64(2) ** 62)


@njit(cache=True)
def _is_wide(one, two, scope, sizes, meeting):
    """Whether a step is large enough to be a block, and full enough when so many pairs meet."""
    both, _, _, summed = split_axes(scope, one[1], two[1])
    pairs = space_of(scope, sizes) * space_of(summed, sizes)
    return pairs >= WORTH_BLOCKING and pairs >= WIDE * space_of(both, sizes) and meeting >= FULL_ENOUGH * pairs


@njit(cache=True)
def _add_block(one, two, scope, sizes, block, order, arranged):
    """Write a step as a block: its sizes into `block`, its operands' entries behind those in `order`."""
    both, only_left, only_right, summed = split_axes(scope, one[1], two[1])
    first = arrange(one[0], one[2], one[1], sizes, both, only_left, summed)
    second = np.full(space_of(summed, sizes), ONE, np.uint32)
    if len(two[1]) or two[2] != ONE:
        second = arrange(two[0], two[2], two[1], sizes, both, summed, only_right)
    middle, end = arranged + len(first), arranged + len(first) + len(second)
    order = _roomy(order, end)
    order[arranged:middle], order[middle:end] = first, second
    block[0], block[1] = space_of(both, sizes), space_of(only_left, sizes)
    block[2], block[3] = space_of(only_right, sizes), space_of(summed, sizes)
    block[4], block[5] = arranged, middle
    return order, end


@njit(cache=True)
def _roomy(array, need):
    """The array itself, or a copy of at least twice the length when it is too short."""
    if need <= len(array):
        return array
    longer = np.empty(max(need, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer


@njit(cache=True)
def prune(entry_starts, keys, ptr, left, right, blocks, order, roots):
    """The same tape without the entries that no path of non-zero products joins to a root.

    Args:
        entry_starts, keys, ptr, left, right, blocks, order: as `unroll` returns them; changed in place.
        roots: tensor numbers whose entries are all kept.
    """
    count = len(keys)
    live = np.zeros(count, np.bool_)
    live[ONE] = live[ZERO] = True
    for t in roots:
        live[entry_starts[t] : entry_starts[t + 1]] = True
    for t in range(len(blocks) - 1, -1, -1):
        low, high = entry_starts[t], entry_starts[t + 1]
        if blocks[t, 0] and live[low:high].any():
            live[low:high] = True
            for x in range(blocks[t, 4], blocks[t, 5] + blocks[t, 0] * blocks[t, 3] * blocks[t, 2]):
                live[order[x]] = True
        for o in range(low, high):
            if live[o]:
                for e in range(ptr[o], ptr[o + 1]):
                    live[left[e]] = live[right[e]] = True
    if live.all():
        return entry_starts, keys, ptr.astype(np.uint32), left, right, order
    number, starts = np.zeros(count, np.uint32), np.empty(len(entry_starts), np.int64)
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
    for t in range(len(blocks)):
        if starts[t] == starts[t + 1]:
            blocks[t, 0] = 0
    for x in range(len(order)):
        order[x] = number[order[x]]
    shifted = np.zeros(entries + 1, np.uint32)
    shifted[1:] = ptr[:entries]
    return starts, keys[:entries], shifted, left[:used], right[:used], order
