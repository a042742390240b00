"""The compiled loops along chains of finite states: forward, backward, and the most probable path.

All arrays have a row axis first, of length 1 where rows share it; `step` and `emission` have a time axis next, of
length 1 where steps share it. Step t leads from state number t to t + 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LOSING = 1e-24  # a sum this far below the peaks of what was multiplied: large entries met small ones
DOUBTFUL = np.log(1e-200)  # so much lost in that way, in all, and what has underflowed might have mattered


SMALL, LARGE = 1e-20, 1e20  # messages whose sum is outside are divided by it
SUMS = {"reassoc", "contract"}  # sums may be reordered, so that they vectorise


@njit(cache=True, nogil=True, fastmath=SUMS)
def forward(initial, step, emission, lengths, alpha, totals, doubtful):
    """Forward messages `alpha` [rows, steps, states], each up to a factor, and the logarithm of the sum of the last."""
    states = initial.shape[1]
    for b in range(len(lengths)):
        lost, total, last_norm = 0.0, 0.0, 1.0
        for t in range(lengths[b]):
            out = alpha[b, t]
            if t == 0:
                out[:] = initial[b if initial.shape[0] > 1 else 0]
            else:
                move = step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0]
                seen = emission[b if emission.shape[0] > 1 else 0, t - 1 if emission.shape[1] > 1 else 0]
                last = alpha[b, t - 1]
                for i in range(0, states - 3, 4):  # four rows at a time touch `out` a quarter as often
                    w, x, y, z = last[i], last[i + 1], last[i + 2], last[i + 3]
                    for j in range(states):
                        out[j] += w * move[i, j] + x * move[i + 1, j] + y * move[i + 2, j] + z * move[i + 3, j]
                for i in range(states - states % 4, states):
                    w = last[i]
                    for j in range(states):
                        out[j] += w * move[i, j]
                for j in range(states):
                    out[j] *= seen[j]
            norm = 0.0
            for j in range(states):
                norm += out[j]
            if norm < LOSING * last_norm:
                lost += np.log(norm / last_norm) if norm > 0.0 else -np.inf
            if norm == 0.0:
                last_norm = 0.0
                break
            if not SMALL < norm < LARGE:
                for j in range(states):
                    out[j] /= norm
                total += np.log(norm)
                norm = 1.0
            last_norm = norm
        totals[b] = total + np.log(last_norm) if last_norm > 0.0 else -np.inf
        doubtful[b] = not lost > DOUBTFUL


@njit(cache=True, nogil=True, fastmath=SUMS)
def backward(step, emission, lengths, alpha, gamma, onward, doubtful):
    """Smoothed probabilities, and what pairs need: xi[t, i, j] = alpha[t, i] step[t, i, j] onward[t, j]."""
    states = alpha.shape[2]
    beta, ahead = np.empty(states), np.empty(states)
    for b in range(len(lengths)):
        whole = 0.0
        for i in range(states):
            whole += alpha[b, lengths[b] - 1, i]
        beta[:] = 1.0 / whole if whole > 0.0 else 0.0
        for t in range(lengths[b] - 1, -1, -1):
            for i in range(states):
                gamma[b, t, i] = alpha[b, t, i] * beta[i]
            if t == 0:
                break
            move = step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0]
            seen = emission[b if emission.shape[0] > 1 else 0, t - 1 if emission.shape[1] > 1 else 0]
            for j in range(states):
                ahead[j] = seen[j] * beta[j]
            norm, peak, total = 0.0, 0.0, 0.0
            for i in range(states):
                back = 0.0
                for j in range(states):
                    back += move[i, j] * ahead[j]
                beta[i] = back
                peak = max(peak, back)
                norm += alpha[b, t - 1, i] * back
                total += alpha[b, t - 1, i]
            if not norm > peak * total * 1e-150:
                doubtful[b] = True
                break
            for j in range(states):
                onward[b, t - 1, j] = ahead[j] / norm
                beta[j] /= norm


@njit(cache=True, nogil=True)
def best_path(initial, step, emission, lengths, paths, totals):
    """The most probable path of each row, from logarithms; beyond the end `paths` stays as it is."""
    states = initial.shape[1]
    scores, best = np.empty((paths.shape[1], states)), np.empty(states)
    for b in range(len(lengths)):
        scores[0] = initial[b if initial.shape[0] > 1 else 0]
        for t in range(1, lengths[b]):
            move = step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0]
            seen = emission[b if emission.shape[0] > 1 else 0, t - 1 if emission.shape[1] > 1 else 0]
            last = scores[t - 1]
            best[:] = -np.inf
            for i in range(states):
                for j in range(states):
                    value = last[i] + move[i, j]
                    best[j] = value if value > best[j] else best[j]
            for j in range(states):
                scores[t, j] = best[j] + seen[j]
        state = np.argmax(scores[lengths[b] - 1])
        totals[b] = scores[lengths[b] - 1, state]
        for t in range(lengths[b] - 1, -1, -1):
            paths[b, t] = state
            if t > 0:  # where the best path to this state came from is found again, which is less than to keep it all
                state = _origin(
                    scores[t - 1], step[b if step.shape[0] > 1 else 0, t - 1 if step.shape[1] > 1 else 0], state
                )


@njit(cache=True, nogil=True)
def _origin(last, move, state):
    """The state before on the best path to a state."""
    found, best = 0, -np.inf
    for i in range(len(last)):
        if last[i] + move[i, state] > best:
            found, best = i, last[i] + move[i, state]
    return found
