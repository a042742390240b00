"""Greedy elimination on a bit matrix: a neighbourhood is a row of words, a fill-in a population count."""

from __future__ import annotations

import numpy as np
from numba import njit

MIN_FILL, WEIGHTED_MIN_FILL, MIN_WEIGHT = 0, 1, 2


@njit(cache=True)
def moral_matrix(count, starts, members):
    """The bit matrix of the undirected view: row i has bit j when i and j share a scope, i != j."""
    matrix = np.zeros((count, (count + 63) // 64), dtype=np.uint64)
    for k in range(len(starts) - 1):
        for x in range(starts[k], starts[k + 1]):
            for y in range(starts[k], starts[k + 1]):
                if x != y:
                    i, j = members[x], members[y]
                    matrix[i, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
    return matrix


@njit(cache=True, inline="always")
def _ones(word):
    """Number of bits set in a 64-bit word."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def _members(row, out):
    """The places of the bits set in a row, written into `out`; returns how many."""
    count = 0
    for w in range(len(row)):
        word = row[w]
        while word:
            low = word & (~word + np.uint64(1))
            out[count] = (w << 6) + _ones(low - np.uint64(1))
            count += 1
            word ^= low
    return count


@njit(cache=True)
def _score(matrix, weights, rule, v, around):
    """The greedy score of eliminating v (logarithm of 1 + the rule's measure)."""
    degree = _members(matrix[v], around)
    if rule == MIN_WEIGHT:
        total = np.log(weights[v])
        for x in range(degree):
            total += np.log(weights[around[x]])
        return total
    fill = 0.0
    for w in range(matrix.shape[1]):
        if matrix[v, w] == 0:  # most words of a large graph
            continue
        for x in range(degree):
            u = around[x]
            missing = matrix[v, w] & ~matrix[u, w]
            if rule == MIN_FILL:
                fill += _ones(missing)
            else:
                while missing:
                    low = missing & (~missing + np.uint64(1))
                    fill += weights[u] * weights[(w << 6) + _ones(low - np.uint64(1))]
                    missing ^= low
    for x in range(degree):  # none is a neighbour of itself
        fill -= 1.0 if rule == MIN_FILL else weights[around[x]] * weights[around[x]]
    return np.log(1.0 + 0.5 * fill)


@njit(cache=True)
def eliminate(start, weights, stage, rule, temperature, seed, limit):
    """One greedy run; stops early, with an infinite cost, once the cost passes `limit`."""
    count = len(weights)
    matrix = start.copy()
    around, near = np.empty(count, np.int64), np.empty(count, np.int64)
    order, score, done = np.empty(count, np.int64), np.empty(count, np.float64), np.zeros(count, np.bool_)
    np.random.seed(seed)
    for v in range(count):
        score[v] = _score(matrix, weights, rule, v, near) + _noise(temperature)
    stale = np.zeros(count, np.bool_)
    cost, remaining = 0.0, count - np.sum(stage)
    for place in range(count):
        current = 0 if place < remaining else 1
        v = -1
        for u in range(count):
            if not done[u] and stage[u] == current and (v < 0 or score[u] < score[v]):
                v = u
        order[place] = v
        done[v] = True
        degree = _members(matrix[v], around)
        entries = weights[v]
        for x in range(degree):
            entries *= weights[around[x]]
        cost += entries
        if cost >= limit:
            return order, np.inf
        _connect(matrix, v, around, degree)
        stale[:] = False
        for x in range(degree):
            stale[around[x]] = True
            if rule != MIN_WEIGHT:
                for y in range(_members(matrix[around[x]], near)):
                    stale[near[y]] = True
        for u in range(count):
            if stale[u]:
                score[u] = _score(matrix, weights, rule, u, near) + _noise(temperature)
    return order, cost


@njit(cache=True)
def _noise(temperature):
    return temperature * np.log(np.random.random() + 1e-12) if temperature > 0 else 0.0


@njit(cache=True)
def _connect(matrix, v, around, degree):
    """Make the neighbours of v a clique and take v out."""
    word, bit = v >> 6, ~(np.uint64(1) << np.uint64(v & 63))
    for x in range(degree):
        u = around[x]
        for w in range(matrix.shape[1]):
            matrix[u, w] |= matrix[v, w]
        matrix[u, u >> 6] &= ~(np.uint64(1) << np.uint64(u & 63))
        matrix[u, word] &= bit
    matrix[v, :] = np.uint64(0)
