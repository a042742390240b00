"""Unrolling a plan into multiply-adds: only products of entries that are not structurally zero are kept.

Each tensor is a sorted list of keys (its non-zero entries in row-major order over its own axes). A step joins two such
lists on their shared axes. Where zeros are many, the pairs that meet are listed, grouped by the entry they add to;
where most pairs meet, the step stays a block: a batched matrix product over the operands' entries.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TABLE, FULL, STEP = 0, 1, 2
TABLE_AT_MOST = 1 << 26  # result spaces up to this many entries are counted in a table
ONE, ZERO = 0, 1  # entries with these constants; all others follow
FULL_ENOUGH, WORTH_BLOCKING, WIDE = 0.9, 512, 16  # of a block: share of pairs that meet, pairs in all, pairs a product


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
def results(group, left_share, starts, entries, right_share, space):
    """The keys of a step's result, where each one's multiply-adds start, and (in a dense table) the same by key."""
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
def list_pairs(group, left_share, starts, entries, right_share, table, left_first, right_first, left, right):
    """Write the operands of every multiply-add, sorted by the result they add to; `table` counts up as places fill."""
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
def _split(scope, left_scope, right_scope):
    """The axes of a step: kept in both, kept from left, kept from right, summed."""
    both = np.array([v for v in scope if v in left_scope and v in right_scope], dtype=np.int64)
    only_left = np.array([v for v in scope if v not in right_scope], dtype=np.int64)
    only_right = np.array([v for v in scope if v not in left_scope], dtype=np.int64)
    summed = np.array([v for v in left_scope if v not in scope], dtype=np.int64)
    return both, only_left, only_right, summed


@njit(cache=True)
def unroll(kinds, axis_starts, axes, lefts, rights, bases, own_strides, seen_starts, seen_sizes, seen_strides, sizes,
           values, limit, blocks_allowed):  # fmt: skip
    """All tensors of a plan as keys, and all steps as multiply-adds.

    Args:
        kinds: of each tensor: `TABLE`, `FULL` (a leaf without zeros: a likelihood, ones) or `STEP`.
        axis_starts, axes: the scope of each tensor.
        lefts, rights: operands of each tensor that is a step, as tensor numbers; right -1 for none.
        bases, own_strides, seen_starts, seen_sizes, seen_strides: where a leaf's entries lie in `values`.
        limit: the most multiply-adds listed.
        blocks_allowed: whether steps may stay blocks.

    Returns:
        whether the multiply-adds stayed within the limit; bytes of passing use at the largest step;
        entry_starts: first entry of each tensor;
        keys: of all entries; ptr: where each entry's multiply-adds start; left, right: the entries multiplied;
        blocks: [tensor, 6] sizes of the axes kept in both, from left, from right and summed, and where the entries of
        the operands start in `order`, a first size of 0 where the step is no block; order: those entries.
    """
    count = len(kinds)
    entry_starts, blocks = np.full(count + 1, 2, np.int64), np.zeros((count, 6), np.int64)
    keys, ptr = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    left, right, order = np.empty(1024, np.uint32), np.empty(1024, np.uint32), np.empty(1024, np.uint32)
    entries, used, arranged, scratch = 2, 0, 0, 0
    lone, no_axes = np.zeros(1, np.int64), np.empty(0, np.int64)
    for t in range(count):
        scope = axes[axis_starts[t] : axis_starts[t + 1]]
        begins, extra = np.zeros(1, np.int64), 0
        if kinds[t] == STEP:
            a, b = lefts[t], rights[t]
            a_keys, a_scope = keys[entry_starts[a] : entry_starts[a + 1]], axes[axis_starts[a] : axis_starts[a + 1]]
            a_start = entry_starts[a]
            b_keys, b_scope, b_start = lone, no_axes, ONE
            if b >= 0:
                b_keys, b_scope = keys[entry_starts[b] : entry_starts[b + 1]], axes[axis_starts[b] : axis_starts[b + 1]]
                b_start = entry_starts[b]
            both, only_left, only_right, summed = _split(scope, a_scope, b_scope)
            space = space_of(scope, sizes)
            pairs = space * space_of(summed, sizes)
            wide = blocks_allowed and pairs >= WORTH_BLOCKING and pairs >= WIDE * space_of(both, sizes)
            full = len(a_keys) == space_of(a_scope, sizes) and len(b_keys) == space_of(b_scope, sizes)
            block = wide and full
            scratch = max(scratch, 16 * len(a_keys) + 20 * len(b_keys) + (0 if block else 8 * space))
            if not block:
                group, a_share, starts, members, b_share, extra = meet(a_keys, a_scope, b_keys, b_scope, scope, sizes)
                block = wide and extra >= FULL_ENOUGH * pairs
            if block:
                one = arrange(a_keys, a_start, a_scope, sizes, both, only_left, summed)
                two = np.full(space_of(summed, sizes), ONE, np.uint32)
                if b >= 0:
                    two = arrange(b_keys, b_start, b_scope, sizes, both, summed, only_right)
                order = _roomy(order, arranged + len(one) + len(two))
                order[arranged : arranged + len(one)] = one
                order[arranged + len(one) : arranged + len(one) + len(two)] = two
                blocks[t, 0], blocks[t, 1] = space_of(both, sizes), space_of(only_left, sizes)
                blocks[t, 2], blocks[t, 3] = space_of(only_right, sizes), space_of(summed, sizes)
                blocks[t, 4], blocks[t, 5] = arranged, arranged + len(one)
                arranged += len(one) + len(two)
                found, extra = np.arange(space), 0
            else:
                if used + extra > limit or space > TABLE_AT_MOST:
                    return False, scratch, entry_starts, keys, ptr, left, right, blocks, order
                found, begins, table = results(group, a_share, starts, members, b_share, space)
                left, right = _roomy(left, used + extra), _roomy(right, used + extra)
                list_pairs(group, a_share, starts, members, b_share, table, a_start, b_start, left[used:], right[used:])
        elif kinds[t] == FULL:
            found = np.arange(space_of(scope, sizes))
        else:
            own = np.array([sizes[v] for v in scope], dtype=np.int64)
            strides = own_strides[axis_starts[t] : axis_starts[t + 1]]
            x, y = seen_starts[t], seen_starts[t + 1]
            found = leaf_keys(values, bases[t], own, strides, seen_sizes[x:y], seen_strides[x:y])
        more = len(found)
        keys, ptr = _roomy(keys, entries + more), _roomy(ptr, entries + more + 1)
        keys[entries : entries + more] = found
        for k in range(more):
            ptr[entries + k + 1] = used + (begins[k + 1] if len(begins) > 1 else 0)
        entries, used = entries + more, used + extra
        entry_starts[t + 1] = entries
    return (
        True,
        scratch,
        entry_starts,
        keys[:entries],
        ptr[: entries + 1],
        left[:used],
        right[:used],
        blocks,
        order[:arranged],
    )


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
