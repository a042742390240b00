"""A spanning forest of a factor graph, and joint states chosen along it."""

from __future__ import annotations

import numpy as np
from numba import njit

from .messages import advance


@njit(cache=True, nogil=True)
def forest(structure, around):
    """Factors in the order in which a search in breadth meets them, and for each variable the factor that led to it.

    Args:
        structure: the field.
        around: for each variable the factors on it: where they begin, and all of them.

    Returns:
        The order, and a factor a variable, -1 where a tree begins.
    """
    variables, factors = len(structure.starts) - 1, len(structure.first) - 1
    order, met = np.empty(factors, np.int64), np.zeros(factors, np.bool_)
    finder, queue = np.full(variables, -2, np.int64), np.empty(variables, np.int64)
    count, taken, added = 0, 0, 0
    for root in range(variables):
        if finder[root] > -2:
            continue
        finder[root], queue[added] = -1, root
        added += 1
        while taken < added:
            v = queue[taken]
            taken += 1
            for f in around[1][around[0][v] : around[0][v + 1]]:
                if met[f]:
                    continue
                met[f], order[count] = True, f
                count += 1
                for w in structure.variables[structure.first[f] : structure.first[f + 1]]:
                    if finder[w] == -2:
                        finder[w], queue[added] = f, w
                        added += 1
    return order, finder


@njit(cache=True, nogil=True)
def decode(structure, around, order, finder, numbers, row, messages, beliefs, states):
    """Joint states chosen one tree of the forest after another, each variable given those before it in its factor.

    The weight of a joint state is a sum of terms, one a root, its belief, and one a factor: its table less its
    messages, plus the beliefs of the variables it led to. What is chosen is the best in each term in turn, which on a
    tree whose messages have settled is the best of all.

    Args:
        structure, order, finder, numbers: the field and its forest.
        row: which row.
        messages, beliefs: of this row.
        states: `[variables]`, written.

    Returns:
        No joint state weighs more than this: the sum of the maxima of all terms, or the same where each factor takes
        an equal share of its variables' beliefs, whichever is less.
    """
    bound, shared = 0.0, 0.0
    for v in range(len(finder)):
        if finder[v] == -1:
            own = beliefs[structure.starts[v] : structure.starts[v + 1]]
            states[v] = np.argmax(own)
            bound += own.max()
            shared += own.max() if around[0][v] == around[0][v + 1] else 0.0
    widest = np.diff(structure.first).max() if len(order) else 0
    digits, ends, chosen = np.zeros(widest, np.int64), np.zeros(widest + 1, np.int64), np.zeros(widest, np.int64)
    for f in order:
        first, arity = structure.first[f], structure.first[f + 1] - structure.first[f]
        entries = 1
        for k in range(arity):
            v = structure.variables[first + k]
            size = structure.starts[v + 1] - structure.starts[v]
            ends[k + 1], digits[k], entries = ends[k] + size, 0, entries * size
            chosen[k] = 0 if finder[v] == f else states[v]
        low, best, top, most = structure.tables[f] + row * structure.rises[f], -np.inf, -np.inf, -np.inf
        for entry in range(entries):
            value, agrees, share = np.float64(numbers.logs[low + entry]), True, 0.0
            after = 0.0
            for k in range(arity):
                e, v = first + k, structure.variables[first + k]
                said = messages[structure.places[e] + digits[k]]
                value = value - numbers.powers[f] * said if said > -np.inf else -np.inf
                belief = beliefs[structure.starts[v] + digits[k]]
                share += belief / (around[0][v + 1] - around[0][v])
                if finder[v] == f:
                    after += belief
                elif digits[k] != states[v]:
                    agrees = False
            top, most = max(top, value + after), max(most, value + share)
            value += after
            if agrees and value > best:
                best = value
                chosen[:arity] = digits[:arity]
            advance(digits, ends, arity)
        bound += top
        shared += most
        for k in range(arity):
            states[structure.variables[first + k]] = chosen[k]
    return min(bound, shared)
