"""The kernels of `pgm.compiled.row`, eight rows of evidence at a time: every entry is a vector of eight doubles."""

from __future__ import annotations

import numpy as np
from numba import njit

from .row import DOUBTFUL, LARGE, SMALL, WANT_LEFT, WANT_RIGHT, lost_by
from .simd import WIDTH, larger, load, madd, store, zeros


@njit(cache=True, nogil=True)
def _gather(first, last, leaves, seen, rel, values, soft, states, buf, totals):
    """Fill the entries of every leaf; lanes beyond the last row repeat it. Logarithms divided out go to `totals`."""
    peaks, scale = np.zeros((1, WIDTH)), np.zeros(WIDTH)
    totals[:] = 0.0
    for lane in range(WIDTH):
        buf[0, lane], buf[1, lane] = 1.0, 0.0
    for k in range(leaves.shape[0]):
        low, high = leaves[k, 0], leaves[k, 1]
        peaks[:], scale[:] = 0.0, 0.0
        for lane in range(WIDTH):
            row = min(first + lane, last - 1)
            base = leaves[k, 2]
            for x in range(leaves[k, 4], leaves[k, 5]):
                base += states[row, seen[x, 0]] * seen[x, 1]
            source = soft[row] if leaves[k, 3] else values
            for i in range(low, high):
                buf[i, lane] = source[base + rel[i]]
                peaks[0, lane] = max(peaks[0, lane], buf[i, lane])
        _rescale(buf, low, high, peaks, scale)
        if leaves[k, 6]:
            totals += scale


@njit(cache=True, nogil=True)
def _rescale(buf, low, high, peaks, scale):
    """Divide lanes whose peak is far from one; add the logarithm taken out to `scale`."""
    usual = True
    for lane in range(WIDTH):
        usual &= SMALL <= peaks[0, lane] <= LARGE
    if usual:
        return
    for lane in range(WIDTH):
        peak = peaks[0, lane]
        if peak > 0.0 and not SMALL <= peak <= LARGE:
            scale[lane] += np.log(peak)
            for o in range(low, high):
                buf[o, lane] /= peak


@njit(cache=True, nogil=True)
def _list_up(low, high, ptr, left, right, buf, peaks):
    """Sums of products, one result after the other."""
    peak = zeros()
    for o in range(low, high):
        acc = zeros()
        for e in range(ptr[o], ptr[o + 1]):
            acc = madd(acc, load(buf, left[e]), load(buf, right[e]))
        store(buf, o, acc)
        peak = larger(peak, acc)
    store(peaks, 0, peak)


@njit(cache=True, nogil=True)
def _block_up(block, order, low, buf, peaks):
    """out[k, i, j] = sum over s of one[k, i, s] two[k, s, j]."""
    both, rows, columns, summed = block[0], block[1], block[2], block[3]
    one_at, two_at = block[4], block[5]
    peak = zeros()
    for _ in range(both):
        for _ in range(rows):
            for j in range(columns):
                acc = zeros()
                for s in range(summed):
                    acc = madd(acc, load(buf, order[one_at + s]), load(buf, order[two_at + s * columns + j]))
                store(buf, low, acc)
                peak = larger(peak, acc)
                low += 1
            one_at += summed
        two_at += summed * columns
    store(peaks, 0, peak)


@njit(cache=True, nogil=True)
def _upward(trees, steps, ptr, left, right, blocks, order, buf, totals):
    """Run all steps; adds the logs of the roots that are evidence to `totals`, -inf when zero or in doubt."""
    peaks, scale, lost = np.zeros((1, WIDTH)), np.zeros(WIDTH), np.zeros(WIDTH)
    for t in range(trees.shape[0]):
        scale[:] = 0.0
        for s in range(trees[t, 0], trees[t, 1]):
            low, high = steps[s, 0], steps[s, 1]
            if steps[s, 3] >= 0:
                _block_up(blocks[steps[s, 3]], order, low, buf, peaks)
            else:
                _list_up(low, high, ptr, left, right, buf, peaks)
            for lane in range(WIDTH):
                lost[lane] += lost_by(peaks[0, lane])
            _rescale(buf, low, high, peaks, scale)
        if trees[t, 4]:
            for lane in range(WIDTH):
                root = 0.0
                for o in range(trees[t, 2], trees[t, 3]):
                    root += buf[o, lane]
                sure = root > 0.0 and lost[lane] > DOUBTFUL
                totals[lane] += scale[lane] + np.log(root) if sure else -np.inf


@njit(cache=True, nogil=True)
def _list_down(flags, low, high, ptr, left, right, buf, adj):
    """From the results of a step to its wanted operands."""
    for o in range(low, high):
        down = load(adj, o)
        for e in range(ptr[o], ptr[o + 1]):
            a, b = left[e], right[e]
            if flags & WANT_LEFT:
                store(adj, a, madd(load(adj, a), down, load(buf, b)))
            if flags & WANT_RIGHT:
                store(adj, b, madd(load(adj, b), down, load(buf, a)))


@njit(cache=True, nogil=True)
def _block_down(flags, block, order, low, buf, adj):
    """down x two^T to the left, one^T x down to the right."""
    both, rows, columns, summed = block[0], block[1], block[2], block[3]
    one_at, two_at = block[4], block[5]
    for _ in range(both):
        for _ in range(rows):
            for s in range(summed):
                entry = order[one_at + s]
                acc, one = load(adj, entry), load(buf, entry)
                for j in range(columns):
                    other = order[two_at + s * columns + j]
                    down = load(adj, low + j)
                    if flags & WANT_LEFT:
                        acc = madd(acc, down, load(buf, other))
                    if flags & WANT_RIGHT:
                        store(adj, other, madd(load(adj, other), down, one))
                store(adj, entry, acc)
            one_at += summed
            low += columns
        two_at += summed * columns


@njit(cache=True, nogil=True)
def _downward(trees, steps, ptr, left, right, blocks, order, buf, adj):
    """The gradient of each root with respect to every wanted entry, up to a factor for each tensor and lane."""
    peaks, ignored = np.zeros((1, WIDTH)), np.zeros(WIDTH)
    adj[:] = 0.0
    for t in range(trees.shape[0]):
        adj[trees[t, 2] : trees[t, 3]] = 1.0
        for s in range(trees[t, 1] - 1, trees[t, 0] - 1, -1):
            flags = steps[s, 2]
            if flags & (WANT_LEFT | WANT_RIGHT):
                low, high = steps[s, 0], steps[s, 1]
                peak = zeros()
                for o in range(low, high):
                    peak = larger(peak, load(adj, o))
                store(peaks, 0, peak)
                _rescale(adj, low, high, peaks, ignored)
                if steps[s, 3] >= 0:
                    _block_down(flags, blocks[steps[s, 3]], order, low, buf, adj)
                else:
                    _list_down(flags, low, high, ptr, left, right, buf, adj)


@njit(cache=True, nogil=True)
def _read(first, last, reads, spots, fixed, states, buf, adj, sums, out):
    """Normalised answers of the rows first ... last."""
    out[first:last] = 0.0
    x = 0
    for k in range(reads.shape[0]):
        low, high = reads[k, 2], reads[k, 3]
        sums[: high - low] = 0.0
        for i in range(reads[k, 0], reads[k, 1]):
            store(sums, spots[x], madd(load(sums, spots[x]), load(buf, i), load(adj, i)))
            x += 1
        for row in range(first, last):
            total = 0.0
            for o in range(high - low):
                total += sums[o, row - first]
            for o in range(high - low):
                out[row, low + o] = sums[o, row - first] / total if total > 0.0 else 0.0
    for k in range(fixed.shape[0]):
        for row in range(first, last):
            out[row, fixed[k, 1] + states[row, fixed[k, 0]]] = 1.0


@njit(cache=True, nogil=True)
def answer_rows(first, last, leaves, seen, rel, trees, steps, ptr, left, right, blocks, order, reads, spots, fixed,
                values, soft, states, totals, out):  # fmt: skip
    """As `row.answer_row` for the rows first ... last of a batch.

    Args:
        states: [row, observed] state numbers; soft: [row, width] likelihoods.
        totals: [row] filled with log evidence; out: [row, width] filled with answers.
    """
    buf, adj, lanes = np.empty((len(ptr) - 1, WIDTH)), np.empty((len(ptr) - 1, WIDTH)), np.empty(WIDTH)
    widest = 0
    for k in range(reads.shape[0]):
        widest = max(widest, reads[k, 3] - reads[k, 2])
    sums = np.empty((widest, WIDTH))
    for row in range(first, last, WIDTH):
        end = min(row + WIDTH, last)
        _gather(row, end, leaves, seen, rel, values, soft, states, buf, lanes)
        _upward(trees, steps, ptr, left, right, blocks, order, buf, lanes)
        totals[row:end] = lanes[: end - row]
        if out.shape[1]:
            _downward(trees, steps, ptr, left, right, blocks, order, buf, adj)
            _read(row, end, reads, spots, fixed, states, buf, adj, sums, out)
