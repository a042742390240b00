"""Factors that together form a forest: no way leads from a variable back to itself."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def hyperforest(variables, starts, members, order):
    """Whether each factor is in the forest that takes them in the given order as long as no cycle closes.

    Args:
        variables: how many.
        starts: where each factor's variables begin in `members`, and the end.
        members: variable numbers.
        order: factor numbers, `[factors]`.
    """
    above = np.arange(variables)  # each variable leads to the root of its tree
    found = np.zeros(len(order), np.bool_)
    roots = np.empty(variables, np.int64)
    for f in order:
        count, free = 0, True
        for e in range(starts[f], starts[f + 1]):
            v = members[e]
            while above[v] != v:
                above[v] = above[above[v]]
                v = above[v]
            for k in range(count):
                free &= roots[k] != v
            roots[count] = v
            count += 1
            if not free:
                break
        if free:
            found[f] = True
            for k in range(count):
                above[roots[k]] = roots[0]
    return found
