"""Sweeps of Gibbs sampling: each variable in turn is drawn given all others, chain after chain.

What surrounds a variable is a list of entries, one a factor: where its table begins, the stride of the variable's own
axis, and the other variables with their strides. A wide factor is a train of small matrices; the products of those
left and right of a place are kept, and a cursor walks along the train as the sweep goes on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Tables(NamedTuple):
    """Tables of logarithms and what surrounds each variable, flat.

    Args:
        starts: where the states of each variable begin, and their number, `[variables + 1]`.
        unary: log weights of single states, `[rows, states]`.
        own: their exponentials, the greatest of each variable divided out, `[rows, states]`.
        logs: all tables end to end.
        plain: their exponentials, the greatest of each table divided out.
        first: where the entries of each variable begin, and their number, `[variables + 1]`.
        entries: for each entry where its table begins, how far further that is for each row, the stride of the
            variable's own axis, and where its other variables begin; a last line ends those, `[entries + 1, 4]`.
        members: the other variables of each entry and the strides of their axes, `[members, 2]`.
    """

    starts: np.ndarray
    unary: np.ndarray
    own: np.ndarray
    logs: np.ndarray
    plain: np.ndarray
    first: np.ndarray
    entries: np.ndarray
    members: np.ndarray


class Wide(NamedTuple):
    """Trains of matrices, flat: places are numbered from the first train to the last.

    Args:
        first: where the places of each variable begin in the next, and the end, `[variables + 1]`.
        places: the numbers of those places.
        ends: where the places of each train begin, and the end, `[trains + 1]`.
        spots: for each place its train, its variable, its number of states, the rows and columns of its matrices, where
            they begin, how far further that is for each row, and where the product left of it begins in a buffer; that
            right of it follows, `[places, 8]`.
        cores: all numbers.
        room: the length of that buffer.
    """

    first: np.ndarray
    places: np.ndarray
    ends: np.ndarray
    spots: np.ndarray
    cores: np.ndarray
    room: int


SMALL = 1e-200  # sums of products below it are worked out in logarithms
TRAIN, MEMBER, SIZE, ROWS, COLUMNS, BASE, JUMP, BOND = range(8)


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(low, high, states, keys, powers, sweeps, tables, wide, sums, squares):
    """Move chains on, in place.

    Args:
        low, high: which of them.
        states: `[rows * chains, variables]`.
        keys: seeds, `[rows * chains]`.
        powers: of the factors of two variables or more, `[chains]`.
        sweeps: how often each variable is drawn.
        tables, wide: the field.
        sums, squares: to add the probabilities of all states, and their squares, to: `[rows * chains, states]`; or
            empty.
    """
    starts, unary, own, logs, plain, first, entries, members = tables
    wide_first, places, ends, spots, cores, room = wide
    left, right, cursor = np.empty(room), np.empty(room), np.empty(len(ends) - 1, np.int64)
    weights, random = np.empty(np.max(np.diff(starts))), np.empty(4, np.uint64)
    for c in range(low, high):
        x, row, power = states[c], c // len(powers), powers[c % len(powers)]
        seed(keys[c], random)
        _rewind(x, row, ends, spots, cores, left, right, cursor)
        for _ in range(sweeps):
            for v in range(len(x)):
                begin, size = starts[v], starts[v + 1] - starts[v]
                total, alone = 0.0, wide_first[v] == wide_first[v + 1]
                if power == 1.0 and alone:
                    mine = own[row, begin : begin + size]
                    total = products(x, row, first[v], first[v + 1], mine, plain, entries, members, weights)
                if total < SMALL:
                    tables_around(x, row, first[v], first[v + 1], size, logs, entries, members, weights)
                    for k in range(wide_first[v], wide_first[v + 1]):
                        _walk(places[k], x, row, spots, cores, left, right, cursor)
                        _train_around(places[k], row, spots, cores, left, right, weights)
                    total = exponentials(unary[row, begin : begin + size], power, weights)
                if total > 0.0:
                    x[v] = choose(_uniform(random) * total, size, weights)
                    if sums.size:
                        _add(weights, size, total, sums[c, begin:], squares[c, begin:])


@njit(cache=True, nogil=True, error_model="numpy")
def coupling(states, chains, tables, wide):
    """The log of the product of all factors of two variables or more at states `[rows * chains, variables]`."""
    logs, first, entries, members = tables.logs, tables.first, tables.entries, tables.members
    ends, spots, cores = wide.ends, wide.spots, wide.cores
    left, right, cursor = np.empty(wide.room), np.empty(wide.room), np.empty(len(ends) - 1, np.int64)
    found = np.empty(len(states))
    for c in range(len(states)):
        x, row = states[c], c // chains
        found[c] = _rewind(x, row, ends, spots, cores, left, right, cursor)
        for v in range(len(x)):
            for e in range(first[v], first[v + 1]):
                place, least = entries[e, 0] + entries[e, 1] * row + entries[e, 2] * x[v], True
                for k in range(entries[e, 3], entries[e + 1, 3]):
                    place += members[k, 1] * x[members[k, 0]]
                    least &= members[k, 0] > v
                if least:  # each factor counts at the first of its variables
                    found[c] += logs[place]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def products(x, row, low, high, own, plain, entries, members, weights):
    """The products of all tables around a variable, for each of its states; their sum, 0 where they underflow."""
    for s in range(len(own)):
        weights[s] = own[s]
    for e in range(low, high):
        place, step = entries[e, 0] + entries[e, 1] * row, entries[e, 2]
        for k in range(entries[e, 3], entries[e + 1, 3]):
            place += members[k, 1] * x[members[k, 0]]
        for s in range(len(own)):
            weights[s] *= plain[place + s * step]
    total = 0.0
    for s in range(len(own)):
        total += weights[s]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def tables_around(x, row, low, high, size, logs, entries, members, weights):
    """The sums of the logs of all tables around a variable, for each of its states."""
    for s in range(size):
        weights[s] = 0.0
    for e in range(low, high):
        place, step = entries[e, 0] + entries[e, 1] * row, entries[e, 2]
        for k in range(entries[e, 3], entries[e + 1, 3]):
            place += members[k, 1] * x[members[k, 0]]
        for s in range(size):
            weights[s] += logs[place + s * step]


@njit(cache=True, nogil=True, error_model="numpy")
def exponentials(unary, power, weights):
    """Log weights to weights, in place; their sum, 0 where all states are impossible."""
    peak = -np.inf
    for s in range(len(unary)):
        if weights[s] > -np.inf:
            weights[s] = unary[s] + power * weights[s]
        peak = max(peak, weights[s])
    if peak == -np.inf:
        return 0.0
    total = 0.0
    for s in range(len(unary)):
        weights[s] = np.exp(weights[s] - peak)
        total += weights[s]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def choose(mark, size, weights):
    """The state at which the running sum passes a mark; one of weight 0 is never chosen."""
    found = 0
    for s in range(size):
        if weights[s] > 0.0:
            found = s
            mark -= weights[s]
            if mark < 0.0:
                break
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _add(weights, size, total, sums, squares):
    """Count the probabilities of all states of a variable, and their squares, in."""
    for s in range(size):
        p = weights[s] / total
        sums[s] += p
        squares[s] += p * p


@njit(cache=True, nogil=True, error_model="numpy")
def _train_around(place, row, spots, cores, left, right, weights):
    """The logs of a train around one of its variables, added for each of its states."""
    rows, columns, size = spots[place, ROWS], spots[place, COLUMNS], spots[place, SIZE]
    before, base = spots[place, BOND], spots[place, BASE] + spots[place, JUMP] * row
    for s in range(size):
        total = 0.0
        for i in range(rows):
            for j in range(columns):
                core = cores[base + (i * size + s) * columns + j]
                total += left[before + i] * core * right[before + rows + j]
        weights[s] += np.log(total) if total > 0.0 else -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _rewind(x, row, ends, spots, cores, left, right, cursor):
    """All products right of each place, and every cursor at its first place; the log of the product of all trains."""
    total = 0.0
    for train in range(len(cursor)):
        first, last = ends[train], ends[train + 1] - 1
        left[spots[first, BOND]] = 1.0
        right[spots[last, BOND] + spots[last, ROWS]] = 1.0
        for place in range(last, first - 1, -1):
            total += np.log(_extend_left(place, x, row, spots, cores, right))
        cursor[train] = first
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _walk(place, x, row, spots, cores, left, right, cursor):
    """Bring the cursor of a train to a place: what lies left of it and right of it is then up to date."""
    train = spots[place, TRAIN]
    while cursor[train] < place:
        _extend_right(cursor[train], x, row, spots, cores, left)
        cursor[train] += 1
    while cursor[train] > place:
        _extend_left(cursor[train], x, row, spots, cores, right)
        cursor[train] -= 1


@njit(cache=True, nogil=True, error_model="numpy")
def _extend_right(place, x, row, spots, cores, left):
    """The product left of the next place, from the one left of this, divided by its largest entry."""
    rows, columns, size = spots[place, ROWS], spots[place, COLUMNS], spots[place, SIZE]
    before, after = spots[place, BOND], spots[place, BOND] + spots[place, ROWS]
    base = spots[place, BASE] + spots[place, JUMP] * row + x[spots[place, MEMBER]] * columns
    for j in range(columns):
        left[after + j] = 0.0
        for i in range(rows):
            left[after + j] += left[before + i] * cores[base + i * size * columns + j]
    return _scaled(left, after, columns)


@njit(cache=True, nogil=True, error_model="numpy")
def _extend_left(place, x, row, spots, cores, right):
    """The product right of the place before, from the one right of this, divided by its largest entry."""
    rows, columns, size = spots[place, ROWS], spots[place, COLUMNS], spots[place, SIZE]
    before, after = spots[place, BOND], spots[place, BOND] + spots[place, ROWS]
    base = spots[place, BASE] + spots[place, JUMP] * row + x[spots[place, MEMBER]] * columns
    for i in range(rows):
        right[before + i] = 0.0
        for j in range(columns):
            right[before + i] += cores[base + i * size * columns + j] * right[after + j]
    return _scaled(right, before, rows)


@njit(cache=True, nogil=True, error_model="numpy")
def _scaled(vector, low, count):
    """Divide part of a vector by its largest entry, which is given back; zeros stay zeros."""
    peak = 0.0
    for i in range(low, low + count):
        peak = max(peak, vector[i])
    if peak > 0.0:
        for i in range(low, low + count):
            vector[i] /= peak
    return peak


@njit(cache=True, nogil=True, error_model="numpy")
def seed(key, random):
    """Fill the state of a random stream from a key (splitmix64: Steele, Lea and Flood, 2014)."""
    z = np.uint64(key)
    for i in range(4):
        z += np.uint64(0x9E3779B97F4A7C15)
        y = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        y = (y ^ (y >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        random[i] = y ^ (y >> np.uint64(31))


@njit(cache=True, nogil=True, error_model="numpy")
def _uniform(random):
    """A number in [0, 1) of 53 bits (xoshiro256+: Blackman and Vigna, 2021)."""
    found = (random[0] + random[3]) >> np.uint64(11)
    shifted = random[1] << np.uint64(17)
    random[2] ^= random[0]
    random[3] ^= random[1]
    random[1] ^= random[2]
    random[0] ^= random[3]
    random[2] ^= shifted
    random[3] = (random[3] << np.uint64(45)) | (random[3] >> np.uint64(19))
    return found * 1.1102230246251565e-16  # 2^-53
