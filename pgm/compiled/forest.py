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
        structure, around, order, finder, numbers: the field and its forest.
        row, messages, beliefs: which row, and what is said in it.
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
        low, top, most, best = structure.tables[f] + row * structure.rises[f], -np.inf, -np.inf, -np.inf
        for entry in range(_open(structure, finder, f, states, digits, ends, chosen)):
            value = np.float64(numbers.logs[low + entry])
            own, share, agrees = _term(structure, around, finder, numbers, f, messages, beliefs, states, digits)
            top, most = max(top, value + own), max(most, value + share)
            if agrees and value + own > best:
                best = value + own
                chosen[:] = digits
            advance(digits, ends, structure.first[f + 1] - structure.first[f])
        bound += top
        shared += most
        for k in range(structure.first[f + 1] - structure.first[f]):
            states[structure.variables[structure.first[f] + k]] = chosen[k]
    return min(bound, shared)


@njit(cache=True, nogil=True)
def _open(structure, finder, f, states, digits, ends, chosen):
    """Begin with the joint states of a factor; how many there are. What is not known yet is chosen to be 0."""
    entries = 1
    for k in range(structure.first[f + 1] - structure.first[f]):
        v = structure.variables[structure.first[f] + k]
        size = structure.starts[v + 1] - structure.starts[v]
        ends[k + 1], digits[k], entries = ends[k] + size, 0, entries * size
        chosen[k] = 0 if finder[v] == f else states[v]
    return entries


@njit(cache=True, nogil=True)
def _term(structure, around, finder, numbers, f, messages, beliefs, states, digits):
    """What goes with an entry of a factor's table: less its messages, the beliefs of the variables that it led to, or
    its share of all beliefs; and whether the entry agrees with what has been chosen."""
    said, own, share, agrees = 0.0, 0.0, 0.0, True
    for k in range(structure.first[f + 1] - structure.first[f]):
        e, v = structure.first[f] + k, structure.variables[structure.first[f] + k]
        message, belief = messages[structure.places[e] + digits[k]], beliefs[structure.starts[v] + digits[k]]
        if message == -np.inf or belief == -np.inf:
            return -np.inf, -np.inf, False
        said += numbers.powers[f] * message
        share += belief / (around[0][v + 1] - around[0][v])
        if finder[v] == f:
            own += belief
        elif digits[k] != states[v]:
            agrees = False
    return own - said, share - said, agrees
