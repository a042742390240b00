"""Message passing between pairs of variables with two states: a message is one number, log m(1) - log m(0)."""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 512  # factors whose numbers fit into the first cache, worked on together so that the loops vectorise
FINITE = {"nnan", "ninf", "nsz", "contract"}  # all numbers are finite here; the order of sums is kept
LOG2_E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
ROUNDING = 6755399441055744.0  # added to a number, leaves its nearest integer in the last bits
EXPONENT = 1023 << 52
EXP = tuple(1.0 / float(n) for n in np.cumprod([1, *range(1, 13)]))  # of x^0 to x^12
ATANH = tuple(2.0 / n for n in range(1, 33, 2))  # of 2 atanh(z) / z in powers of z^2


@njit(cache=True, nogil=True)
def gather(scopes, unary, messages, total):
    """The log ratio of each variable's belief into `total`.

    Args:
        scopes: variable numbers, `[2, factors]`.
        unary: log ratios of the variables themselves.
        messages: log ratios towards each end, `[2, factors]`.
        total: `[variables]`, written.
    """
    total[:] = unary
    for end in range(2):
        for f in range(scopes.shape[1]):
            total[scopes[end, f]] += messages[end, f]


@njit(cache=True, nogil=True)
def sweeps(scopes, tables, unary, messages, damping, maximum, tolerance, residuals):
    """Updates of all messages of one row in place, until the residual is within the tolerance.

    Args:
        scopes, tables, unary, messages, damping, maximum: as for `sweep`.
        tolerance: of the largest change of a message.
        residuals: one a step, written.
    """
    total, fresh = np.empty_like(unary), np.empty_like(unary)
    gather(scopes, unary, messages, total)
    for step in range(len(residuals)):
        residuals[step] = sweep(scopes, tables, unary, messages, total, fresh, damping, maximum)
        total, fresh = fresh, total
        if residuals[step] <= tolerance:
            break


@njit(cache=True, nogil=True)
def sweep(scopes, tables, unary, messages, total, fresh, damping, maximum):
    """One update of all messages in place; `total` are the beliefs before and `fresh`, written, those after.

    Args:
        scopes, unary, messages: as for `gather`.
        tables: logs of the four pairs of states, `[4, factors or 1]`.
        damping: weight of the old messages.
        maximum: whether to maximise instead of to sum.

    Returns:
        The largest change of a message.
    """
    fresh[:] = unary
    worst = 0.0
    ratios, rest, each = np.empty((2, BLOCK)), np.empty((2, BLOCK)), np.empty((4, BLOCK))
    for k in range(4):
        each[k] = tables[k, 0]
    for first in range(0, scopes.shape[1], BLOCK):
        last = min(first + BLOCK, scopes.shape[1])
        size = last - first
        if tables.shape[1] > 1:
            each[:, :size] = tables[:, first:last]
        for end in range(2):
            ends, old, ratio = scopes[end, first:last], messages[end, first:last], ratios[1 - end]
            for k in range(size):
                ratio[k] = total[ends[k]] - old[k]
        _through(each[0], each[1], each[2], each[3], ratios[0], rest, size, maximum)
        _through(each[0], each[2], each[1], each[3], ratios[1], rest, size, maximum)
        for end in range(2):
            ends, old = scopes[end, first:last], messages[end, first:last]
            worst = _mixed(old, ratios[end], damping, size, worst)
            for k in range(size):
                fresh[ends[k]] += old[k]
    return worst


@njit(cache=True, nogil=True)
def _through(t00, t01, t10, t11, ratio, rest, size, maximum):
    """Log ratios that arrive at a factor into those that leave at its other end, in loops that vectorise each."""
    _greatest(t00, t01, t10, t11, ratio, rest[0], rest[1], size)
    if not maximum:
        _falling(rest[0], size)
        _falling(rest[1], size)
        _remainder(rest[0], rest[1], ratio, size)


@njit(cache=True, nogil=True, fastmath=FINITE)
def _greatest(t00, t01, t10, t11, ratio, up, down, size):
    """The difference of two maxima, and by how much each was the greater one."""
    for k in range(size):
        a, b, c, d = t10[k], t11[k] + ratio[k], t00[k], t01[k] + ratio[k]
        up[k], down[k] = abs(a - b), abs(c - d)
        ratio[k] = (a if a > b else b) - (c if c > d else d)


@njit(cache=True, nogil=True, fastmath=FINITE)
def _falling(x, size):
    """exp(-x) of numbers that are not negative, to full precision; what is below 1e-299 becomes that."""
    for k in range(size):
        value = x[k] if x[k] < 690.0 else 690.0
        rounded = value * LOG2_E + ROUNDING
        n = rounded - ROUNDING
        r = (n * LN2_HIGH - value) + n * LN2_LOW  # exp(-x) = 2^-n exp(r), r at most log(2) / 2
        power = np.int64(EXPONENT) - (np.float64(rounded).view(np.int64) << np.int64(52))
        total = EXP[12]
        for term in range(11, -1, -1):
            total = total * r + EXP[term]
        x[k] = total * np.int64(power).view(np.float64)


@njit(cache=True, nogil=True, fastmath=FINITE, error_model="numpy")
def _remainder(up, down, ratio, size):
    """Adds log((1 + up) / (1 + down)), which is 2 atanh(z) with z at most 1/3."""
    for k in range(size):
        z = (up[k] - down[k]) / (2.0 + up[k] + down[k])
        square = z * z
        total = ATANH[15]
        for term in range(14, -1, -1):
            total = total * square + ATANH[term]
        ratio[k] += z * total


@njit(cache=True, nogil=True, fastmath=FINITE, error_model="numpy")
def _mixed(old, found, damping, size, worst):
    """Writes the damped messages; the largest change of one, as in `compiled.messages.change`, and of `worst`."""
    for k in range(size):
        last, new = np.float64(old[k]), found[k] + damping * (old[k] - found[k])
        low, high = min(abs(last), abs(new)), max(abs(last), abs(new))
        worst = max(worst, (high - (low if new * last > 0.0 else 0.0)) / (4.0 + high))
        old[k] = new
    return worst
