"""Elimination orders: which variable to sum out next, searched greedily under a time budget.

The moral graph is a bit matrix, so that a neighbourhood is a row of words and a fill-in is a population count.
Three greedy rules (min-fill, weighted min-fill, min-weight) are tried once each; while time is left, randomised
runs of all three follow, and the order with the fewest table entries over all eliminated cliques wins.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import numpy as np
from numba import njit

RULES = MIN_FILL, WEIGHTED_MIN_FILL, MIN_WEIGHT = 0, 1, 2
WORTH_SEARCHING = 2e4  # table entries below which a better order could not be felt


def search_order(
    sizes: Sequence[int], scopes: Sequence[Sequence[int]], *, last: Collection[int] = (), seconds: float = 0.2
) -> tuple[int, ...]:
    """An elimination order of all variables with few table entries.

    Args:
        sizes: number of states of each variable.
        scopes: variables that must share a clique: one collection of variable numbers a term.
        last: variables that come after all others.
        seconds: time budget of the randomised search; the greedy rules run in any case.

    Returns:
        Variable numbers, first eliminated first.

    Example:
        >>> search_order([2, 2, 2], [(0, 1), (1, 2)], last=[1])
        (0, 2, 1)

    Reference: Kjaerulff (1990), Triangulation of graphs; Fishelson and Geiger (2003).
    """
    order, _ = search(sizes, scopes, last, seconds)
    return tuple(int(variable) for variable in order)


def search(
    sizes: Sequence[int], scopes: Sequence[Sequence[int]], last: Collection[int], seconds: float
) -> tuple[np.ndarray, float]:
    """The best order found and its cost, the sum of table entries over the eliminated cliques."""
    stage = np.zeros(len(sizes), dtype=np.int64)
    stage[list(last)] = 1
    return search_matrix(moral_matrix(len(sizes), *flatten(scopes)), np.asarray(sizes, dtype=float), stage, seconds)


def search_matrix(
    matrix: np.ndarray, sizes: np.ndarray, stage: np.ndarray, seconds: float, rules: Sequence[int] = RULES
) -> tuple[np.ndarray, float]:
    """As `search`, from the bit matrix of the moral graph.

    Args:
        matrix: as `moral_matrix` makes it.
        sizes: number of states of each variable, as floats.
        stage: 0 for variables to eliminate first, 1 for those that come last.
        seconds: time budget of the randomised search.
        rules: the greedy rules to try once each.
    """
    deadline = time.monotonic() + seconds
    best, least = np.zeros(0, dtype=np.int64), np.inf
    for rule in rules:
        order, cost = _eliminate(matrix, sizes, stage, rule, 0.0, 0, least)
        best, least = (order, cost) if cost < least else (best, least)
    trial = 0
    while least > WORTH_SEARCHING and time.monotonic() < deadline:
        trial += 1
        order, cost = _eliminate(matrix, sizes, stage, trial % 3, _temperature(trial), trial, least)
        best, least = (order, cost) if cost < least else (best, least)
    return best, least


def _temperature(trial: int) -> float:
    """How much a randomised run perturbs log scores: four levels in turn."""
    return (0.02, 0.1, 0.3, 1.0)[(trial // 3) % 4]


def flatten(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths as one array with the places where rows start (one more than there are rows)."""
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return starts, np.array([each for row in rows for each in row], dtype=np.int64)


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
    for x in range(degree):
        u = around[x]
        for w in range(matrix.shape[1]):
            missing = matrix[v, w] & ~matrix[u, w]
            if rule == MIN_FILL:
                fill += _ones(missing)
            else:
                while missing:
                    low = missing & (~missing + np.uint64(1))
                    fill += weights[u] * weights[(w << 6) + _ones(low - np.uint64(1))]
                    missing ^= low
        fill -= 1.0 if rule == MIN_FILL else weights[u] * weights[u]  # u is no neighbour of itself
    return np.log(1.0 + 0.5 * fill)


@njit(cache=True)
def _eliminate(start, weights, stage, rule, temperature, seed, limit):
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
