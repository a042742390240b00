"""Columns of a table of numbers as variables of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..domains import Binary, Real
from ..variable import Variable

Kind = Literal["real", "positive", "binary", "bins"]


@dataclass(frozen=True, eq=False)
class Features:
    """How rows of numbers become values of variables.

    Args:
        variables: one vector, or one variable a column when numbers are put into bins.
        threshold: a number above it is a 1, when the vector is binary.
        edges: of the bins of each column.

    Example:
        >>> made = Features.of(np.array([[0.0], [1.0], [5.0], [9.0]]), ["size"], "bins", bins=2)
        >>> made.edges, made(np.array([[2.0], [7.0]]))
        ((array([3.]),), {'size': tensor([0, 1])})
    """

    variables: tuple[Variable, ...]
    threshold: float = 0.0
    edges: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(
        cls, table: np.ndarray, names: Sequence[str], kind: Kind, *, threshold: float = 0.0, bins: int = 5
    ) -> Features:
        """What suits a table.

        Args:
            table: the rows to learn from, `[rows, columns]`.
            names: of the columns.
            kind: 'real' and 'positive' leave the numbers as they are, 'binary' compares them with the threshold, and
                'bins' makes states of them.
            threshold: see above.
            bins: how many states a column has at most, with about as many rows in each; a column of no more different
                numbers has one state for each.
        """
        if kind == "bins":
            edges = tuple(_edges(column, bins) for column in table.T)
            pairs = zip(names, edges, strict=True)
            return cls(tuple(Variable(name, len(each) + 1) for name, each in pairs), edges=edges)
        domain = Binary(table.shape[1]) if kind == "binary" else Real(table.shape[1])
        return cls((Variable("x", domain),), threshold)

    def __call__(self, table: np.ndarray) -> dict[str, Tensor]:
        """The values of the variables by name, one a row."""
        if self.edges:
            states = [
                np.searchsorted(edges, column, "right") for edges, column in zip(self.edges, table.T, strict=True)
            ]
            return {v.name: torch.from_numpy(column) for v, column in zip(self.variables, states, strict=True)}
        (x,) = self.variables
        return {
            x.name: torch.tensor(table > self.threshold if isinstance(x.domain, Binary) else table, dtype=torch.float64)
        }


def _edges(column: np.ndarray, bins: int) -> np.ndarray:
    """Where bins end: between different numbers when these are few, else at quantiles."""
    different = np.unique(column)
    if len(different) <= bins:
        return (different[1:] + different[:-1]) / 2
    return np.unique(np.quantile(column, np.arange(1, bins) / bins))
