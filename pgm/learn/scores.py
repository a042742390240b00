"""Scores of a structure, each a sum over families: a child and its parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log, pi

import numpy as np

from ..compiled.families import DIRICHLET, PENALISED, families
from ..errors import GraphError
from ..graph import Structured
from ..variable import Variable
from .columns import Columns, Data

Families = Callable[[int, tuple[int, ...], np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Score:
    """A score that is a sum of one number a family: score(graph) = sum_i score(x_i, parents of x_i), in nats.

    Args:
        variables: the columns of the data it was made for.
        families: from the place of a child, the places of parents and an array of places to the scores of the child
            given its parents and one of those more, -1 for none.

    Example:
        >>> score = bic({"rain": ["no", "yes"] * 8, "wet": ["no", "yes"] * 8})
        >>> round(score("wet"), 3), round(score("wet", ["rain"]), 3)
        (-12.477, -2.773)
    """

    variables: tuple[Variable, ...]
    families: Families

    def __call__(self, child: str, parents: Sequence[str] = ()) -> float:
        """The score of one family, by name."""
        places = [self._place(name) for name in (child, *parents)]
        return float(self.families(places[0], tuple(places[1:]), np.array([-1]))[0])

    def total(self, graph: Structured) -> float:
        """The score of a directed graph over these variables."""
        return sum(self(child, parents) for child, parents in graph.graph.parents.items())

    def _place(self, name: str) -> int:
        if name not in self._places:
            raise GraphError(f"Score: {name!r} is not a column of the data.")
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {variable.name: place for place, variable in enumerate(self.variables)}


def bic(data: Data) -> Score:
    """The Bayesian information criterion, the greatest log-likelihood less (log n / 2) for each free parameter.

    Of labels it is that of tables, sum_j,k n_jk log(n_jk / n_j) - (log n / 2) (states - 1) prod(states of parents);
    of fractions that of linear regression with normal noise. Higher is better.

    Args:
        data: see `Columns.of`.

    Example:
        >>> score = bic({"rain": ["no", "yes"] * 8, "wet": ["no", "yes"] * 8})
        >>> score("wet", ["rain"]) > score("wet")
        True

    Reference: Schwarz (1978), Estimating the dimension of a model; Geiger and Heckerman (1994) for fractions.
    """
    columns = Columns.of(data)
    penalty = log(columns.rows) / 2
    return _tables(columns, PENALISED, penalty) if columns.finite else _regressions(columns, penalty)


def maximum_log_likelihood(data: Data) -> Score:
    """The greatest log-likelihood that a structure can reach; it never falls when an arrow is added.

    Args:
        data: see `Columns.of`.

    Example:
        >>> round(maximum_log_likelihood({"coin": ["heads", "tails"]})("coin"), 4)
        -1.3863
    """
    columns = Columns.of(data)
    return _tables(columns, PENALISED, 0.0) if columns.finite else _regressions(columns, 0.0)


def bdeu(data: Data, equivalent_sample_size: float = 1.0) -> Score:
    """The log marginal likelihood of tables under a Dirichlet prior that is uniform over joint states.

    sum_j log G(a_j) / G(a_j + n_j) + sum_j,k log G(a_jk + n_jk) / G(a_jk), G the gamma function, with
    a_jk = a_j / states and a_j = equivalent_sample_size / prod(states of parents).

    Args:
        data: labels; see `Columns.of`.
        equivalent_sample_size: how many rows the prior is worth, above 0.

    Raises:
        GraphError: on fractions, or a size that is not above 0.

    Example:
        >>> score = bdeu({"coin": ["heads", "tails"]}, equivalent_sample_size=2)
        >>> round(score("coin"), 4)  # log 1/6: two draws from an urn that grows
        -1.7918

    Reference: Heckerman, Geiger and Chickering (1995), Learning Bayesian networks.
    """
    columns = Columns.of(data)
    columns.require("bdeu", finite=True, instead="bic")
    if not equivalent_sample_size > 0:
        raise GraphError(f"bdeu: equivalent_sample_size is {equivalent_sample_size!r}, expected a number above 0.")
    return _tables(columns, DIRICHLET, float(equivalent_sample_size))


def _tables(columns: Columns, kind: int, weight: float) -> Score:
    counts = np.arange(columns.rows + 1.0)
    logs = counts * np.log(np.maximum(counts, 1))

    def of(child: int, parents: tuple[int, ...], extra: np.ndarray) -> np.ndarray:
        places = np.array(parents, dtype=np.int64)
        return families(columns.values, columns.sizes, child, places, extra, kind, weight, logs)

    return Score(columns.variables, of)


def _regressions(columns: Columns, penalty: float) -> Score:
    """Linear regression with normal noise: its coefficients, constant and variance are free."""
    rows, correlation, variances = columns.rows, columns.correlation, columns.values.var(1)

    def one(child: int, parents: list[int]) -> float:
        across = correlation[parents, child]
        left = 1 - across @ np.linalg.pinv(correlation[np.ix_(parents, parents)], hermitian=True) @ across
        spread = max(max(left, np.finfo(float).eps) * variances[child], np.finfo(float).tiny)
        return -rows / 2 * (log(2 * pi * spread) + 1) - penalty * (len(parents) + 2)

    def of(child: int, parents: tuple[int, ...], extra: np.ndarray) -> np.ndarray:
        return np.array([one(child, [*parents, *([place] if place >= 0 else [])]) for place in extra.tolist()])

    return Score(columns.variables, of)
