"""The compiled loop of moves of single variables in a field of tables."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def visit(tables, unary, states, some, temperature, generator):
    """Give each of some variables in turn a new state given all others, in all draws `states` [rows, draws, variables].

    At temperature 0 that is the best one, if it is better than its own; above it, one drawn in proportion to its
    weight to the power of 1 / temperature.
    """
    for r in range(states.shape[0]):
        for d in range(states.shape[1]):
            for i in some:
                logits = _logits(tables, unary, states[r, d], r, i)
                if temperature > 0.0:
                    states[r, d, i] = _drawn(logits, temperature, generator)
                elif logits.max() > logits[states[r, d, i]]:
                    states[r, d, i] = np.argmax(logits)


@njit(cache=True, nogil=True)
def _logits(tables, unary, states, r, i):
    """The log weight of each state of a variable, all others as they are, up to what does not depend on it."""
    logits = unary[r, tables.starts[i] : tables.starts[i + 1]].copy()
    for edge in tables.touching[tables.around[i] : tables.around[i + 1]]:
        f = tables.owner[edge]
        place, stride = 0, 0
        for k in range(tables.first[f], tables.first[f + 1]):
            place *= tables.size[k]
            stride *= tables.size[k]
            if k == edge:
                stride = 1
            else:
                place += states[tables.variable[k]]
        place += tables.at[f] + r * tables.step[f]
        for s in range(len(logits)):
            logits[s] += tables.logs[place + s * stride]
    return logits


@njit(cache=True, nogil=True)
def _drawn(logits, temperature, generator):
    peak, total = logits.max(), 0.0
    for s in range(len(logits)):
        logits[s] = np.exp((logits[s] - peak) / temperature)
        total += logits[s]
    left = generator.random() * total
    for s in range(len(logits)):
        left -= logits[s]
        if left < 0.0:
            return s
    return np.argmax(logits)  # what rounding leaves over
