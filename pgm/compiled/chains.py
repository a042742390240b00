"""The compiled loops along chains of finite states: forward, backward, and the most probable path.

All arrays have a row axis first, of length 1 where rows share it; `step` and `emission` have a time axis next, of
length 1 where steps share it. Step t leads from state number t to t + 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LOSING = 1e-24  # a sum this far below the peaks of what was multiplied: large entries met small ones
DOUBTFUL = np.log(1e-200)  # so much lost in that way, in all, and what has underflowed might have mattered


@njit(cache=True, nogil=True)
def forward(initial, step, emission, lengths, alpha, totals, doubtful):
    """Normalised forward messages `alpha` [rows, steps, states], zero beyond the end, and the log of their product."""
    states = initial.shape[1]
    for b in range(len(lengths)):
        lost, total, product = 0.0, 0.0, 1.0
        for t in range(lengths[b]):
            out = alpha[b, t]
            if t == 0:
                out[:] = initial[b if initial.shape[0] > 1 else 0]
            else:
                move = step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0]
                seen = emission[b if emission.shape[0] > 1 else 0, t - 1 if emission.shape[1] > 1 else 0]
                last = alpha[b, t - 1]
                for i in range(states):
                    for j in range(states):
                        out[j] += last[i] * move[i, j]
                for j in range(states):
                    out[j] *= seen[j]
            norm = 0.0
            for j in range(states):
                norm += out[j]
            if not norm > 0.0:
                total, lost, product = -np.inf, -np.inf, 1.0
                break
            for j in range(states):
                out[j] /= norm
            product *= norm
            if norm < LOSING:
                lost += np.log(norm)
            if not 1e-100 < product < 1e100:
                total += np.log(product)
                product = 1.0
        totals[b] = total + np.log(product)
        doubtful[b] = not lost > DOUBTFUL


@njit(cache=True, nogil=True)
def backward(step, emission, lengths, alpha, gamma, onward, doubtful):
    """Smoothed probabilities, and what pairs need: xi[t, i, j] = alpha[t, i] step[t, i, j] onward[t, j]."""
    states = alpha.shape[2]
    beta, ahead = np.empty(states), np.empty(states)
    for b in range(len(lengths)):
        beta[:] = 1.0
        for t in range(lengths[b] - 1, -1, -1):
            for i in range(states):
                gamma[b, t, i] = alpha[b, t, i] * beta[i]
            if t == 0:
                break
            move = step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0]
            seen = emission[b if emission.shape[0] > 1 else 0, t - 1 if emission.shape[1] > 1 else 0]
            for j in range(states):
                ahead[j] = seen[j] * beta[j]
            norm, peak = 0.0, 0.0
            for i in range(states):
                back = 0.0
                for j in range(states):
                    back += move[i, j] * ahead[j]
                beta[i] = back
                peak = max(peak, back)
                norm += alpha[b, t - 1, i] * back
            if not norm > peak * 1e-150:
                doubtful[b] = True
                break
            for j in range(states):
                onward[b, t - 1, j] = ahead[j] / norm
                beta[j] /= norm


@njit(cache=True, nogil=True)
def best_path(initial, step, emission, lengths, paths, totals):
    """The most probable path of each row, from logarithms; beyond the end `paths` stays as it is."""
    states = initial.shape[1]
    origin = np.empty((paths.shape[1], states), np.int32)
    score, best = np.empty(states), np.empty(states)
    for b in range(len(lengths)):
        score[:] = initial[b if initial.shape[0] > 1 else 0]
        for t in range(1, lengths[b]):
            move = step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0]
            seen = emission[b if emission.shape[0] > 1 else 0, t - 1 if emission.shape[1] > 1 else 0]
            best[:] = -np.inf
            origin[t] = 0
            for i in range(states):
                for j in range(states):
                    value = score[i] + move[i, j]
                    if value > best[j]:
                        best[j] = value
                        origin[t, j] = i
            for j in range(states):
                score[j] = best[j] + seen[j]
        state = np.argmax(score)
        totals[b] = score[state]
        for t in range(lengths[b] - 1, -1, -1):
            paths[b, t] = state
            state = origin[t, state]
