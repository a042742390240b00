"""A random field in flat arrays: factors of one shape side by side, so that no loop runs over factors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod

import torch
from torch import Tensor

from ..errors import ShapeError


@dataclass(frozen=True, eq=False)
class Group:
    """Factors of one shape, as tables of logarithms.

    Args:
        scopes: variable numbers, `[factors, arity]`; arity 2 or more, no variable twice in a row.
        logs: log values, -inf where impossible, `[rows or 1, factors or 1, *sizes]`; 1 where all share one table.
    """

    scopes: Tensor
    logs: Tensor

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of states along each axis of the tables."""
        return tuple(self.logs.shape[2:])

    def __len__(self) -> int:
        return len(self.scopes)

    def __repr__(self) -> str:
        return f"Group({len(self)} factors of shape {self.sizes})"


@dataclass(frozen=True, eq=False)
class Trains:
    """Wide factors of one shape, each a product of one small matrix a variable: f(x) = C_1[x_1] C_2[x_2] ... C_n[x_n].

    A noisy or of n causes is n + 1 matrices of two rows and columns instead of a table of 2^(n + 1) numbers.

    Args:
        scopes: variable numbers, `[factors, arity]`.
        cores: one a place in the scope, numbers that are not negative, `[rows or 1, factors or 1, left, size, right]`;
            left is 1 in the first and right is 1 in the last.

    Reference: Oseledets (2011), Tensor-train decomposition.
    """

    scopes: Tensor
    cores: tuple[Tensor, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of states of the variable at each place."""
        return tuple(core.shape[3] for core in self.cores)

    def __len__(self) -> int:
        return len(self.scopes)

    def __repr__(self) -> str:
        return f"Trains({len(self)} factors of shape {self.sizes})"


@dataclass(frozen=True, eq=False)
class Field:
    """p(x) proportional to exp(constant + sum_i unary_i(x_i)) prod_f f(x_f), for rows of evidence side by side.

    Variables are numbered, not named: this is the form for images and other fields of a million variables. All states
    of all variables lie end to end; those of variable i begin at `starts[i]`.

    Args:
        sizes: number of states of each variable, `[variables]`.
        unary: log weights of single states, -inf where impossible, `[rows, states]`.
        groups: factors of two variables or more, by shape.
        trains: wide factors, by shape.
        constant: log weight of what does not depend on any variable, `[rows]`; 0 when None.
        names: of the variables, where the field comes from a model; for messages, and for options that name variables.
        ceiling: no sum over joint states is known to have a greater logarithm, in any row; 0 where it is a probability.

    Raises:
        ShapeError: when arrays do not fit one another.

    Example:
        >>> pair = Group(torch.tensor([[0, 1]]), torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]))
        >>> Field(torch.tensor([2, 2]), torch.zeros(1, 4), (pair,))
        Field(2 variables, 1 factors, 1 row)
    """

    sizes: Tensor
    unary: Tensor
    groups: tuple[Group, ...] = ()
    trains: tuple[Trains, ...] = ()
    constant: Tensor | None = None
    names: tuple[str, ...] = ()
    ceiling: float = inf

    def __post_init__(self) -> None:
        if self.unary.dim() != 2 or self.unary.shape[1] != int(self.sizes.sum()):
            raise ShapeError(
                f"Field: unary has shape {tuple(self.unary.shape)}, expected [rows, states] with "
                f"{int(self.sizes.sum())} states in all."
            )
        for part in self.parts:
            self._check(part)
        if self.constant is None:
            object.__setattr__(self, "constant", self.unary.new_zeros(self.rows))

    def _check(self, part: Group | Trains) -> None:
        if part.scopes.dim() != 2 or part.scopes.shape[1] != len(part.sizes):
            raise ShapeError(f"Field: {part!r} has scopes of shape {tuple(part.scopes.shape)}, one variable an axis.")
        arrays = part.cores if isinstance(part, Trains) else (part.logs,)
        for array in arrays:
            if array.shape[0] not in (1, self.rows) or array.shape[1] not in (1, len(part)):
                raise ShapeError(
                    f"Field: {part!r} has {array.shape[0]} rows and {array.shape[1]} factors, expected 1 or "
                    f"{self.rows}, and 1 or {len(part)}."
                )
        found = self.sizes[part.scopes]  # [factors, arity]
        if bool((found != torch.tensor(part.sizes, device=found.device)).any()):
            raise ShapeError(f"Field: {part!r} has a scope whose variables have other numbers of states.")

    @property
    def rows(self) -> int:
        """How many rows of evidence."""
        return len(self.unary)

    @property
    def variables(self) -> int:
        """How many variables."""
        return len(self.sizes)

    @cached_property
    def starts(self) -> Tensor:
        """Where the states of each variable begin, and the number of states in all at the end, `[variables + 1]`."""
        return torch.nn.functional.pad(self.sizes.cumsum(0), (1, 0))

    @property
    def parts(self) -> tuple[Group | Trains, ...]:
        """All factors of two variables or more."""
        found: tuple[Group | Trains, ...] = self.groups + self.trains
        return found

    @property
    def factors(self) -> int:
        """How many factors of two variables or more."""
        return sum(len(part) for part in self.parts)

    @property
    def device(self) -> torch.device:
        """Where the numbers are."""
        return self.unary.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the numbers."""
        return self.unary.dtype

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Field:
        """The same field elsewhere, or in another precision."""
        groups = tuple(Group(g.scopes.to(device), g.logs.to(device, dtype)) for g in self.groups)
        trains = tuple(
            Trains(t.scopes.to(device), tuple(core.to(device, dtype) for core in t.cores)) for t in self.trains
        )
        assert self.constant is not None
        constant = self.constant.to(device, dtype)
        unary = self.unary.to(device, dtype)
        return Field(self.sizes.to(device), unary, groups, trains, constant, self.names, self.ceiling)

    def log_weight(self, states: Tensor) -> Tensor:
        """The log of the product of all factors at joint states, -inf where impossible.

        Args:
            states: state numbers, `[rows or 1, *draws, variables]`.

        Returns:
            `[rows, *draws]`.

        Example:
            >>> pair = Group(torch.tensor([[0, 1]]), torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]))
            >>> Field(torch.tensor([2, 2]), torch.zeros(1, 4), (pair,)).log_weight(torch.tensor([[[0, 0], [0, 1]]]))
            tensor([[1., 0.]])
        """
        assert self.constant is not None
        draws = states.shape[1:-1]
        flat = states.reshape(len(states), prod(draws), self.variables).expand(self.rows, -1, -1).long()
        places = (flat + self.starts[:-1]).flatten(1)  # [rows, draws * variables]
        total = self.unary.gather(1, places).reshape(flat.shape).sum(-1)
        for group in self.groups:
            total = total + table_logs(group, flat).sum(-1)
        for trains in self.trains:
            total = total + train_logs(trains, flat).sum(-1)
        return (total + self.constant[:, None]).reshape(self.rows, *draws)

    def row(self, number: int) -> Field:
        """One row of evidence as a field of its own."""
        one = slice(number, number + 1)
        assert self.constant is not None
        groups = tuple(replace(g, logs=g.logs[one] if len(g.logs) > 1 else g.logs) for g in self.groups)
        trains = tuple(replace(t, cores=tuple(c[one] if len(c) > 1 else c for c in t.cores)) for t in self.trains)
        return replace(self, unary=self.unary[one], groups=groups, trains=trains, constant=self.constant[one])

    def __repr__(self) -> str:
        plural = "s" * (self.rows != 1)
        return f"Field({self.variables} variables, {self.factors} factors, {self.rows} row{plural})"


def table_logs(group: Group, states: Tensor) -> Tensor:
    """The log of each factor at joint states `[rows, draws, variables]`: `[rows, draws, factors]`."""
    strides = torch.tensor([prod(group.sizes[k + 1 :]) for k in range(len(group.sizes))], device=states.device)
    places = (states[:, :, group.scopes] * strides).sum(-1)  # [rows, draws, factors]
    tables = group.logs.flatten(2).expand(len(states), len(group), -1)  # [rows, factors, entries]
    found: Tensor = tables.gather(2, places.mT).mT
    return found


def train_logs(trains: Trains, states: Tensor) -> Tensor:
    """The log of each wide factor at joint states `[rows, draws, variables]`: `[rows, draws, factors]`."""
    row = trains.cores[0].new_ones(*states.shape[:2], len(trains), 1)  # [rows, draws, factors, left]
    total = row.new_zeros(row.shape[:3])
    for place, core in enumerate(trains.cores):
        matrices = chosen(core, states[:, :, trains.scopes[:, place]])  # [rows, draws, factors, left, right]
        row = (row.unsqueeze(-2) @ matrices).squeeze(-2)
        peak = row.amax(-1).clamp_min(torch.finfo(row.dtype).tiny)  # rescaled, so that wide ones do not underflow
        row, total = row / peak.unsqueeze(-1), total + peak.log()
    return total + row.squeeze(-1).log()


def chosen(core: Tensor, states: Tensor) -> Tensor:
    """The matrices of a core `[rows or 1, factors or 1, left, size, right]` at states `[rows, draws, factors]`."""
    rows, draws, factors = states.shape
    index = states.mT.long()[:, :, None, :, None]  # [rows, factors, 1, draws, 1]
    shape = (rows, factors, core.shape[2], draws, core.shape[4])
    found: Tensor = core.expand(rows, factors, *core.shape[2:]).gather(3, index.expand(shape))
    return found.permute(0, 3, 1, 2, 4)


def grid(unary: Tensor, coupling: Tensor, wrap: bool = False) -> Field:
    """A field on a grid, each site linked to the one below and the one to its right.

    Args:
        unary: log weights of the states of each site, `[height, width, states]`, or `[rows, height, width, states]`.
        coupling: log weights of pairs of neighbouring states: `[states, states]` for all pairs, or
            `[2, height, width, states, states]`, of each site with the one below it and the one to its right.
        wrap: whether the last row is linked to the first and the last column to the first (a torus).

    Returns:
        A field whose variable number is `row * width + column`.

    Raises:
        ShapeError: when the coupling does not fit the states, or a torus is narrower than 3.

    Example:
        >>> ising = grid(torch.zeros(1000, 1000, 2), torch.tensor([[0.4, -0.4], [-0.4, 0.4]]))
        >>> ising
        Field(1000000 variables, 1998000 factors, 1 row)

    Reference: Ising (1925); Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian
    restoration of images.
    """
    sites = unary if unary.dim() == 4 else unary[None]
    rows, height, width, size = sites.shape
    fits = coupling.shape in ((size, size), (2, height, width, size, size))
    if not fits or (wrap and min(height, width) < 3):
        raise ShapeError(
            f"grid: coupling has shape {tuple(coupling.shape)} for {height} x {width} sites of {size} states, expected "
            f"({size}, {size}) or (2, {height}, {width}, {size}, {size}); a torus has 3 sites or more a side."
        )
    number = torch.arange(height * width, device=sites.device).reshape(height, width)
    down = torch.stack([number, number.roll(-1, 0)], -1)[: height if wrap else -1]
    right = torch.stack([number, number.roll(-1, 1)], -1)[:, : width if wrap else -1]
    scopes = torch.cat([down.reshape(-1, 2), right.reshape(-1, 2)])
    if coupling.dim() == 2:
        tables = coupling[None]
    else:
        below, beside = coupling[0][: len(down)], coupling[1][:, : right.shape[1]]
        tables = torch.cat([below.reshape(-1, size, size), beside.reshape(-1, size, size)])
    groups = (Group(scopes, tables[None].to(sites)),) if len(scopes) else ()
    sizes = torch.full((height * width,), size, device=sites.device)
    return Field(sizes, sites.reshape(rows, -1), groups)
