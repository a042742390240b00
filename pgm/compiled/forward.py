"""Draws of a directed model: each variable from its table at the states of its parents, and weights beside them."""

from __future__ import annotations

import numpy as np
from numba import njit

DRAW, WEIGH, DRAW_TRAIN, WEIGH_TRAIN = 0, 1, 2, 3  # what a step does
BLOCK = 1024  # draws whose states stay in the cache
FEW = 8  # states that are quicker to count through than to halve
TINY = 1e-100  # products below it are rescaled
_STEP, _ONE, _TWO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_A, _B, _C, _D = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@njit(cache=True, nogil=True)
def uniform(key, number):
    """The number-th of a stream of numbers in [0, 1): a hash of a counter, so that the order of drawing is free."""
    x = key + np.uint64(number) * _STEP
    x = (x ^ (x >> _A)) * _ONE
    x = (x ^ (x >> _B)) * _TWO
    return np.float64((x ^ (x >> _C)) >> _D) * 2.0**-53


@njit(cache=True, nogil=True)
def forward(key, number, steps, links, cores, tables, columns, logs):
    """Fill the columns of what is drawn, and add to the logarithms what is weighed.

    Args:
        key: of the stream of random numbers, unsigned.
        number: of the first draw among all draws of that stream.
        steps: [step, 6] what to do, the column drawn, its number of states, where its table begins, and which links
            (or cores) are its own.
        links: [link, 2] a column that a table is looked up by, and its stride.
        cores: [core, 4] a column, the shape of its matrices, and the place of the first.
        tables: cumulative sums of what is drawn, logarithms of what is weighed, matrices `[states, left, right]`.
        columns: [column, draw] state numbers.
        logs: [draw] log weights.

    Reference: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators.
    """
    widest = cores[:, 1:3].max() if len(cores) else 1
    places, points = np.empty(BLOCK, np.int64), np.empty(BLOCK)
    row, spare = np.empty(widest), np.empty(widest)
    for low in range(0, columns.shape[1], BLOCK):
        block = columns[:, low : low + BLOCK]
        for s in range(len(steps)):
            kind, out, size, start, first, last = steps[s]
            if kind in (DRAW, DRAW_TRAIN):
                for i in range(block.shape[1]):
                    points[i] = uniform(key, (number + low + i) * len(steps) + s)
            if kind in (DRAW, WEIGH):
                _locate(links[first:last], start, block, places)
            if kind == DRAW:
                _search(tables, places, size, points, block[out])
            elif kind == WEIGH:
                for i in range(block.shape[1]):
                    logs[low + i] += tables[places[i]]
            elif kind == DRAW_TRAIN:
                for i in range(block.shape[1]):
                    _multiply(cores[first : last - 1], tables, block[:, i], row, spare)
                    block[out, i] = _chosen(cores[last - 1], size, tables, row, points[i])
            else:
                for i in range(block.shape[1]):
                    log = _multiply(cores[first:last], tables, block[:, i], row, spare)
                    logs[low + i] += log + np.log(row[0])


@njit(cache=True, nogil=True)
def _locate(links, start, columns, places):
    """Where in a table each draw of a block is looked up."""
    places[: columns.shape[1]] = start
    for k in range(len(links)):
        column, stride = links[k]
        for i in range(columns.shape[1]):
            places[i] += stride * columns[column, i]


@njit(cache=True, nogil=True)
def _search(sums, places, size, points, out):
    """How many of the first size - 1 cumulative sums are at most the point, without a branch that has to be guessed."""
    if size <= FEW:
        for i in range(len(out)):
            out[i] = size > 1 and sums[places[i]] <= points[i]
        for j in range(1, size - 1):
            for i in range(len(out)):
                out[i] += sums[places[i] + j] <= points[i]
        return
    for i in range(len(out)):
        low, left = places[i], size
        while left > 1:
            half = left // 2
            low += half if sums[low + half - 1] <= points[i] else 0
            left -= half
        out[i] = low - places[i]


@njit(cache=True, nogil=True)
def _multiply(cores, tables, states, row, spare):
    """The product of matrices at the states of one draw, in `row`; the logarithm of what was divided out."""
    row[0], log = 1.0, 0.0
    for k in range(len(cores)):
        column, left, right, start = cores[k]
        start += states[column] * left * right
        peak = 0.0
        for b in range(right):
            total = 0.0
            for a in range(left):
                total += row[a] * tables[start + a * right + b]
            spare[b] = total
            peak = max(peak, total)
        scale = 1.0 / peak if 0.0 < peak < TINY else 1.0
        log -= np.log(scale)
        for b in range(right):
            row[b] = spare[b] * scale
    return log


@njit(cache=True, nogil=True)
def _chosen(core, size, tables, row, point):
    """A state in proportion to the row times the last matrices, `[states, left, 1]`."""
    left, start = core[1], core[3]
    total = 0.0
    for s in range(size):
        for a in range(left):
            total += row[a] * tables[start + s * left + a]
    rest, chosen = point * total, 0
    for s in range(size):
        weight = 0.0
        for a in range(left):
            weight += row[a] * tables[start + s * left + a]
        if weight > 0.0:
            chosen = s  # rounding may exhaust the range: then the last possible one stands
            rest -= weight
            if rest < 0.0:
                break
    return chosen
