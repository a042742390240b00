"""The compiled loops that run a tape: gather inputs, sum upward, differentiate downward, read.

One set of kernels, compiled once and cached on disk, serves every model. A tape's arrays are described in
`pgm.tape`. Intermediates are divided by their maximum when it leaves [SMALL, LARGE], and the logarithm is carried.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SMALL, LARGE = 1e-8, 1e8  # a tensor whose peak is outside is divided by it
LOSING = 1e-24  # a peak below this, from operands with peaks inside, means that large entries met small ones
DOUBTFUL = np.log(1e-200)  # so much lost in that way, in all, and what has underflowed might have mattered
MAXIMISE, WANT_LEFT, WANT_RIGHT = 1, 2, 4  # flags of a step


@njit(cache=True, nogil=True)
def gather(leaves, seen, rel, values, soft, states, buf):
    """Fill the entries of every leaf for one row.

    Args:
        leaves: [leaf, 7]: first and last entry, base, whether soft, first and last observed axis in `seen`, whether its
            tree is evidence.
        seen: [observed axis, 2]: column in `states`, stride.
        rel: [entry]: place of an entry within its term's table.
        values: all parameters; soft: this row's likelihoods; states: this row's state numbers.

    Returns:
        the logarithms divided out of leaves whose peak is far from one.
    """
    scale = 0.0
    buf[0], buf[1] = 1.0, 0.0
    for k in range(leaves.shape[0]):
        base = leaves[k, 2]
        for x in range(leaves[k, 4], leaves[k, 5]):
            base += states[seen[x, 0]] * seen[x, 1]
        low, high, peak = leaves[k, 0], leaves[k, 1], 0.0
        source = soft if leaves[k, 3] else values
        for i in range(low, high):
            buf[i] = source[base + rel[i]]
            peak = max(peak, buf[i])
        scale += leaves[k, 6] * _rescaled(buf, low, high, peak)
    return scale


@njit(cache=True, nogil=True)
def _rescaled(buf, low, high, peak):
    """Divide a segment by its peak when that is far from one; returns the logarithm taken out."""
    if SMALL <= peak <= LARGE or peak == 0.0:
        return 0.0
    for o in range(low, high):
        buf[o] /= peak
    return np.log(peak)


@njit(cache=True, nogil=True)
def lost_by(peak):
    """The logarithm of a peak that tells of lost entries: 0 for an ordinary one, -inf for one that is no number."""
    if not peak < np.inf:
        return -np.inf
    return np.log(peak) if 0.0 < peak < LOSING else 0.0


@njit(cache=True, nogil=True)
def upward(trees, steps, ptr, left, right, blocks, order, buf):
    """Run all steps; returns the log of the product of the roots that are evidence, -inf when zero or in doubt.

    Args:
        trees: [tree, 5]: first and last step, first and last entry of the root, whether it is evidence.
        steps: [step, 4]: first and last entry of the result, flags, number of its block or -1.
        ptr, left, right: the listed multiply-adds: entry o is the sum over ptr[o] <= e < ptr[o + 1] of
            buf[left[e]] * buf[right[e]].
        blocks, order: as `unroll` returns them.
    """
    total, lost = 0.0, 0.0
    for t in range(trees.shape[0]):
        scale = 0.0
        for s in range(trees[t, 0], trees[t, 1]):
            low, high = steps[s, 0], steps[s, 1]
            if steps[s, 3] >= 0:
                peak = _block_up(blocks[steps[s, 3]], order, low, high, buf)
            elif steps[s, 2] & MAXIMISE:
                peak = _list_maximum(low, high, ptr, left, right, buf)
            else:
                peak = _list_up(low, high, ptr, left, right, buf)
            lost += lost_by(peak)
            if not lost > DOUBTFUL:
                return -np.inf
            scale += _rescaled(buf, low, high, peak)
        if trees[t, 4]:
            root = 0.0
            for o in range(trees[t, 2], trees[t, 3]):
                root += buf[o]
            total += scale + np.log(root) if root > 0.0 else -np.inf
    return total


@njit(cache=True, nogil=True)
def _list_up(low, high, ptr, left, right, buf):
    """Sums of products, one result after the other; returns the largest."""
    peak = 0.0
    for o in range(low, high):
        acc = 0.0
        for e in range(ptr[o], ptr[o + 1]):
            acc += buf[left[e]] * buf[right[e]]
        buf[o] = acc
        peak = peak if acc <= peak else acc
    return peak


@njit(cache=True, nogil=True)
def _list_maximum(low, high, ptr, left, right, buf):
    """Largest products, one result after the other; returns the largest of all."""
    peak = 0.0
    for o in range(low, high):
        best = 0.0
        for e in range(ptr[o], ptr[o + 1]):
            best = max(best, buf[left[e]] * buf[right[e]])
        buf[o] = best
        peak = peak if best <= peak else best
    return peak


@njit(cache=True, nogil=True)
def _block_up(block, order, low, high, buf):
    """A batched matrix product: out[k, i, j] = sum over s of one[k, i, s] two[k, s, j]; returns the largest result."""
    both, rows, columns, summed = block[0], block[1], block[2], block[3]
    two, out = np.empty(summed * columns), np.empty(columns)
    one_at, two_at = block[4], block[5]
    peak = 0.0
    for _ in range(both):
        for x in range(summed * columns):
            two[x] = buf[order[two_at + x]]
        two_at += summed * columns
        for _ in range(rows):
            out[:] = 0.0
            for s in range(summed):
                one = buf[order[one_at + s]]
                row = two[s * columns : (s + 1) * columns]
                for j in range(columns):
                    out[j] += one * row[j]
            one_at += summed
            for j in range(columns):
                buf[low + j] = out[j]
                peak = peak if out[j] <= peak else out[j]
            low += columns
    return peak


@njit(cache=True, nogil=True)
def downward(trees, steps, ptr, left, right, blocks, order, buf, adj):
    """The gradient of each root with respect to every wanted entry, up to a factor for each tensor."""
    adj[:] = 0.0
    for t in range(trees.shape[0]):
        for o in range(trees[t, 2], trees[t, 3]):
            adj[o] = 1.0
        for s in range(trees[t, 1] - 1, trees[t, 0] - 1, -1):
            flags = steps[s, 2]
            if flags & (WANT_LEFT | WANT_RIGHT):
                low, high = steps[s, 0], steps[s, 1]
                peak = 0.0
                for o in range(low, high):
                    peak = max(peak, adj[o])
                _rescaled(adj, low, high, peak)
                if steps[s, 3] >= 0:
                    _block_down(flags, blocks[steps[s, 3]], order, low, buf, adj)
                else:
                    _list_down(flags, low, high, ptr, left, right, buf, adj)


@njit(cache=True, nogil=True)
def _list_down(flags, low, high, ptr, left, right, buf, adj):
    """From the results of a step to its wanted operands."""
    if not flags & WANT_RIGHT:
        for o in range(low, high):
            down = adj[o]
            for e in range(ptr[o], ptr[o + 1]):
                adj[left[e]] += down * buf[right[e]]
    elif not flags & WANT_LEFT:
        for o in range(low, high):
            down = adj[o]
            for e in range(ptr[o], ptr[o + 1]):
                adj[right[e]] += down * buf[left[e]]
    else:
        for o in range(low, high):
            down = adj[o]
            for e in range(ptr[o], ptr[o + 1]):
                adj[left[e]] += down * buf[right[e]]
                adj[right[e]] += down * buf[left[e]]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # sums over j may be reordered, so that they vectorise
def _block_down(flags, block, order, low, buf, adj):
    """The two products of a block's downward pass: down x two^T to the left, one^T x down to the right."""
    both, rows, columns, summed = block[0], block[1], block[2], block[3]
    two, two_adj, down = np.empty(summed * columns), np.empty(summed * columns), np.empty(columns)
    one_at, two_at = block[4], block[5]
    for _ in range(both):
        for x in range(summed * columns):
            two[x] = buf[order[two_at + x]]
        two_adj[:] = 0.0
        for _ in range(rows):
            for j in range(columns):
                down[j] = adj[low + j]
            low += columns
            for s in range(summed):
                entry = order[one_at + s]
                if flags & WANT_LEFT:
                    row, acc = two[s * columns : (s + 1) * columns], 0.0
                    for j in range(columns):
                        acc += down[j] * row[j]
                    adj[entry] += acc
                if flags & WANT_RIGHT:
                    row, one = two_adj[s * columns : (s + 1) * columns], buf[entry]
                    for j in range(columns):
                        row[j] += one * down[j]
            one_at += summed
        if flags & WANT_RIGHT:
            for x in range(summed * columns):
                adj[order[two_at + x]] += two_adj[x]
        two_at += summed * columns


@njit(cache=True, nogil=True)
def read(reads, spots, fixed, states, buf, adj, out):
    """Normalised answers of one row.

    Args:
        reads: [read, 4]: first and last entry of the tensor read, first and last place of the answer in `out`.
        spots: [entry of a tensor read, in the order of the reads]: place within the answer.
        fixed: [observed target, 2]: column in `states`, first place in `out`.
    """
    out[:] = 0.0
    x = 0
    for k in range(reads.shape[0]):
        low, high = reads[k, 2], reads[k, 3]
        for i in range(reads[k, 0], reads[k, 1]):
            out[low + spots[x]] += buf[i] * adj[i]
            x += 1
        total = 0.0
        for o in range(low, high):
            total += out[o]
        if total > 0.0:
            for o in range(low, high):
                out[o] /= total
    for k in range(fixed.shape[0]):
        out[fixed[k, 1] + states[fixed[k, 0]]] = 1.0


@njit(cache=True, nogil=True)
def answer_row(leaves, seen, rel, trees, steps, ptr, left, right, blocks, order, reads, spots, fixed, values, soft,
               states, buf, adj, out):  # fmt: skip
    """One row from evidence to all answers; returns the log evidence."""
    scale = gather(leaves, seen, rel, values, soft, states, buf)
    total = scale + upward(trees, steps, ptr, left, right, blocks, order, buf)
    if total > -np.inf and len(out):
        downward(trees, steps, ptr, left, right, blocks, order, buf, adj)
        read(reads, spots, fixed, states, buf, adj, out)
    return total


@njit(cache=True, nogil=True)
def answer_rows(first, last, leaves, seen, rel, trees, steps, ptr, left, right, blocks, order, reads, spots, fixed,
                values, soft, states, totals, out):  # fmt: skip
    """As `answer_row` for the rows first ... last of a batch, one at a time."""
    buf, adj = np.empty(len(ptr) - 1), np.empty(len(ptr) - 1)
    for row in range(first, last):
        totals[row] = answer_row(
            leaves, seen, rel, trees, steps, ptr, left, right, blocks, order, reads, spots, fixed, values, soft[row],
            states[row], buf, adj, out[row],
        )  # fmt: skip
