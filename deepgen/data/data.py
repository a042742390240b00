"""Observations: one tensor a variable, the rows side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from pgm.domains import Binary, Real
from pgm.errors import GraphError, ShapeError
from pgm.variable import Variable

Columns = Mapping[str, Tensor]
Fresh = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class Data:
    """Rows of observations by the name of their variable.

    Args:
        columns: one tensor a variable, `[rows, *event]`: floats, or integers for labels.
        name: what the data are, for titles and histories.
        fresh: what is drawn anew each time rows are looked at, by name: a function of a column's rows and a generator,
            such as `dynamic` binarisation.
        states: what whole numbers stand for, by name; the numbers themselves by default.

    Raises:
        ShapeError: when columns differ in length, there are no rows, or a number is not finite.

    Example:
        >>> points = Data({"x": torch.zeros(100, 2)}, "nothing")
        >>> points, points["x"].shape, len(points)
        (Data(nothing, 100 rows: x [2]), torch.Size([100, 2]), 100)
    """

    columns: Columns
    name: str = "data"
    fresh: Mapping[str, Fresh] = field(default_factory=dict)
    states: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if not lengths or min(lengths.values()) == 0:
            raise ShapeError(f"{self.name}: there are no rows in {list(lengths) or 'it'}, expected one or more.")
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{self.name}: columns have {lengths} rows, expected as many in each.")
        for name, column in self.columns.items():
            _check_finite(column, f"{self.name}: column {name!r}")
        for name in self.fresh:
            self[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Tensor:
        """The column of that name, as it is kept."""
        if name not in self.columns:
            raise GraphError(f"{self.name}: there is no column {name!r}; there are {', '.join(self.columns)}.")
        return self.columns[name]

    @property
    def nbytes(self) -> int:
        """The memory that the columns take."""
        return sum(column.nbytes for column in self.columns.values())

    def batch(self, rows: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """The columns at some rows `[batch]`, with whatever is drawn anew drawn from the generator."""
        found = {name: column.index_select(0, rows) for name, column in self.columns.items()}  # half the time of [rows]
        return found | {name: draw(found[name], generator) for name, draw in self.fresh.items()}

    def rows(self, which: Tensor | slice) -> Data:
        """Some of the rows."""
        return replace(self, columns={name: column[which] for name, column in self.columns.items()})

    def split(self, *counts: int, seed: int = 0) -> tuple[Data, ...]:
        """Parts of the given numbers of rows and, last, all the others, in an order drawn from the seed.

        Raises:
            ShapeError: when there are not that many rows.
        """
        if sum(counts) >= len(self):
            raise ShapeError(f"{self.name}: {sum(counts)} of {len(self)} rows are to be split off; none is left.")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return tuple(self.rows(part) for part in order.split([*counts, len(self) - sum(counts)]))

    def variable(self, name: str) -> Variable:
        """A variable for a column: states for whole numbers, `Binary` where all are 0 or 1, otherwise `Real`.

        Args:
            name: of the column, and of the variable.

        Raises:
            GraphError: when there is no such column.

        Example:
            >>> data = Data({"image": torch.tensor([[0.0, 1.0]]), "label": torch.tensor([2])})
            >>> data.variable("image"), data.variable("label").states
            (Variable('image', Binary(2)), ('0', '1', '2'))
        """
        held = self[name]
        if not held.is_floating_point():
            return Variable(name, self.states.get(name, range(int(held.max()) + 1)))
        looked = (
            self.fresh[name](held[:256], torch.Generator(held.device).manual_seed(0)) if name in self.fresh else held
        )
        binary = bool(((looked == 0) | (looked == 1)).all())
        return Variable(name, Binary(*held.shape[1:]) if binary else Real(*held.shape[1:]))

    def to(self, device: torch.device | str) -> Data:
        """The same data elsewhere; these, when they are there already."""
        if all(column.device == torch.device(device) for column in self.columns.values()):
            return self
        return replace(self, columns={name: column.to(device) for name, column in self.columns.items()})

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} {list(column.shape[1:])}" for name, column in self.columns.items())
        return f"Data({self.name}, {len(self)} rows: {columns})"


def arrays(name: str = "data", **columns: Sequence[object] | np.ndarray | Tensor) -> Data:
    """Data from arrays, by the name of the variable; floats become float32, whole numbers int64.

    Raises:
        ShapeError: when a column is no array of numbers, or as `Data`.

    Example:
        >>> arrays("two points", x=[[0.0, 1.0], [2.0, 3.0]], label=[0, 1])
        Data(two points, 2 rows: x [2], label [])
    """
    return Data({column: _tensor(values, f"{name}: column {column!r}") for column, values in columns.items()}, name)


def _tensor(values: object, subject: str) -> Tensor:
    try:
        found = torch.as_tensor(np.asarray(values) if not isinstance(values, Tensor) else values)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{subject} is no array of numbers ({error}).") from None
    if found.dim() == 0:
        raise ShapeError(f"{subject} is one number, expected one or more a row, [rows, ...].")
    return found.float() if found.is_floating_point() else found.long()


def _check_finite(column: Tensor, subject: str) -> None:
    if bool(column.sum().isfinite()):  # one pass; sums of finite numbers that are not finite are looked at
        return
    wrong = ~torch.isfinite(column.flatten(1) if column.dim() > 1 else column[:, None]).all(1)
    if bool(wrong.any()):
        raise ShapeError(
            f"{subject} has {int(wrong.sum())} rows with NaN or infinity, the first is row {_first(wrong)}."
        )


def _first(mask: Tensor) -> int:
    return int(mask.int().argmax())
