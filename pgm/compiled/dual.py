"""The compiled loops of dual decomposition: sweeps over the variables of a field in order.

`delta[r, slot]` is what a factor says of one of its variables beyond what the variable says of itself, one number a
state; inf marks a state that is known to be impossible, so that the factor less it is -inf there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Tables(NamedTuple):
    """The factors of a field end to end; an edge is one axis of one factor.

    Args:
        logs: all tables.
        at, step: where a factor's table begins, and how far the next row's is from it (0 where rows share it).
        first: which edges are a factor's, and the end, `[factors + 1]`.
        owner, variable, size, slot: of each edge the factor, the variable, its number of states, and where its numbers
            begin in `delta`.
        around: where the edges of each variable begin in `touching`, and the end.
        touching: edges, by variable.
        starts: where the states of each variable begin, and the end.
    """

    logs: np.ndarray
    at: np.ndarray
    step: np.ndarray
    first: np.ndarray
    owner: np.ndarray
    variable: np.ndarray
    size: np.ndarray
    slot: np.ndarray
    around: np.ndarray
    touching: np.ndarray
    starts: np.ndarray


@njit(cache=True, nogil=True)
def sweep(tables, unary, delta, order, outward, share, peaks):
    """Collect what all factors say of a variable, and hand a share of the sum to those with variables yet to come."""
    state = _room(tables)
    for r in range(len(unary)):
        for i in order:
            belief = _collected(tables, unary, delta, r, i, state)
            peak = belief.max()
            peaks[r, i] = peak
            for edge in tables.touching[tables.around[i] : tables.around[i + 1]]:
                out = delta[r, tables.slot[edge] : tables.slot[edge] + len(belief)]
                for s in range(len(belief)):
                    if belief[s] == -np.inf:
                        out[s] = np.inf
                    elif outward[edge]:
                        out[s] -= share[i] * (belief[s] - peak)


@njit(cache=True, nogil=True)
def decode(tables, unary, delta, order, states):
    """The best state of each variable in order, given those before it; writes over `delta`."""
    state = _room(tables)
    for r in range(len(unary)):
        for i in order:
            belief = _collected(tables, unary, delta, r, i, state)
            states[r, i] = np.argmax(belief)
            for edge in tables.touching[tables.around[i] : tables.around[i + 1]]:
                out = delta[r, tables.slot[edge] : tables.slot[edge] + len(belief)]
                out[:] = np.inf
                out[states[r, i]] = 0.0


@njit(cache=True, nogil=True)
def _room(tables):
    """Zeros, one an axis of the factor that has most."""
    most = 0
    for f in range(len(tables.at)):
        most = max(most, tables.first[f + 1] - tables.first[f])
    return np.zeros(most, np.int64)


@njit(cache=True, nogil=True)
def _collected(tables, unary, delta, r, i, state):
    """The log weights of a variable's states with all that its factors say, which `delta` then holds."""
    belief = unary[r, tables.starts[i] : tables.starts[i + 1]].copy()
    for edge in tables.touching[tables.around[i] : tables.around[i + 1]]:
        out = delta[r, tables.slot[edge] : tables.slot[edge] + len(belief)]
        _maxima(tables, delta[r], r, edge, out, state)
        for s in range(len(belief)):
            belief[s] += out[s]
    return belief


@njit(cache=True, nogil=True)
def _maxima(tables, delta, r, edge, out, state):
    """The maxima of a factor, less what it says of its other variables, for each state of one.

    `state` counts through the states of all axes but the last, which the inner loops run along, and ends at zeros.
    """
    f = tables.owner[edge]
    low, last = tables.first[f], tables.first[f + 1] - 1
    place, inner = tables.at[f] + r * tables.step[f], tables.size[last]
    ends = tables.slot[last]
    out[:] = -np.inf
    while True:
        others = 0.0
        for k in range(last - low):
            if low + k != edge:
                others -= delta[tables.slot[low + k] + state[k]]
        if edge == last:
            for s in range(inner):
                out[s] = max(out[s], tables.logs[place + s] + others)
        elif others > -np.inf:
            best = -np.inf
            for s in range(inner):
                best = max(best, tables.logs[place + s] - delta[ends + s])
            out[state[edge - low]] = max(out[state[edge - low]], best + others)
        place += inner
        k = last - low - 1
        while k >= 0:
            state[k] += 1
            if state[k] < tables.size[low + k]:
                break
            state[k] = 0
            k -= 1
        if k < 0:
            return
