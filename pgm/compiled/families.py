"""Counting: how often each joint state of a child and its parents occurs, and what that is worth."""

from __future__ import annotations

from math import lgamma

import numpy as np
from numba import njit

PENALISED, DIRICHLET = 0, 1  # scores
PEARSON, LIKELIHOOD = 0, 1  # statistics


@njit(cache=True)
def joint(columns, sizes, scope):
    """One number a row for the joint state of `scope`, and how many numbers there are, at most one a row."""
    rows, count = columns.shape[1], 1
    codes = np.zeros(rows, np.int32)
    for place in scope:
        size, column = sizes[place], columns[place]
        for i in range(rows):
            codes[i] = codes[i] * size + column[i]
        count *= size
        if count > rows:  # so that no table is much larger than the data
            count = _renumber(codes, count)
    return codes, count


@njit(cache=True)
def _renumber(codes, count):
    """Replace the codes by 0, 1, ... in order of appearance; returns how many differ."""
    new, found = np.full(count, -1, np.int32), 0
    for i in range(len(codes)):
        if new[codes[i]] < 0:
            new[codes[i]] = found
            found += 1
        codes[i] = new[codes[i]]
    return found


@njit(cache=True)
def count_into(table, codes, column, width):
    """Count the pairs of a code and a state as table[state * width + code]; `table` has room for four such tables.

    Four, for a count must not wait until the one before it is written; unsigned, for a place below zero would be
    asked about at each row.
    """
    table[:] = 0
    size, step, rows = len(table) // 4, np.uint64(width), len(codes)
    one, two, three = np.uint64(size), np.uint64(2 * size), np.uint64(3 * size)
    for row in range(0, rows - 3, 4):
        i = np.uint64(row)
        j, k, m = i + np.uint64(1), i + np.uint64(2), i + np.uint64(3)
        table[np.uint64(column[i]) * step + np.uint64(codes[i])] += 1
        table[np.uint64(column[j]) * step + np.uint64(codes[j]) + one] += 1
        table[np.uint64(column[k]) * step + np.uint64(codes[k]) + two] += 1
        table[np.uint64(column[m]) * step + np.uint64(codes[m]) + three] += 1
    for row in range(rows - rows % 4, rows):
        table[column[row] * width + codes[row]] += 1
    for place in range(size):
        table[place] += table[size + place] + table[2 * size + place] + table[3 * size + place]


@njit(cache=True)
def families(columns, sizes, child, parents, extra, kind, weight, logs):
    """The score of a child given its parents and each of `extra` in turn; -1 adds nothing.

    `logs[n]` is n log n. A PENALISED score is the log-likelihood less `weight` for each free parameter; a DIRICHLET
    score is the log marginal likelihood under a uniform prior worth `weight` rows.
    """
    states = sizes[child]
    above, configurations = joint(columns, sizes, parents)
    codes, width = above * np.int32(states) + columns[child], configurations * states
    nominal = 1.0  # configurations that are possible, seen or not
    for place in parents:
        nominal *= sizes[place]
    result, nothing = np.empty(len(extra)), np.zeros_like(columns[0])
    for k in range(len(extra)):
        column, size = (nothing, 1) if extra[k] < 0 else (columns[extra[k]], sizes[extra[k]])
        table = np.empty(4 * size * width, np.int32)
        count_into(table, codes, column, width)
        counts = table[: size * width].reshape(-1, states)
        if kind == PENALISED:
            result[k] = _log_likelihood(counts, logs) - weight * nominal * size * (states - 1)
        else:
            result[k] = _marginal_likelihood(counts, weight / (nominal * size))
    return result


@njit(cache=True)
def _log_likelihood(counts, logs):
    total = 0.0
    for row in range(counts.shape[0]):
        seen = 0
        for state in range(counts.shape[1]):
            seen += counts[row, state]
            total += logs[counts[row, state]]
        total -= logs[seen]
    return total


@njit(cache=True)
def _marginal_likelihood(counts, prior):
    """The Dirichlet-multinomial score; `prior` is the weight of a row, spread evenly over its states."""
    share = prior / counts.shape[1]
    whole, part, total = lgamma(prior), lgamma(share), 0.0
    for row in range(counts.shape[0]):
        seen = 0
        for state in range(counts.shape[1]):
            if counts[row, state]:
                seen += counts[row, state]
                total += lgamma(share + counts[row, state]) - part
        if seen:
            total += whole - lgamma(prior + seen)
    return total


@njit(cache=True)
def dependence(columns, sizes, a, b, given, kind):
    """A statistic of the tables of a and b, one a joint state of `given`, and its degrees of freedom.

    PEARSON sums (seen - expected)^2 / expected, LIKELIHOOD 2 seen log(seen / expected). Of each table the rows and
    columns that occur count.
    """
    above, configurations = joint(columns, sizes, given)
    states, width = sizes[b], configurations * sizes[b]
    table = np.empty(4 * sizes[a] * width, np.int32)
    count_into(table, above * np.int32(states) + columns[b], columns[a], width)
    seen = table[: sizes[a] * width].reshape(sizes[a], configurations, states)
    statistic, freedom = 0.0, 0
    for place in range(configurations):
        rows, across = seen[:, place].sum(1), seen[:, place].sum(0)
        total = rows.sum()
        freedom += max((rows > 0).sum() - 1, 0) * max((across > 0).sum() - 1, 0)
        for i in range(len(rows)):
            for j in range(states):
                if rows[i] and across[j]:
                    statistic += _cell(seen[i, place, j], rows[i] / total * across[j], kind)
    return statistic, freedom


@njit(cache=True)
def _cell(seen, expected, kind):
    if kind == PEARSON:
        return (seen - expected) ** 2 / expected
    return 2 * seen * np.log(seen / expected) if seen else 0.0
