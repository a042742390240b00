"""Data for learning a structure: complete rows, one array a variable; checked once, at the boundary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from ..domains import Real
from ..errors import EvidenceError, GraphError
from ..evidence import absent
from ..samples import Samples
from ..variable import Variable, quoted

STEPS = 8  # of floating-point numbers by which the mean of equal numbers may be off
Data = Any  # a DataFrame, a mapping from names to columns, Samples or Columns


@dataclass(frozen=True, eq=False)
class Columns:
    """Complete rows of data, all of them states or all of them numbers.

    Args:
        variables: the columns, all finite or all real.
        values: `[variables, rows]`, state numbers as small integers, or float64.

    Example:
        >>> data = Columns.of({"rain": ["no", "yes", "no"], "wet": ["no", "yes", "yes"]})
        >>> data, data.variables[0].states
        (Columns(3 rows of 2 variables), ('no', 'yes'))
    """

    variables: tuple[Variable, ...]
    values: np.ndarray

    @classmethod
    def of(cls, data: Data, variables: Sequence[Variable] = ()) -> Columns:
        """Read data.

        Args:
            data: a DataFrame or a mapping from names to columns: lists of labels (anything but fractions), integer
                arrays or tensors of state numbers, or fractions (then all must be); or Samples; or Columns, returned
                as they are.
            variables: those whose states are known; the states of others are the labels found, numbers by value and
                text by alphabet, or for state numbers 0 to the largest.

        Raises:
            EvidenceError: on a missing cell, an unknown label, columns of different lengths, or no rows at all.
            GraphError: on a variable that is not a column, or labels beside fractions.
        """
        if isinstance(data, Columns):
            return data
        if isinstance(data, Samples):
            return _stacked({v.name: (v, data[v.name].cpu().numpy()) for v in data.variables})
        known = {variable.name: variable for variable in variables}
        columns = _named(data)
        unknown = next((name for name in known if name not in columns), None)
        if unknown is not None:
            raise GraphError(f"data: there is no column for variable {unknown!r}; there are {quoted(columns)}.")
        return _stacked({name: _column(name, column, known.get(name)) for name, column in columns.items()})

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.values.shape[1]

    @property
    def finite(self) -> bool:
        """Whether the values are state numbers."""
        return self.values.dtype != np.float64

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(variable.name for variable in self.variables)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The place of each column, by name."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def sizes(self) -> np.ndarray:
        """The number of states of each variable."""
        return np.array([variable.size for variable in self.variables], dtype=np.int64)

    def places(self, names: str | Iterable[str], subject: str) -> np.ndarray:
        """Where columns are, by name.

        Raises:
            GraphError: naming `subject` and the first name that is no column.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        for name in names:
            if name not in self.numbers:
                raise GraphError(f"{subject}: {name!r} is not a column of the data; there are {quoted(self.names)}.")
        return np.array([self.numbers[name] for name in names], dtype=np.int64)

    def pairs(self, pairs: Iterable[tuple[str, str]], subject: str) -> np.ndarray:
        """Where the columns of arrows (parent, child) are, `[arrows, 2]`.

        Raises:
            GraphError: naming `subject` and the first that is not two columns.
        """
        found = []
        for pair in pairs:
            if isinstance(pair, str) or len(pair) != 2:
                raise GraphError(f"{subject}: {pair!r} is no arrow, expected (parent, child), two names.")
            found.append(self.places(pair, subject))
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def correlation(self) -> np.ndarray:
        """The correlations of fractions, `[variables, variables]`; 0 between a column without variance and others."""
        gaps = self.values - self.values.mean(1, keepdims=True)
        sizes = np.linalg.norm(gaps, axis=1, keepdims=True)
        least = STEPS * np.finfo(float).eps * np.linalg.norm(self.values, axis=1, keepdims=True)
        unit = np.where(sizes > least, gaps, 0.0) / np.where(sizes > least, sizes, 1.0)
        found = unit @ unit.T
        np.fill_diagonal(found, 1.0)
        return found

    def require(self, subject: str, *, finite: bool, instead: str = "") -> None:
        """Raise a `GraphError`, which names what to use instead, unless `subject` works on columns of this kind."""
        if self.finite != finite:
            kinds = ("labels", "fractions") if finite else ("fractions", "labels")
            fix = f"; use {instead}" if instead else ""
            raise GraphError(f"{subject}: expected columns of {kinds[0]}, {self.names[0]!r} holds {kinds[1]}{fix}.")

    def __repr__(self) -> str:
        return f"Columns({self.rows} rows of {len(self.variables)} variables)"


def _named(data: Data) -> dict[str, Any]:
    try:
        return {str(name): data[name] for name in data}
    except (TypeError, KeyError, IndexError):
        kind = type(data).__name__
        raise EvidenceError(f"data: it is a {kind}, expected a DataFrame or a mapping from names to columns.") from None


def _stacked(columns: Mapping[str, tuple[Variable, np.ndarray]]) -> Columns:
    """Arrays of one length and kind as one array, the states in the smallest integers that hold them."""
    if not columns or not len(next(iter(columns.values()))[1]):
        raise EvidenceError("data: there are no rows, expected at least one column with one row.")
    lengths = {name: len(array) for name, (_, array) in columns.items()}
    (one, least), (two, most) = (pick(lengths.items(), key=lambda item: item[1]) for pick in (min, max))
    if least < most:
        raise EvidenceError(f"data: column {one!r} has {least} rows and {two!r} has {most}; make them equal.")
    variables = tuple(variable for variable, _ in columns.values())
    labelled = [variable.finite for variable in variables]
    if any(labelled) and not all(labelled):
        first, other = variables[labelled.index(True)].name, variables[labelled.index(False)].name
        raise GraphError(f"data: {first!r} has labels and {other!r} fractions; leave one kind out, or cut into bins.")
    if not labelled[0]:
        return Columns(variables, np.stack([array for _, array in columns.values()]))
    kind = np.uint8 if max(variable.size for variable in variables) <= 256 else np.int32
    return Columns(variables, np.stack([array.astype(kind) for _, array in columns.values()]))


def _column(name: str, column: Any, known: Variable | None) -> tuple[Variable, np.ndarray]:
    """One column as a variable and an array of state numbers or of float64."""
    if isinstance(column, Tensor):
        column = column.detach().cpu().numpy()
    array = np.asarray(column)
    if array.ndim != 1:
        raise EvidenceError(f"data: column {name!r} has shape {array.shape}, expected (rows,).")
    if not len(array):
        raise EvidenceError(f"data: column {name!r} has no rows, expected one or more.")
    if array.dtype.kind == "f":
        _refuse_missing(name, int((~np.isfinite(array)).sum()), len(array))
        if known is None or not known.finite:
            return known or Variable(name, Real()), array.astype(np.float64)
        return known, _numbers(known, [str(int(x)) if x.is_integer() else str(x) for x in array.tolist()])
    if isinstance(column, np.ndarray) and array.dtype.kind in "iub":
        return _state_numbers(name, array.astype(np.int64), known)
    labels = array.tolist()
    _refuse_missing(name, _missing(labels), len(labels))
    variable = known or Variable(name, _ordered({str(label) for label in set(labels)}))
    return variable, _numbers(variable, labels)


def _state_numbers(name: str, array: np.ndarray, known: Variable | None) -> tuple[Variable, np.ndarray]:
    _refuse_missing(name, int((array < 0).sum()), len(array))
    variable = known or Variable(name, int(array.max(initial=0)) + 1)
    if array.max(initial=0) >= variable.size:
        raise EvidenceError(
            f"data: column {name!r} has state number {array.max()}, expected 0 to {variable.size - 1}; "
            "labels go into a list."
        )
    return variable, array


def _numbers(variable: Variable, labels: Sequence[object]) -> np.ndarray:
    """The state numbers of labels; each different label is looked up once."""
    numbers = {label: variable.numbers.get(str(label), -1) for label in set(labels)}
    unknown = next((label for label, number in numbers.items() if number < 0), None)
    if unknown is not None:
        raise EvidenceError(
            f"data: column {variable.name!r} has the label {unknown!r}; its states are {quoted(variable.states, 12)}."
        )
    return np.fromiter(map(numbers.__getitem__, labels), dtype=np.int64, count=len(labels))


def _missing(labels: Sequence[Any]) -> int:
    gone = {label for label in set(labels) if absent(label)}
    return sum(label in gone for label in labels) if gone else 0


def _refuse_missing(name: str, missing: int, rows: int) -> None:
    if missing:
        raise EvidenceError(
            f"data: column {name!r} has {missing} missing cells in {rows} rows; a structure is learned from complete "
            "rows. Leave out the column or those rows, or fill them in."
        )


def _ordered(labels: Iterable[str]) -> list[str]:
    """Numbers by value, anything else by alphabet."""
    labels = sorted(labels)
    try:
        return sorted(labels, key=float)
    except ValueError:
        return labels
