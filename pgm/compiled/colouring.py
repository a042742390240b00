"""Colours such that no factor has two variables of one colour."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def colours(variables, starts, members):
    """The least free colour of each variable, in order of their numbers.

    Args:
        variables: how many.
        starts: where each factor's variables begin in `members`, and the end.
        members: variable numbers.
    """
    places = np.zeros(variables + 1, np.int64)
    for v in members:
        places[v + 1] += 1
    places = np.cumsum(places)
    factors, filled = np.empty(len(members), np.int64), places[:-1].copy()
    for f in range(len(starts) - 1):
        for e in range(starts[f], starts[f + 1]):
            factors[filled[members[e]]] = f
            filled[members[e]] += 1
    found = np.full(variables, -1, np.int64)
    seen = np.full(variables + 1, -1, np.int64)  # the last variable that has a neighbour of this colour
    for v in range(variables):
        for i in range(places[v], places[v + 1]):
            for e in range(starts[factors[i]], starts[factors[i] + 1]):
                if found[members[e]] >= 0:
                    seen[found[members[e]]] = v
        colour = 0
        while seen[colour] == v:
            colour += 1
        found[v] = colour
    return found
