"""Rows of evidence grouped by what they observe, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..evidence import Evidence
from ..model import Model
from ..variable import Variable

NUMBERS_AT_ONCE = 2**24  # over all variables and rows of a case, so that memory stays bounded


@dataclass(frozen=True, eq=False)
class Case:
    """Some rows of evidence that observe the same things.

    Args:
        rows: their numbers.
        hard: the states of observed finite variables, by variable number, `[rows]`.
        soft: likelihoods of finite variables, `[rows, states]`.
        values: the numbers of numeric variables of which some are observed, 0 for the rest, `[rows, length]`.
        hidden: for each numeric variable the places of the numbers that are not observed.
    """

    rows: np.ndarray
    hard: dict[int, Tensor]
    soft: dict[int, Tensor]
    values: dict[int, Tensor]
    hidden: dict[int, tuple[int, ...]]

    def knows(self, v: int) -> bool:
        """Whether a variable is observed, all of its numbers where it has several."""
        return v in self.hard or (v in self.hidden and not self.hidden[v])

    @property
    def given(self) -> set[int]:
        """The variables of which something is observed."""
        return {*self.hard, *self.soft, *self.values}


def cases(model: Model, evidence: Evidence, device: torch.device, dtype: torch.dtype) -> Iterator[Case]:
    """The rows of evidence, grouped by which states and numbers are missing."""
    variables = model.variables
    numbers = {v: value.reshape(evidence.rows, prod(variables[v].shape)) for v, value in evidence.real.items()}
    masks = [np.zeros((evidence.rows, 1), dtype=bool), *(states[:, None] < 0 for states in evidence.hard.values())]
    masks += [np.isnan(value.detach().cpu().numpy()) for value in numbers.values()]
    missing = np.concatenate(masks, 1)
    some = missing.sum(0) > 0  # columns without a gap tell no rows apart
    some[0] = True
    found, which = np.unique(missing[:, some], axis=0, return_inverse=True)
    kinds = np.zeros((len(found), len(some)), dtype=bool)
    kinds[:, some] = found
    at_once = max(1, NUMBERS_AT_ONCE // sum(v.size if v.finite else prod(v.shape) for v in variables))
    for kind, rows in _groups(which.reshape(-1), len(kinds), at_once):
        absent = kinds[kind]
        chosen, flags = torch.from_numpy(rows), iter(absent[1:].tolist())
        seen = {v: states for v, states in evidence.hard.items() if not next(flags)}
        gaps = {v: [next(flags) for _ in range(value.shape[1])] for v, value in numbers.items()}
        yield Case(
            rows,
            {v: torch.from_numpy(states[rows]).to(device) for v, states in seen.items()},
            {v: torch.from_numpy(vector[rows]).to(device, dtype) for v, vector in evidence.soft.items()},
            {
                v: torch.where(value[chosen].isnan(), 0.0, value[chosen]).to(device)
                for v, value in numbers.items()
                if not all(gaps[v])
            },
            {v: _places(variables[v], gaps.get(v)) for v in range(len(variables)) if not variables[v].finite},
        )


def _groups(which: np.ndarray, kinds: int, at_once: int) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of each kind, at most so many at once."""
    for kind in range(kinds):
        rows = np.flatnonzero(which == kind)
        yield from ((kind, rows[low : low + at_once]) for low in range(0, len(rows), at_once))


def _places(variable: Variable, gaps: list[bool] | None) -> tuple[int, ...]:
    length = prod(variable.shape)
    return tuple(range(length)) if gaps is None else tuple(i for i in range(length) if gaps[i])
