"""Message passing in the order of need: the factor whose variables have changed most is always the next."""

from __future__ import annotations

import numpy as np
from numba import njit

from .messages import begin, count, room, update, write


@njit(cache=True, nogil=True)
def most_urgent_first(structure, numbers, around, messages, rows, damping, maximum, tolerance, residuals):
    """Updates of single factors in place; a step is as many of them as there are factors.

    How urgent a factor is: the sum of the changes of messages that its variables have got since its last
    update. When none is above the tolerance, all are tried, and what they would change is the residual.

    Args:
        structure, numbers, messages, rows, damping, maximum, tolerance, residuals: as for `all_at_once`.
        around: for each variable the factors on it: where they begin, and all of them.
    """
    space, factors = room(structure), len(structure.first) - 1
    total, blocked = np.empty(numbers.unary.shape[1]), np.empty(numbers.unary.shape[1], np.int32)
    urgency, heap, where = np.empty(factors), np.empty(factors, np.int64), np.empty(factors, np.int64)
    for row in rows:
        own = messages[row]
        begin(numbers.unary[row], total, blocked)
        for f in range(factors):
            count(structure, f, own, numbers.powers[f], total, blocked)
            urgency[f], heap[f], where[f] = np.inf, f, f
        for step in range(len(residuals)):
            for _ in range(factors):
                f = heap[0]
                if urgency[f] <= tolerance:
                    break
                change = update(structure, numbers, f, row, own, total, blocked, space, damping, maximum)
                count(structure, f, own, -numbers.powers[f], total, blocked)
                write(structure, f, own, space.ends, space.found)
                count(structure, f, own, numbers.powers[f], total, blocked)
                urgency[f] = damping * change  # what is left of its own way
                _sink(urgency, heap, where, 0)
                _spread(structure, around, f, space.changes, urgency, heap, where)
            if urgency[heap[0]] <= tolerance:
                for f in range(factors):
                    urgency[f] = update(structure, numbers, f, row, own, total, blocked, space, damping, maximum)
                for place in range(factors // 2, -1, -1):
                    _sink(urgency, heap, where, place)
            residuals[step, row] = urgency[heap[0]]
            if residuals[step, row] <= tolerance:
                break


@njit(cache=True, nogil=True)
def _spread(structure, around, f, changes, urgency, heap, where):
    """The changes of a factor's messages make the other factors on its variables more urgent."""
    for e in range(structure.first[f], structure.first[f + 1]):
        change = changes[e - structure.first[f]]
        v = structure.variables[e]
        for k in range(around[0][v], around[0][v + 1] if change > 0.0 else around[0][v]):
            g = around[1][k]
            if g != f:
                urgency[g] += change
                _rise(urgency, heap, where, where[g])


@njit(cache=True, nogil=True)
def _rise(urgency, heap, where, place):
    """Move what is at a place of the heap towards its top, as far as it is more urgent than what is above."""
    f = heap[place]
    while place > 0 and urgency[heap[(place - 1) // 2]] < urgency[f]:
        above = (place - 1) // 2
        heap[place] = heap[above]
        where[heap[place]] = place
        place = above
    heap[place], where[f] = f, place


@njit(cache=True, nogil=True)
def _sink(urgency, heap, where, place):
    """Move it away from the top, as far as something below is more urgent."""
    f = heap[place]
    while 2 * place + 1 < len(heap):
        below = 2 * place + 1
        if below + 1 < len(heap) and urgency[heap[below + 1]] > urgency[heap[below]]:
            below += 1
        if urgency[heap[below]] <= urgency[f]:
            break
        heap[place] = heap[below]
        where[heap[place]] = place
        place = below
    heap[place], where[f] = f, place
