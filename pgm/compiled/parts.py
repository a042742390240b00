"""Cutting a part out of a structure: which terms belong to it, and what is left of their scopes."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def belongs_to(starts, members, anchors, inside):
    """Which terms belong to a part: by their anchor if they have one, else by any variable of their scope."""
    found = np.zeros(len(anchors), np.bool_)
    for k in range(len(anchors)):
        if anchors[k] >= 0:
            found[k] = inside[anchors[k]]
        else:
            for x in range(starts[k], starts[k + 1]):
                found[k] |= inside[members[x]]
    return found


@njit(cache=True)
def restricted(starts, members, inside, belongs, local):
    """The scopes of the terms that belong, in local numbers, without the variables outside."""
    edges, kept = np.zeros(len(starts), np.int64), np.empty(len(members), np.int64)
    count = 0
    for k in range(len(belongs)):
        if belongs[k]:
            for x in range(starts[k], starts[k + 1]):
                if inside[members[x]]:
                    kept[count] = local[members[x]]
                    count += 1
        edges[k + 1] = count
    return edges, kept[:count]
