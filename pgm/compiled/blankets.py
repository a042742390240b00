"""Sweeps of Gibbs sampling by look-up: conditionals are worked out beforehand, and chains move side by side.

The table of a variable has its probabilities for each joint state of its Markov blanket, where that is small. Chains
are the innermost axis everywhere, so that the loops over them are vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .gibbs import SMALL, choose, exponentials, products, seed, tables_around

WIDEST = 2**14  # numbers in the table of one variable, at most
ALL = 2**20  # numbers in all tables of a row, at most


class Blankets(NamedTuple):
    """Where the conditional of each variable is looked up.

    Args:
        starts: where the states of each variable begin, and their number, `[variables + 1]`.
        first: where the others in the blanket of each variable begin, and the end, `[variables + 1]`.
        others: those, and their strides in the table, `[others, 2]`.
        tables: where the table of each variable begins, and the end, `[variables + 1]`.
    """

    starts: np.ndarray
    first: np.ndarray
    others: np.ndarray
    tables: np.ndarray


@njit(cache=True, nogil=True)
def blankets(tables):
    """The blankets of all variables; one that is too large has no others, and a table of length 0."""
    starts, first, entries, members = tables.starts, tables.first, tables.entries, tables.members
    begins, ends = np.zeros_like(starts), np.zeros_like(starts)
    found = np.empty((len(members), 2), np.int64)
    for v in range(len(starts) - 1):
        width, last = starts[v + 1] - starts[v], begins[v]
        for k in range(entries[first[v], 3], entries[first[v + 1], 3]):
            if not _among(members[k, 0], found[begins[v] : last]):
                found[last, 0], found[last, 1] = members[k, 0], width
                last += 1
                width *= starts[members[k, 0] + 1] - starts[members[k, 0]]
            if width > min(WIDEST, ALL - ends[v]):
                last, width = begins[v], 0
                break
        begins[v + 1], ends[v + 1] = last, ends[v] + width
    return Blankets(starts, begins, found[: begins[-1]].copy(), ends)


@njit(cache=True, nogil=True)
def _among(member, others):
    found = False
    for j in range(len(others)):
        found |= others[j, 0] == member
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def conditionals(where, tables, power):
    """The probabilities of each variable given its blanket, `[rows, numbers]`; all 0 where no state is possible."""
    starts, begins, others, ends = where
    rows = len(tables.unary)
    found, x = np.zeros((rows, ends[-1])), np.zeros(len(starts) - 1, np.int16)
    weights = np.empty(np.max(np.diff(starts)))
    for row in range(rows):
        for v in range(len(x)):
            size = starts[v + 1] - starts[v]
            for place in range(ends[v], ends[v + 1], size):
                for k in range(begins[v], begins[v + 1]):
                    other = others[k, 0]
                    x[other] = (place - ends[v]) // others[k, 1] % (starts[other + 1] - starts[other])
                total = _weighed(x, row, v, power, tables, weights)
                for s in range(size):
                    found[row, place + s] = weights[s] / total if total > 0.0 else 0.0
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _weighed(x, row, v, power, tables, weights):
    """The weights of all states of a variable given the others; their sum, 0 where none is possible."""
    starts, unary, own, logs, plain, first, entries, members = tables
    begin, end, total = starts[v], starts[v + 1], 0.0
    if power == 1.0:
        total = products(x, row, first[v], first[v + 1], own[row, begin:end], plain, entries, members, weights)
    if total < SMALL:
        tables_around(x, row, first[v], first[v + 1], end - begin, logs, entries, members, weights)
        total = exponentials(unary[row, begin:end], power, weights)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def look_up(low, high, lanes, states, keys, power, sweeps, tables, where, found, sums, squares, kept, first, thin):
    """Move chains on, in place.

    Args:
        low, high: which blocks of chains; those of a row come one after another.
        lanes: how many chains a block.
        states: `[rows, variables, chains]`.
        keys: seeds, `[rows, chains]`.
        power: of the factors of two variables or more.
        sweeps: how often each variable is drawn.
        tables: the field.
        where, found: the blankets, and the probabilities given them at that power.
        sums, squares: to add the probabilities of all states, and their squares, to: `[rows, states, chains]`; or
            empty.
        kept: room for states, `[rows, times, variables, chains]`.
        first, thin: the sweeps after which they are kept: first, first + thin, first + 2 thin, ...
    """
    chains = states.shape[2]
    blocks = (chains + lanes - 1) // lanes
    for number in range(low, high):
        row, begin = number // blocks, number % blocks * lanes
        end = min(begin + lanes, chains)
        random, one = np.empty((4, end - begin), np.uint64), np.empty(4, np.uint64)
        for c in range(end - begin):
            seed(keys[row, begin + c], one)
            random[:, c] = one
        x = states[row, :, begin:end].copy()
        p, p2 = np.zeros((2, sums.shape[1], end - begin))
        for sweep in range(sweeps):
            _sweep(x, random, row, power, tables, where, found[row], p, p2)
            time, rest = divmod(sweep + 1 - first, thin)
            if rest == 0 and 0 <= time < kept.shape[1]:
                kept[row, time, :, begin:end] = x
        states[row, :, begin:end] = x
        if len(p):
            sums[row, :, begin:end] += p
            squares[row, :, begin:end] += p2


@njit(cache=True, nogil=True, error_model="numpy")
def _sweep(x, random, row, power, tables, where, found, sums, squares):
    """Draw each variable once in all chains."""
    starts, begins, others, ends = where
    level, total, p = np.empty((3, x.shape[1]))
    place, drawn = np.empty((2, x.shape[1]), np.int32)
    weights = np.empty(np.max(np.diff(starts)))
    for v in range(len(x)):
        uniform(random[0], random[1], random[2], random[3], level)
        mine, mine2 = sums[starts[v] : starts[v + 1]], squares[starts[v] : starts[v + 1]]
        if ends[v] == ends[v + 1]:
            for c in range(x.shape[1]):
                _draw(x[:, c], row, v, power, tables, level[c], weights, mine[:, c], mine2[:, c])
            continue
        _locate(x, begins[v], begins[v + 1], ends[v], others, place)
        total[:], drawn[:] = 0.0, -1
        for s in range(starts[v + 1] - starts[v]):
            for c in range(len(place)):
                p[c] = found[place[c] + s]
                drawn[c] += total[c] <= level[c]
                total[c] += p[c]
            if len(mine):
                _add(p, mine[s], mine2[s])
        for c in range(len(place)):
            if found[place[c] + drawn[c]] == 0.0:  # rounding, or a variable that cannot move
                drawn[c] = _last_possible(found, place[c], starts[v + 1] - starts[v], x[v, c])
            x[v, c] = drawn[c]


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(x, row, v, power, tables, level, weights, sums, squares):
    """Draw one variable of one chain whose blanket is too large for a table."""
    total = _weighed(x, row, v, power, tables, weights)
    if total > 0.0:
        size = tables.starts[v + 1] - tables.starts[v]
        x[v] = choose(level * total, size, weights)
        for s in range(len(sums)):
            sums[s] += weights[s] / total
            squares[s] += (weights[s] / total) ** 2


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(x, low, high, begin, others, place):
    """Where the conditional of each chain begins in the tables."""
    place[:] = begin
    for k in range(low, high):
        beside, stride = x[others[k, 0]], np.int32(others[k, 1])
        for c in range(len(place)):
            place[c] += stride * beside[c]


@njit(cache=True, nogil=True)
def _add(p, sums, squares):
    """Count probabilities of one state and their squares in."""
    for c in range(len(p)):
        sums[c] += p[c]
        squares[c] += p[c] * p[c]


@njit(cache=True, nogil=True, error_model="numpy")
def _last_possible(found, place, size, otherwise):
    """The last state of positive probability."""
    for s in range(size - 1, -1, -1):
        if found[place + s] > 0.0:
            return s
    return otherwise


@njit(cache=True, nogil=True, error_model="numpy")
def uniform(a, b, c, d, level):
    """A number in [0, 1) of 53 bits for each chain (xoshiro256+: Blackman and Vigna, 2021)."""
    for i in range(len(level)):
        level[i] = np.float64(np.int64((a[i] + d[i]) >> np.uint64(11))) * 1.1102230246251565e-16  # 2^-53
        shifted = b[i] << np.uint64(17)
        e, f = c[i] ^ a[i], d[i] ^ b[i]
        b[i] ^= e
        a[i] ^= f
        c[i] = e ^ shifted
        d[i] = (f << np.uint64(45)) | (f >> np.uint64(19))
