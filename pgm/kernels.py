"""The compiled loops that run a tape: gather inputs, sum upward, differentiate downward, read.

One set of kernels, compiled once and cached on disk, serves every model. A tape's arrays are described in
`pgm.tape`. Intermediates are divided by their maximum when it leaves [SMALL, LARGE], and the logarithm is carried.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SMALL, LARGE = 1e-100, 1e100
DOUBTFUL = 1e-220  # a peak below this, from operands with peaks above SMALL, comes from entries near underflow
MAXIMISE, WANT_LEFT, WANT_RIGHT = 1, 2, 4  # flags of a step


@njit(cache=True, nogil=True)
def gather(leaves, seen, rel, values, soft, states, buf):
    """Fill the entries of every leaf for one row.

    Args:
        leaves: [leaf, 6]: first and last entry, base, whether soft, first and last observed axis in `seen`.
        seen: [observed axis, 2]: column in `states`, stride.
        rel: [entry]: place of an entry within its term's table.
        values: all parameters; soft: this row's likelihoods; states: this row's state numbers.
    """
    buf[0] = 1.0
    for k in range(leaves.shape[0]):
        base = leaves[k, 2]
        for x in range(leaves[k, 4], leaves[k, 5]):
            base += states[seen[x, 0]] * seen[x, 1]
        if leaves[k, 3]:
            for i in range(leaves[k, 0], leaves[k, 1]):
                buf[i] = soft[base + rel[i]]
        else:
            for i in range(leaves[k, 0], leaves[k, 1]):
                buf[i] = values[base + rel[i]]


@njit(cache=True, nogil=True)
def _rescaled(buf, low, high, peak):
    """Divide a segment by its peak when that is far from one; returns the logarithm taken out."""
    if SMALL < peak < LARGE or peak == 0.0:
        return 0.0
    for o in range(low, high):
        buf[o] /= peak
    return np.log(peak)


@njit(cache=True, nogil=True)
def upward(trees, steps, ptr, left, right, buf):
    """Run all steps; returns the log of the product of the roots that are evidence, -inf when zero or in doubt.

    Args:
        trees: [tree, 5]: first and last step, first and last entry of the root, whether it is evidence.
        steps: [step, 3]: first and last entry of the result, flags.
    """
    total = 0.0
    for t in range(trees.shape[0]):
        scale = 0.0
        for s in range(trees[t, 0], trees[t, 1]):
            low, high = steps[s, 0], steps[s, 1]
            peak = 0.0
            if steps[s, 2] & MAXIMISE:
                for o in range(low, high):
                    best = 0.0
                    for e in range(ptr[o], ptr[o + 1]):
                        best = max(best, buf[left[e]] * buf[right[e]])
                    buf[o] = best
                    peak = max(peak, best)
            else:
                for o in range(low, high):
                    acc = 0.0
                    for e in range(ptr[o], ptr[o + 1]):
                        acc += buf[left[e]] * buf[right[e]]
                    buf[o] = acc
                    peak = max(peak, acc)
            if 0.0 < peak < DOUBTFUL:
                return -np.inf
            scale += _rescaled(buf, low, high, peak)
        if trees[t, 4]:
            root = 0.0
            for o in range(trees[t, 2], trees[t, 3]):
                root += buf[o]
            total += scale + np.log(root) if root > 0.0 else -np.inf
    return total


@njit(cache=True, nogil=True)
def downward(trees, steps, ptr, left, right, buf, adj):
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
                _push(flags, low, high, ptr, left, right, buf, adj)


@njit(cache=True, nogil=True)
def _push(flags, low, high, ptr, left, right, buf, adj):
    """One step of the downward pass: from the result to the wanted operands."""
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
def answer_row(leaves, seen, rel, trees, steps, ptr, left, right, reads, spots, fixed, values, soft, states, buf, adj,
               out):  # fmt: skip
    """One row from evidence to all answers; returns the log evidence."""
    gather(leaves, seen, rel, values, soft, states, buf)
    total = upward(trees, steps, ptr, left, right, buf)
    if total > -np.inf and len(out):
        downward(trees, steps, ptr, left, right, buf, adj)
        read(reads, spots, fixed, states, buf, adj, out)
    return total


@njit(cache=True, nogil=True)
def answer_rows(first, last, leaves, seen, rel, trees, steps, ptr, left, right, reads, spots, fixed, values, soft,
                states, totals, out):  # fmt: skip
    """As `answer_row` for the rows first ... last of a batch, `[rows, ...]` each."""
    buf, adj = np.empty(len(rel)), np.empty(len(rel))
    for row in range(first, last):
        totals[row] = answer_row(
            leaves, seen, rel, trees, steps, ptr, left, right, reads, spots, fixed, values, soft[row], states[row],
            buf, adj, out[row],
        )  # fmt: skip
