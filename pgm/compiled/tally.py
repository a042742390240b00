"""Weights summed by state."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def tally(columns, strides, weights, width):
    """The sums of weights, and of their squares, in each joint state.

    Args:
        columns: state numbers, `[variables, rows, draws]`.
        strides: of each variable in the joint state.
        weights: shape `[rows, draws]`.
        width: how many joint states there are.

    Returns:
        two arrays `[rows, width]`.
    """
    rows, draws = weights.shape
    first, second = np.zeros((rows, width)), np.zeros((rows, width))
    for r in range(rows):
        for i in range(draws):
            place = 0
            for v in range(len(columns)):
                place += strides[v] * columns[v, r, i]
            first[r, place] += weights[r, i]
            second[r, place] += weights[r, i] * weights[r, i]
    return first, second
