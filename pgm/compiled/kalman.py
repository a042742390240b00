"""The compiled loops along linear-Gaussian chains, in square-root form: covariances are never subtracted.

A Gaussian is kept as a mean and a square root S of its covariance S S'. Steps are rotations that bring an array to
lower triangular form. All arrays have a row axis first and a time axis next, of length 1 where rows or steps share it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TINY = 1e-13  # share of its row by which an entry counts as 0
ROUNDING = 1e-6  # by how much what is certain may differ from what is observed


@njit(cache=True, nogil=True)
def triangular(array, pivots):
    """Rotate the columns so that row i is 0 right of column pivots[i]; a row that depends on earlier ones has none: -1.

    Returns:
        the number of pivots.
    """
    rows, columns = array.shape
    rank = 0
    for i in range(rows):
        pivots[i] = -1
        whole, norm = 0.0, 0.0
        for k in range(columns):
            whole += array[i, k] ** 2
            if k >= rank:
                norm += array[i, k] ** 2
        if rank == columns or not norm > TINY * TINY * whole:
            array[i, rank:] = 0.0
            continue
        head = np.sqrt(norm)
        reflected = array[i, rank] - head if array[i, rank] < 0.0 else array[i, rank] + head
        sign = 1.0 if array[i, rank] < 0.0 else -1.0
        half = reflected * reflected + norm - array[i, rank] ** 2
        for j in range(i + 1, rows):
            dot = array[j, rank] * reflected
            for k in range(rank + 1, columns):
                dot += array[j, k] * array[i, k]
            dot *= 2.0 / half
            array[j, rank] = sign * (array[j, rank] - dot * reflected)
            for k in range(rank + 1, columns):
                array[j, k] -= dot * array[i, k]
        array[i, rank] = head
        array[i, rank + 1 :] = 0.0
        pivots[i] = rank
        rank += 1
    return rank


@njit(cache=True, nogil=True)
def _solved(array, pivots, rows, vector):
    """Solve the first rows of a triangular array for its right side, in place; returns the largest that was left."""
    left = 0.0
    for i in range(rows):
        for j in range(i):
            if pivots[j] >= 0:
                vector[i] -= array[i, pivots[j]] * vector[j]
        if pivots[i] >= 0:
            vector[i] /= array[i, pivots[i]]
        else:
            left = max(left, abs(vector[i]))
            vector[i] = 0.0
    return left


@njit(cache=True, nogil=True)
def _times(matrix, root, out):
    """out = matrix root."""
    for i in range(matrix.shape[0]):
        for j in range(root.shape[1]):
            total = 0.0
            for k in range(matrix.shape[1]):
                total += matrix[i, k] * root[k, j]
            out[i, j] = total


@njit(cache=True, nogil=True)
def _at(array, b, t):
    """The entry of a row and a step, where either axis may have length 1."""
    return array[b if array.shape[0] > 1 else 0, t if array.shape[1] > 1 else 0]


@njit(cache=True, nogil=True)
def _updated(mean, root, looks, noise, gaps):
    """Condition a Gaussian on what is observed, in place; returns the log of its density.

    Args:
        looks: how the observed numbers depend on the state, `[numbers, length]`.
        noise: square root of their covariance.
        gaps: observed minus constant part, NaN where missing.
    """
    length, numbers = len(mean), len(gaps)
    array, pivots = np.zeros((numbers + length, numbers + length)), np.empty(numbers + length, np.int64)
    residual, seen, largest = np.empty(numbers), 0, 0.0
    for i in range(numbers):
        if np.isnan(gaps[i]):
            continue
        array[seen, :numbers] = noise[i]
        residual[seen] = gaps[i]
        for k in range(length):
            residual[seen] -= looks[i, k] * mean[k]
            largest = max(largest, abs(looks[i, k] * mean[k]))
            for j in range(length):
                array[seen, numbers + j] += looks[i, k] * root[k, j]
        largest = max(largest, abs(gaps[i]))
        seen += 1
    if seen == 0:
        return 0.0
    array[seen : seen + length, numbers:] = root
    array = array[: seen + length]
    triangular(array, pivots)
    if _solved(array, pivots, seen, residual) > ROUNDING * max(largest, 1.0):
        return -np.inf
    total, rank = 0.0, 0
    for i in range(seen):
        if pivots[i] >= 0:
            rank += 1
            total -= 0.5 * residual[i] ** 2 + np.log(array[i, pivots[i]]) + 0.5 * np.log(2 * np.pi)
            for k in range(length):
                mean[k] += array[seen + k, pivots[i]] * residual[i]
    root[:] = array[seen:, rank : rank + length]
    return total


@njit(cache=True, nogil=True)
def forward(mean, root, step, shift, spread, looks, noise, gaps, lengths, means, roots, totals):
    """Filtered means [rows, steps, length] and roots of covariances, and the log density of all observations.

    Args:
        mean, root: of the first state, `[rows or 1, length]` and `[rows or 1, length, length]`.
        step, shift, spread: state = step state before + shift + spread noise.
        looks, noise, gaps: as for `_updated`.
    """
    length, extra = step.shape[3], spread.shape[3]
    array, pivots = np.empty((length, length + extra)), np.empty(length, np.int64)
    for b in range(len(lengths)):
        total = 0.0
        for t in range(lengths[b]):
            here, wide = means[b, t], roots[b, t]
            if t == 0:
                here[:], wide[:] = mean[b if len(mean) > 1 else 0], root[b if len(root) > 1 else 0]
            else:
                move = _at(step, b, t - 1)
                here[:] = _at(shift, b, t - 1)
                for i in range(length):
                    for k in range(length):
                        here[i] += move[i, k] * means[b, t - 1, k]
                _times(move, roots[b, t - 1], array)
                array[:, length:] = _at(spread, b, t - 1)
                triangular(array, pivots)
                wide[:] = array[:, :length]
            total += _updated(here, wide, _at(looks, b, t), _at(noise, b, t), _at(gaps, b, t))
        totals[b] = total


@njit(cache=True, nogil=True)
def backward(step, shift, spread, lengths, means, roots, crosses):
    """Turn filtered means and roots into smoothed ones, in place; the covariance of each state with the next one."""
    length, extra = step.shape[3], spread.shape[3]
    array, pivots = np.zeros((2 * length, length + extra)), np.empty(2 * length, np.int64)
    wide, gap, product = np.zeros((length, 2 * length)), np.empty(length), np.empty((length, length))
    for b in range(len(lengths)):
        for t in range(lengths[b] - 2, -1, -1):
            move = _at(step, b, t)
            _times(move, roots[b, t], array)
            array[:length, length:] = _at(spread, b, t)
            array[length:, :length] = roots[b, t]
            array[length:, length:] = 0.0
            triangular(array, pivots)
            rank = 0
            for i in range(length):
                rank += pivots[i] >= 0
            gap[:] = means[b, t + 1] - _at(shift, b, t)
            for i in range(length):
                for k in range(length):
                    gap[i] -= move[i, k] * means[b, t, k]
            _solved(array, pivots, length, gap)
            _carried(array, pivots, gap, means[b, t])
            for j in range(length):
                gap[:] = roots[b, t + 1, :, j]
                _solved(array, pivots, length, gap)
                product[:, j] = 0.0
                _carried(array, pivots, gap, product[:, j])
            _times(product, roots[b, t + 1].T, crosses[b, t])
            wide[:, :length] = product
            wide[:, length:] = 0.0
            kept = min(length, length + extra - rank)
            wide[:, length : length + kept] = array[length:, rank : rank + kept]
            triangular(wide, pivots)
            roots[b, t] = wide[:, :length]


@njit(cache=True, nogil=True)
def _carried(array, pivots, solved, out):
    """Add the lower rows of a triangular array, times what was solved from the upper ones."""
    length = len(solved)
    for i in range(length):
        if pivots[i] >= 0:
            for k in range(length):
                out[k] += array[length + k, pivots[i]] * solved[i]
