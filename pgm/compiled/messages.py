"""Message passing for factors of any shape, one row after another: all messages at once, or the most urgent first.

Messages are logs that sum to 1 (or have a maximum of 1), as in `pgm.approximate.messages.passing`. What arrives at
a factor is multiplied in linear arithmetic where no product can underflow, in logs elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

SAFE = 650.0  # nats between the largest and the smallest product that still lie within double precision


class Structure(NamedTuple):
    """Which factor meets which variable; an edge is an axis of a factor.

    Args:
        starts: first state of each variable, and the end.
        first: first edge of each factor, and the end.
        variables: the variable of each edge.
        places: where the messages of each edge begin.
        tables: where the table of each factor begins in row 0, -1 for a train of matrices.
        rises: how much further it begins in each next row.
        cores: the same two for the matrices of each edge of a train, `[2, edges]`.
        ranks: the number of rows of those matrices, and 1 at the end of each train.
    """

    starts: np.ndarray
    first: np.ndarray
    variables: np.ndarray
    places: np.ndarray
    tables: np.ndarray
    rises: np.ndarray
    cores: np.ndarray
    ranks: np.ndarray


class Numbers(NamedTuple):
    """What is multiplied.

    Args:
        unary: log weights of single states, `[rows, states]`.
        logs: all tables of logs, end to end.
        linear: their exponentials, each table divided by its maximum.
        spans: the difference between the greatest and the least finite log in each factor's tables, `[factors]`.
        cores: all matrices of trains, end to end.
        powers: how often each factor's messages count in a belief, `[factors]`.
        faint: nats below the best state of a message from which on states count as equally bad when it changes.
    """

    unary: np.ndarray
    logs: np.ndarray
    linear: np.ndarray
    spans: np.ndarray
    cores: np.ndarray
    powers: np.ndarray
    faint: float


@njit(cache=True, nogil=True)
def begin(unary, total, blocked):
    """Beliefs without any message: the finite part, and how many say that a state is impossible."""
    for s in range(len(unary)):
        blocked[s] = unary[s] == -np.inf
        total[s] = 0.0 if blocked[s] else unary[s]


@njit(cache=True, nogil=True)
def count(structure, f, messages, power, total, blocked):
    """Take the messages of a factor into the beliefs, or out of them where the power is negative."""
    sign = 1 if power > 0.0 else -1
    for e in range(structure.first[f], structure.first[f + 1]):
        low, place = structure.starts[structure.variables[e]], structure.places[e]
        for s in range(structure.starts[structure.variables[e] + 1] - low):
            value = messages[place + s]
            if value == -np.inf:
                blocked[low + s] += sign
            else:
                total[low + s] += power * value


@njit(cache=True, nogil=True)
def arrive(structure, f, total, blocked, messages, arriving, ends):
    """What the variables of a factor say to it, with a maximum of 0 each; the widest gap between finite ones."""
    ends[0], gap = 0, 0.0
    for k in range(structure.first[f + 1] - structure.first[f]):
        e = structure.first[f] + k
        low, place = structure.starts[structure.variables[e]], structure.places[e]
        size = structure.starts[structure.variables[e] + 1] - low
        top, bottom = -np.inf, np.inf
        for s in range(size):
            own = messages[place + s]
            gone = own == -np.inf
            value = -np.inf if blocked[low + s] > gone else total[low + s] - (0.0 if gone else own)
            arriving[ends[k] + s] = value
            top = max(top, value)
            bottom = min(bottom, value) if value > -np.inf else bottom
        if top > -np.inf:
            gap += top - bottom
            for s in range(size):
                arriving[ends[k] + s] -= top
        ends[k + 1] = ends[k] + size
    return gap


@njit(cache=True, nogil=True)
def multiply(table, vectors, ends, arity, found):
    """found_k(x_k) = sum over all other axes of the table times the vectors of those, for every axis k."""
    digits, before = np.zeros(arity, np.int64), np.ones(arity + 1)
    changed = 0
    for entry in range(len(table)):
        for k in range(changed, arity):
            before[k + 1] = before[k] * vectors[ends[k] + digits[k]]
        after = table[entry]
        if after > 0.0:
            for k in range(arity - 1, -1, -1):
                place = ends[k] + digits[k]
                found[place] += after * before[k]
                after *= vectors[place]
        changed = advance(digits, ends, arity)


@njit(cache=True, nogil=True)
def advance(digits, ends, arity):
    """The next joint state, the last axis fastest; the first axis that changed."""
    k = arity - 1
    while k > 0 and digits[k] == ends[k + 1] - ends[k] - 1:
        digits[k] = 0
        k -= 1
    digits[k] += 1
    return k


@njit(cache=True, nogil=True)
def add_logs(table, arriving, ends, arity, found, maximum):
    """The same in logs, with sums or maxima, in one pass."""
    scale = np.zeros(ends[arity])
    found[: ends[arity]] = -np.inf
    digits, before = np.zeros(arity, np.int64), np.zeros(arity + 1)
    changed = 0
    for entry in range(len(table)):
        for k in range(changed, arity):
            before[k + 1] = before[k] + arriving[ends[k] + digits[k]]
        after = np.float64(table[entry])
        for k in range(arity - 1, -1, -1):
            place = ends[k] + digits[k]
            value = after + before[k]
            if value > found[place]:
                scale[place] = scale[place] * np.exp(found[place] - value) + 1.0
                found[place] = value
            elif value > -np.inf:
                scale[place] += np.exp(value - found[place])
            after += arriving[place]
        changed = advance(digits, ends, arity)
    if not maximum:
        for place in range(ends[arity]):
            found[place] += np.log(scale[place]) if scale[place] > 0.0 else 0.0


@njit(cache=True, nogil=True)
def along(structure, f, row, cores, vectors, ends, found):
    """found_k of a train of matrices: one sweep from the left, one from the right, rescaled on the way."""
    first, arity = structure.first[f], structure.first[f + 1] - structure.first[f]
    widest = 1
    for e in range(first, first + arity):
        widest = max(widest, structure.ranks[e])
    lefts, right, next_ = np.zeros((arity + 1, widest)), np.ones(widest), np.zeros(widest)
    lefts[0, 0] = 1.0
    for k in range(arity):
        e, size = first + k, ends[k + 1] - ends[k]
        rows, columns = structure.ranks[e], structure.ranks[e + 1] if k + 1 < arity else 1
        core = structure.cores[0, e] + row * structure.cores[1, e]
        for i in range(rows):
            for s in range(size):
                weight = lefts[k, i] * vectors[ends[k] + s]
                for j in range(columns if weight > 0.0 else 0):
                    lefts[k + 1, j] += weight * cores[core + (i * size + s) * columns + j]
        rescale(lefts[k + 1])
    for k in range(arity - 1, -1, -1):
        e, size = first + k, ends[k + 1] - ends[k]
        rows, columns = structure.ranks[e], structure.ranks[e + 1] if k + 1 < arity else 1
        core = structure.cores[0, e] + row * structure.cores[1, e]
        next_[:] = 0.0
        for i in range(rows):
            for s in range(size):
                weight = 0.0
                for j in range(columns):
                    weight += cores[core + (i * size + s) * columns + j] * right[j]
                found[ends[k] + s] += lefts[k, i] * weight
                next_[i] += vectors[ends[k] + s] * weight
        right, next_ = next_, right
        rescale(right)


@njit(cache=True, nogil=True)
def along_logs(structure, f, row, cores, arriving, ends, found):
    """The same in logs, slower, for what arrives beyond double precision."""
    first, arity = structure.first[f], structure.first[f + 1] - structure.first[f]
    widest = structure.ranks[first : first + arity].max()
    lefts, rights = np.full((arity + 1, widest), -np.inf), np.full((arity + 1, widest), -np.inf)
    lefts[0, 0], rights[arity, 0], found[: ends[arity]] = 0.0, 0.0, -np.inf
    for sweep in range(2):
        for place in range(arity):
            k = place if sweep == 0 else arity - 1 - place
            e, size = first + k, ends[k + 1] - ends[k]
            columns = structure.ranks[e + 1] if k + 1 < arity else 1
            core = structure.cores[0, e] + row * structure.cores[1, e]
            for i in range(structure.ranks[e]):
                for s in range(size):
                    for j in range(columns):
                        weight, n = np.log(cores[core + (i * size + s) * columns + j]), arriving[ends[k] + s]
                        if sweep == 0:
                            lefts[k + 1, j] = plus(lefts[k + 1, j], lefts[k, i] + weight + n)
                        else:
                            rights[k, i] = plus(rights[k, i], weight + n + rights[k + 1, j])
                            through = lefts[k, i] + weight + rights[k + 1, j]
                            found[ends[k] + s] = plus(found[ends[k] + s], through)


@njit(cache=True, nogil=True)
def plus(a, b):
    """log(exp(a) + exp(b))"""
    return max(a, b) + np.log1p(np.exp(-abs(a - b))) if min(a, b) > -np.inf else max(a, b)


@njit(cache=True, nogil=True)
def rescale(vector):
    top = vector.max()
    if top > 0.0:
        vector /= top


@njit(cache=True, nogil=True)
def leave(structure, f, row, numbers, arriving, vectors, ends, gap, found, maximum):
    """The logs of what a factor says to its variables, not normalised."""
    arity = structure.first[f + 1] - structure.first[f]
    wide = structure.tables[f] < 0
    entries = 1
    for k in range(arity):
        entries *= ends[k + 1] - ends[k]
    low = structure.tables[f] + row * structure.rises[f]
    if not wide and (maximum or gap + numbers.spans[f] > SAFE):
        add_logs(numbers.logs[low : low + entries], arriving, ends, arity, found, maximum)
        return
    if wide and gap > SAFE:
        along_logs(structure, f, row, numbers.cores, arriving, ends, found)
        return
    for place in range(ends[arity]):
        vectors[place], found[place] = np.exp(arriving[place]), 0.0
    if wide:
        along(structure, f, row, numbers.cores, vectors, ends, found)
    else:
        multiply(numbers.linear[low : low + entries], vectors, ends, arity, found)
    for place in range(ends[arity]):
        found[place] = np.log(found[place]) if found[place] > 0.0 else -np.inf


@njit(cache=True, nogil=True)
def normalise(logs, low, high, maximum):
    """Subtracts the log of the sum, or the maximum; all -inf stays so."""
    top = -np.inf
    for s in range(low, high):
        top = max(top, logs[s])
    if top == -np.inf:
        return
    if not maximum:
        total = 0.0
        for s in range(low, high):
            total += np.exp(logs[s] - top)
        top += np.log(total)
    for s in range(low, high):
        logs[s] -= top


@njit(cache=True, nogil=True)
def mix(structure, f, messages, ends, found, changes, damping, maximum, faint):
    """The damped messages of a factor into `found`; the largest change along each axis, and of all."""
    worst = 0.0
    for k in range(structure.first[f + 1] - structure.first[f]):
        place = structure.places[structure.first[f] + k]
        normalise(found, ends[k], ends[k + 1], maximum)
        if damping > 0.0:
            for s in range(ends[k + 1] - ends[k]):
                old, new = messages[place + s], found[ends[k] + s]
                if old > -np.inf and new > -np.inf:  # what is impossible is not approached by halves
                    found[ends[k] + s] = new + damping * (old - new)
            normalise(found, ends[k], ends[k + 1], maximum)
        changes[k] = change(messages[place : place + ends[k + 1] - ends[k]], found[ends[k] : ends[k + 1]], faint)
        worst = max(worst, changes[k])
    return worst


@njit(cache=True, nogil=True)
def change(old, new, faint):
    """The largest |d - e| / (4 + max(d, e)) of a message, d and e nats below its best state before and after.

    Where two states are about even that is the change in probability. Unlike that it sees what goes on far below: a
    message that says e^-300 instead of e^-200 may decide what another one of e^-250 leaves open.
    """
    worst, top, peak = 0.0, -1e300, -1e300
    for s in range(len(old)):
        top, peak = max(top, old[s]), max(peak, new[s])
    for s in range(len(old)):
        before, after = min(top - old[s], faint), min(peak - new[s], faint)
        worst = max(worst, abs(after - before) / (4.0 + max(before, after)))
    return worst


@njit(cache=True, nogil=True)
def write(structure, f, messages, ends, found):
    """What was found becomes the messages of a factor."""
    for k in range(structure.first[f + 1] - structure.first[f]):
        place = structure.places[structure.first[f] + k]
        for s in range(ends[k + 1] - ends[k]):
            messages[place + s] = found[ends[k] + s]


class Room(NamedTuple):
    """Working space for one factor: logs that arrive, their exponentials, logs that leave, where each axis begins in
    these, and how much the messages along it change."""

    arriving: np.ndarray
    vectors: np.ndarray
    found: np.ndarray
    ends: np.ndarray
    changes: np.ndarray


@njit(cache=True, nogil=True)
def room(structure):
    """Enough of it for the widest factor."""
    widest, most = 1, 1
    for f in range(len(structure.first) - 1):
        width = 0
        for e in range(structure.first[f], structure.first[f + 1]):
            width += structure.starts[structure.variables[e] + 1] - structure.starts[structure.variables[e]]
        widest, most = max(widest, width), max(most, structure.first[f + 1] - structure.first[f])
    return Room(np.empty(widest), np.empty(widest), np.empty(widest), np.zeros(most + 1, np.int64), np.empty(most))


@njit(cache=True, nogil=True)
def update(structure, numbers, f, row, messages, total, blocked, space, damping, maximum):
    """The new messages of a factor into `space.found`; the largest change of one."""
    gap = arrive(structure, f, total, blocked, messages, space.arriving, space.ends)
    leave(structure, f, row, numbers, space.arriving, space.vectors, space.ends, gap, space.found, maximum)
    return mix(structure, f, messages, space.ends, space.found, space.changes, damping, maximum, numbers.faint)


@njit(cache=True, nogil=True)
def all_at_once(structure, numbers, messages, rows, damping, maximum, tolerance, residuals):
    """Updates of all messages from those before, in place, until a row's residual is within the tolerance.

    Args:
        structure, numbers: the field.
        messages: `[rows, entries]`, written.
        rows: which of them.
        damping: weight of the old logs.
        maximum: whether to maximise instead of to sum.
        tolerance: of the largest change of a message.
        residuals: `[steps, rows]`, written; after the last step of a row they stay as they are.
    """
    space, states, factors = room(structure), numbers.unary.shape[1], len(structure.first) - 1
    total, blocked = np.empty(states), np.empty(states, np.int32)
    fresh, barred = np.empty(states), np.empty(states, np.int32)
    for row in rows:
        own, unary = messages[row], numbers.unary[row]
        begin(unary, total, blocked)
        for f in range(factors):
            count(structure, f, own, numbers.powers[f], total, blocked)
        for step in range(len(residuals)):
            begin(unary, fresh, barred)
            worst = 0.0
            for f in range(factors):
                worst = max(worst, update(structure, numbers, f, row, own, total, blocked, space, damping, maximum))
                write(structure, f, own, space.ends, space.found)
                count(structure, f, own, numbers.powers[f], fresh, barred)
            total, fresh, blocked, barred = fresh, total, barred, blocked
            residuals[step, row] = worst
            if worst <= tolerance:
                break
