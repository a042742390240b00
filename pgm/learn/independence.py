"""Tests of independence: from data to a function of two names and those given, which returns a p-value."""

from __future__ import annotations

from collections.abc import Callable
from math import atanh, erfc, sqrt

import numpy as np
import torch

from ..compiled.families import LIKELIHOOD, PEARSON, dependence
from .columns import Columns, Data

Independence = Callable[[str, str, tuple[str, ...]], float]


def chi_squared(data: Data) -> Independence:
    """Pearson's test on tables, sum (observed - expected)^2 / expected over the cells, one table a state of the given.

    Of each table only rows and columns that occur count, (rows - 1)(columns - 1) degrees of freedom.

    Args:
        data: labels; see `Columns.of`.

    Returns:
        A function from two names and a tuple of names given to the p-value: small when they are dependent.

    Raises:
        GraphError: on fractions.

    Example:
        >>> test = chi_squared({"rain": [0, 0, 1, 1] * 5, "wet": [0, 0, 1, 1] * 5, "day": [0, 1] * 10})
        >>> round(test("rain", "wet", ()), 6), test("rain", "day", ())
        (8e-06, 1.0)

    Reference: Pearson (1900); Spirtes, Glymour and Scheines (2000), section 5.5.
    """
    return _of_tables(data, "chi_squared", PEARSON)


def g_squared(data: Data) -> Independence:
    """The likelihood-ratio test on tables, 2 sum observed log(observed / expected); see `chi_squared`.

    Args, Returns, Raises: as for `chi_squared`.

    Example:
        >>> test = g_squared({"rain": [0, 0, 1, 1] * 5, "wet": [0, 0, 1, 1] * 5})
        >>> test("rain", "wet", ()) < 1e-6
        True

    Reference: Spirtes, Glymour and Scheines (2000), Causation, Prediction, and Search, section 5.5.
    """
    return _of_tables(data, "g_squared", LIKELIHOOD)


def partial_correlation(data: Data) -> Independence:
    """Fisher's test, sqrt(rows - given - 3) |atanh r| against a standard normal, r the partial correlation.

    Args:
        data: fractions, taken to be jointly normal; see `Columns.of`.

    Returns:
        As for `chi_squared`.

    Raises:
        GraphError: on labels.

    Example:
        >>> test = partial_correlation({"a": [1.0, 2.0, 3.0, 4.0, 5.0], "b": [1.0, 2.1, 2.9, 4.2, 4.8]})
        >>> test("a", "b", ()) < 0.001
        True

    Reference: Fisher (1924), The distribution of the partial correlation coefficient.
    """
    columns = Columns.of(data)
    columns.require("partial_correlation", finite=False, instead="chi_squared")

    def test(a: str, b: str, given: tuple[str, ...]) -> float:
        places = columns.places((a, b, *given), "partial_correlation")
        precision = np.linalg.pinv(columns.correlation[np.ix_(places, places)], hermitian=True)
        r = -precision[0, 1] / sqrt(precision[0, 0] * precision[1, 1])
        freedom = max(columns.rows - len(given) - 3, 0)
        return erfc(sqrt(freedom / 2) * abs(atanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))))

    return test


def _of_tables(data: Data, subject: str, kind: int) -> Independence:
    columns = Columns.of(data)
    columns.require(subject, finite=True, instead="partial_correlation")

    def test(a: str, b: str, given: tuple[str, ...]) -> float:
        places = columns.places((a, b, *given), subject)
        return _upper_tail(*dependence(columns.values, columns.sizes, places[0], places[1], places[2:], kind))

    return test


def _upper_tail(statistic: float, freedom: int) -> float:
    """The probability that a chi-squared variable is larger; 1 when there is nothing to vary."""
    if freedom == 0:
        return 1.0
    half = [torch.tensor(value / 2, dtype=torch.float64) for value in (freedom, statistic)]
    return float(torch.special.gammaincc(*half))
