"""Elimination orders: which variable to sum out next, searched greedily under a time budget.

The moral graph is a bit matrix, so that a neighbourhood is a row of words and a fill-in is a population count.
Three greedy rules (min-fill, weighted min-fill, min-weight) are tried once each; while time is left, randomised
runs of all three follow, and the order with the fewest table entries over all eliminated cliques wins.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from itertools import accumulate

import numpy as np

from .compiled.elimination import MIN_FILL, MIN_WEIGHT, WEIGHTED_MIN_FILL, eliminate, moral_matrix

RULES = (MIN_FILL, WEIGHTED_MIN_FILL, MIN_WEIGHT)
WORTH_SEARCHING = 2e4  # table entries below which a better order could not be felt
HOPELESS = 2.0**60  # entries beyond which no search will bring an order within reach


def search_order(
    sizes: Sequence[int], scopes: Sequence[Sequence[int]], *, last: Collection[int] = (), seconds: float = 0.2
) -> tuple[int, ...]:
    """An elimination order of all variables with few table entries.

    Args:
        sizes: number of states of each variable.
        scopes: variables that must share a clique: one collection of variable numbers a term.
        last: variables that come after all others.
        seconds: time budget of the randomised search; the greedy rules run in any case.

    Returns:
        Variable numbers, first eliminated first.

    Example:
        >>> search_order([2, 2, 2], [(0, 1), (1, 2)], last=[1])
        (0, 2, 1)

    Reference: Kjaerulff (1990), Triangulation of graphs; Fishelson and Geiger (2003).
    """
    order, _ = search(sizes, scopes, last, seconds)
    return tuple(int(variable) for variable in order)


def search(
    sizes: Sequence[int], scopes: Sequence[Sequence[int]], last: Collection[int], seconds: float
) -> tuple[np.ndarray, float]:
    """The best order found and its cost, the sum of table entries over the eliminated cliques."""
    stage = np.zeros(len(sizes), dtype=np.int64)
    stage[list(last)] = 1
    return search_matrix(moral_matrix(len(sizes), *flatten(scopes)), np.asarray(sizes, dtype=float), stage, seconds)


def search_matrix(
    matrix: np.ndarray, sizes: np.ndarray, stage: np.ndarray, seconds: float, rules: Sequence[int] = RULES
) -> tuple[np.ndarray, float]:
    """As `search`, from the bit matrix of the moral graph.

    Args:
        matrix: as `moral_matrix` makes it.
        sizes: number of states of each variable, as floats.
        stage: 0 for variables to eliminate first, 1 for those that come last.
        seconds: time budget of the randomised search.
        rules: the greedy rules to try once each, until one of them shows that there is no hope.
    """
    deadline = time.monotonic() + seconds
    best, least = np.argsort(stage, kind="stable"), np.inf  # should every cost be beyond the floats
    for rule in rules:
        order, cost = eliminate(matrix, sizes, stage, rule, 0.0, 0, least)
        best, least = (order, cost) if cost < least else (best, least)
        if HOPELESS < least < np.inf:
            return best, least
    trial = 0
    while least > WORTH_SEARCHING and time.monotonic() < deadline:
        trial += 1
        order, cost = randomised(matrix, sizes, stage, trial, least)
        best, least = (order, cost) if cost < least else (best, least)
    return best, least


def randomised(
    matrix: np.ndarray, sizes: np.ndarray, stage: np.ndarray, trial: int, limit: float = np.inf
) -> tuple[np.ndarray, float]:
    """One randomised greedy run, another one for each trial number; of infinite cost when it passes the limit."""
    found: tuple[np.ndarray, float] = eliminate(matrix, sizes, stage, trial % 3, _temperature(trial), trial, limit)
    return found


def _temperature(trial: int) -> float:
    """How much a randomised run perturbs log scores: four levels in turn."""
    return (0.02, 0.1, 0.3, 1.0)[(trial // 3) % 4]


def flatten(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths as one array with the places where rows start (one more than there are rows)."""
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    starts[1:] = list(accumulate(map(len, rows)))
    return starts, np.array([each for row in rows for each in row], dtype=np.int64)
