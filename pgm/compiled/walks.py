"""Walking down a tape: the k most probable explanations, and exact samples."""

from __future__ import annotations

import numpy as np
from numba import njit

from .row import DOUBTFUL, LARGE, MAXIMISE, SMALL, gather, lost_by, upward


@njit(cache=True, nogil=True)
def best_row(steps, ptr, left, right, buf, counts, edges, ranks, k):
    """The k largest products, best first, after `gather`: a list of at most k values for every entry.

    Args:
        buf: [entry, k] values; column 0 of the leaves is filled.
        counts: [entry] how many values an entry has.
        edges, ranks: [entry, k] and [entry, k, 2] back pointers: the multiply-add, and the ranks of its operands.

    Returns:
        logarithms taken out of all trees, -inf when a result is so small that digits are in doubt.
    """
    scale, lost = 0.0, 0.0
    for s in range(steps.shape[0]):
        low, high = steps[s, 0], steps[s, 1]
        peak = 0.0
        for o in range(low, high):
            if steps[s, 2] & MAXIMISE or ptr[o + 1] - ptr[o] == 1:
                _merge(o, ptr, left, right, buf, counts, edges, ranks, k)
            else:
                acc = 0.0
                for e in range(ptr[o], ptr[o + 1]):
                    if counts[left[e]] and counts[right[e]]:
                        acc += buf[left[e], 0] * buf[right[e], 0]
                buf[o, 0] = acc
                counts[o] = 1 if acc > 0.0 else 0
            peak = max(peak, buf[o, 0] if counts[o] else 0.0)
        lost += lost_by(peak)
        if not lost > DOUBTFUL:
            return -np.inf
        if peak > 0.0 and not SMALL <= peak <= LARGE:
            for o in range(low, high):
                for j in range(counts[o]):
                    buf[o, j] /= peak
            scale += np.log(peak)
    return scale


@njit(cache=True, nogil=True)
def _merge(o, ptr, left, right, buf, counts, edges, ranks, k):
    """The k largest products over all multiply-adds of one entry and all ranks of their operands."""
    count = 0
    for e in range(ptr[o], ptr[o + 1]):
        a, b = left[e], right[e]
        for x in range(counts[a]):
            for y in range(counts[b]):
                if (x + 1) * (y + 1) > k:
                    break
                value = buf[a, x] * buf[b, y]
                if value == 0.0 or (count == k and value <= buf[o, k - 1]):
                    break
                place = count if count < k else k - 1
                while place > 0 and buf[o, place - 1] < value:
                    buf[o, place] = buf[o, place - 1]
                    edges[o, place] = edges[o, place - 1]
                    ranks[o, place, 0], ranks[o, place, 1] = ranks[o, place - 1, 0], ranks[o, place - 1, 1]
                    place -= 1
                buf[o, place], edges[o, place] = value, e
                ranks[o, place, 0], ranks[o, place, 1] = x, y
                count = min(count + 1, k)
    counts[o] = count


@njit(cache=True, nogil=True)
def _decode(picked, keys, places, out):
    """State numbers of the variables from the entries picked in each tensor.

    Args:
        picked: [tensor] entry, -1 where none.
        places: [variable, 4]: column in `out`, a tensor that holds it, stride and size of its axis there.
    """
    for k in range(places.shape[0]):
        entry = picked[places[k, 1]]
        out[places[k, 0]] = keys[entry] // places[k, 2] % places[k, 3] if entry >= 0 else -1


@njit(cache=True, nogil=True)
def explain_rows(first, last, k, main, leaves, seen, rel, trees, steps, links, ptr, left, right, keys, places,
                 values, soft, states, logs, out):  # fmt: skip
    """The k most probable explanations of the rows first ... last.

    Args:
        main: the tree that holds the variables maximised over, -1 when there are none.
        links: [step, 3]: tensor numbers of the result and the operands (right -1 for none).
        logs: [row, k] filled with log weights, -inf where there are fewer; NaN when digits are in doubt.
        out: [row, k, column] filled with state numbers, -1 where there are fewer.
    """
    count = len(ptr) - 1
    buf, counts = np.zeros((count, k)), np.ones(count, np.int64)
    line = np.empty(count)
    edges, ranks = np.zeros((count, k), np.int64), np.zeros((count, k, 2), np.int64)
    tensors = 1 + (links.max() if len(links) else 0)
    picked, rank = np.empty(tensors, np.int64), np.empty(tensors, np.int64)
    for row in range(first, last):
        shift = gather(leaves, seen, rel, values, soft[row], states[row], line)
        buf[:, 0] = line
        for x in range(leaves.shape[0]):
            for i in range(leaves[x, 0], leaves[x, 1]):
                counts[i] = 1 if line[i] > 0.0 else 0
        scale = shift + best_row(steps, ptr, left, right, buf, counts, edges, ranks, k)
        for t in range(trees.shape[0]):  # all but the main tree have one scalar root
            if t != main:
                empty = trees[t, 2] == trees[t, 3] or counts[trees[t, 2]] == 0
                scale += -np.inf if empty else np.log(buf[trees[t, 2], 0])
        found = 1
        if main >= 0:
            found = counts[trees[main, 2]] if trees[main, 2] < trees[main, 3] else 0
        for j in range(k):
            if j >= found or scale == -np.inf:
                continue
            if main < 0:
                logs[row, j] = scale
                continue
            logs[row, j] = scale + np.log(buf[trees[main, 2], j])
            picked[:] = -1
            _follow(trees, steps, links, ptr, left, right, edges, ranks, main, j, picked, rank)
            _decode(picked, keys, places, out[row, j])


@njit(cache=True, nogil=True)
def _follow(trees, steps, links, ptr, left, right, edges, ranks, main, j, picked, rank):
    """From the root of the main tree to the entries that make up its j-th value; not into sums."""
    s = trees[main, 1] - 1
    picked[links[s, 0]], rank[links[s, 0]] = trees[main, 2], j
    for s in range(trees[main, 1] - 1, trees[main, 0] - 1, -1):
        o = picked[links[s, 0]]
        if o >= 0 and (steps[s, 2] & MAXIMISE or ptr[o + 1] - ptr[o] == 1):
            r = rank[links[s, 0]]
            e = edges[o, r]
            picked[links[s, 1]], rank[links[s, 1]] = left[e], ranks[o, r, 0]
            if links[s, 2] >= 0:
                picked[links[s, 2]], rank[links[s, 2]] = right[e], ranks[o, r, 1]


@njit(cache=True, nogil=True)
def sample_rows(seed, leaves, seen, rel, trees, steps, links, ptr, left, right, blocks, order, keys, places, values,
                soft, states, out):  # fmt: skip
    """Exact joint samples for one row of evidence; returns the log evidence.

    Args:
        links, places: as for `explain_rows`.
        out: [sample, column] filled with state numbers.
    """
    buf = np.empty(len(ptr) - 1)
    shift = gather(leaves, seen, rel, values, soft, states, buf)
    total = shift + upward(trees, steps, ptr, left, right, blocks, order, buf)
    if total == -np.inf:
        return total
    np.random.seed(seed)
    picked = np.empty(1 + (links.max() if len(links) else 0), np.int64)
    for n in range(out.shape[0]):
        for t in range(trees.shape[0]):
            if trees[t, 0] == trees[t, 1]:
                continue
            picked[links[trees[t, 1] - 1, 0]] = trees[t, 2]
            for s in range(trees[t, 1] - 1, trees[t, 0] - 1, -1):
                o = picked[links[s, 0]]
                e = _draw(ptr[o], ptr[o + 1], left, right, buf)
                picked[links[s, 1]] = left[e]
                if links[s, 2] >= 0:
                    picked[links[s, 2]] = right[e]
        _decode(picked, keys, places, out[n])
    return total


@njit(cache=True, nogil=True)
def _draw(low, high, left, right, buf):
    """One multiply-add of an entry, in proportion to its product."""
    if high - low == 1:
        return low
    total = 0.0
    for e in range(low, high):
        total += buf[left[e]] * buf[right[e]]
    rest = np.random.random() * total
    chosen = low
    for e in range(low, high):
        product = buf[left[e]] * buf[right[e]]
        if product > 0.0:
            chosen = e  # rounding may exhaust the range: then the last possible one stands
            rest -= product
            if rest < 0.0:
                break
    return chosen
