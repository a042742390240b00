"""What was observed, step by step; read once, at the boundary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import EvidenceError
from ..evidence import MISSING
from ..samples import Samples
from ..values import read_value
from ..variable import Variable, quoted
from .beliefs import Paths
from .template import Template

Given = Mapping[str, Any] | Paths | Samples
Lengths = Sequence[int] | Tensor | None


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences side by side.

    Args:
        values: by name, state numbers `[rows, steps]` (-1 where missing) or numbers `[rows, steps, *event]` (NaN).
        lengths: the number of steps of each sequence, `[rows]`; what lies beyond is padding.
        steps: the length of the longest one.
        batched: whether a batch was given.
        computed: the names of variables that are functions of the others.
    """

    values: Mapping[str, Tensor]
    lengths: Tensor
    steps: int
    batched: bool
    computed: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        return len(self.lengths)

    @cached_property
    def inside(self) -> Tensor:
        """Which cells are not padding, `[rows, steps]`."""
        return torch.arange(self.steps, device=self.lengths.device) < self.lengths.unsqueeze(1)

    def seen(self, variable: Variable) -> Tensor:
        """Which cells are observed in full, `[rows, steps]`."""
        value = self.values[variable.name]
        if variable.finite:
            return value >= 0
        return ~torch.isnan(value).flatten(2).any(2) if variable.shape else ~torch.isnan(value)

    def full(self, variable: Variable) -> bool:
        """Whether every cell that is not padding is observed."""
        return variable.name not in self.gaps

    @cached_property
    def gaps(self) -> frozenset[str]:
        """The names of the variables with a cell that is not padding and is missing in part or all."""
        missing = {
            name: torch.isnan(x).flatten(2).any(2)
            if x.dim() > 2
            else (torch.isnan(x) if x.is_floating_point() else x < 0)
            for name, x in self.values.items()
        }
        return frozenset(n for n, lost in missing.items() if bool((lost[:, : self.steps] & self.inside).any()))

    def filled(self, variable: Variable) -> Tensor:
        """The values with some possible value where missing."""
        value = self.values[variable.name]
        if variable.finite:
            return value.clamp(min=0)
        missing = torch.isnan(value)
        return torch.where(missing, value[~missing][:1].detach() if bool((~missing).any()) else 0.0, value)

    def ahead(self, steps: int, names: Collection[str]) -> Sequences:
        """The last step of each row, as step 0, and that many unobserved ones after it; only unobserved ones when there
        is no step.

        Args:
            steps: how many.
            names: variables whose last value matters, and inputs, which reach further.
        """
        start, rows = min(self.steps, 1), torch.arange(self.rows, device=self.lengths.device).unsqueeze(1)
        places = (self.lengths - start).unsqueeze(1) + torch.arange(steps + start, device=self.lengths.device)
        found = {}
        for name in names & self.values.keys():
            value = self.values[name]
            filler = value.new_full((1, steps, *value.shape[2:]), torch.nan if value.is_floating_point() else MISSING)
            longer = torch.cat([value, filler.expand(self.rows, *filler.shape[1:])], 1)
            found[name] = longer[rows, places]
        return Sequences(found, torch.full_like(self.lengths, steps + start), steps + start, self.batched)

    def with_values(self, more: Mapping[str, Tensor]) -> Sequences:
        """These and more variables, which are computed from them."""
        return replace(self, values={**self.values, **more}, computed=self.computed | more.keys())


def read_sequences(template: Template, given: Given, lengths: Lengths, subject: str, ahead: int = 0) -> Sequences:
    """Labels and numbers as tensors, on the device of the template's parameters.

    Args:
        template: whose variables are named.
        given: for each observed variable labels in a list, or state numbers in an integer array or tensor, `[steps]` or
            `[rows, steps]`; numbers `[steps, *event]` or `[rows, steps, *event]`. Sequences of different lengths are a
            list of them.
        lengths: of the sequences, where arrays are padded.
        subject: how error messages begin.
        ahead: how many steps further inputs reach.

    Raises:
        EvidenceError: on an unknown variable or state, shapes or lengths that do not fit, or an input with a gap.
    """
    device = next((p.device for p in template.parameters()), torch.device("cpu"))
    known = {v.name: v for v in template.variables}
    for name in given:
        if name not in known:
            raise EvidenceError(f"{subject}: {name!r} is not a variable; there are {quoted(known)}.")
    inputs = {v.name for v in template.inputs}
    read = {name: _column(known[name], value, subject) for name, value in ((name, given[name]) for name in given)}
    if not read and not ahead:
        raise EvidenceError(f"{subject}: nothing is given, so that the number of steps is not known.")
    extents = {n: column.steps - (ahead if n in inputs else 0) for n, column in read.items()}
    if len(set(extents.values())) > 1:
        (a, n), (b, m) = min(extents.items(), key=lambda x: x[1]), max(extents.items(), key=lambda x: x[1])
        more = f" (inputs reach {ahead} further)" if ahead else ""
        raise EvidenceError(f"{subject}: {a!r} has {n} steps and {b!r} {m}; make them equal{more}.")
    rows = {name: len(column.lengths) for name, column in read.items() if column.batched}
    if len(set(rows.values())) > 1:
        raise EvidenceError(f"{subject}: the batches have {sorted(set(rows.values()))} sequences; make them equal.")
    steps, batch = next(iter(extents.values()), 0), next(iter(rows.values()), 1)
    found = Sequences(
        {name: c.values.to(device).expand(batch, *c.values.shape[1:]) for name, c in read.items()},
        _lengths(read, lengths, batch, steps, subject).to(device),
        steps,
        bool(rows),
    )
    _check_extent(found, ahead, subject)
    _check_inputs(template, found, ahead, subject)
    return found


@dataclass(frozen=True, eq=False)
class _Column:
    """One variable: its values `[rows, steps, *event]`, the lengths of the rows, and whether rows were given."""

    values: Tensor
    lengths: tuple[int, ...]
    batched: bool

    @property
    def steps(self) -> int:
        return int(self.values.shape[1])

    @property
    def ragged(self) -> bool:
        return len(set(self.lengths)) > 1


def _column(variable: Variable, value: Any, subject: str) -> _Column:
    if isinstance(value, Mapping | str) or not isinstance(value, Iterable):
        raise EvidenceError(f"{subject}: {variable.name!r} is {value!r}, expected one value a step.")
    axes = len(variable.shape)
    if not isinstance(value, Tensor | np.ndarray):
        value = list(value)
        if value and _depth(value[0]) > axes:
            rows = [_row(variable, each, subject) for each in value]
            longest = max(map(len, rows))
            filler = torch.nan if rows[0].is_floating_point() else MISSING
            padded = [torch.cat([row, row.new_full((longest - len(row), *row.shape[1:]), filler)]) for row in rows]
            return _Column(torch.stack(padded), tuple(map(len, rows)), True)
        row = _row(variable, value, subject)
        return _Column(row.unsqueeze(0), (len(row),), False)
    values = _numbers(variable, value, subject)
    batched = values.dim() == axes + 2
    if not batched and values.dim() != axes + 1:
        raise EvidenceError(
            f"{subject}: {variable.name!r} has shape {tuple(values.shape)}, expected "
            f"[{', '.join(['steps', *map(str, variable.shape)])}], with one more axis in front for a batch."
        )
    values = values if batched else values.unsqueeze(0)
    return _Column(values, (values.shape[1],) * len(values), batched)


def _depth(value: Any) -> int:
    """How many axes it has; text and single numbers have none."""
    if isinstance(value, Tensor | np.ndarray):
        return value.ndim
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list | tuple) else 0


def _row(variable: Variable, value: Any, subject: str) -> Tensor:
    """One sequence, `[steps, *event]`."""
    if isinstance(value, Tensor | np.ndarray) or not variable.finite:
        return _numbers(variable, value, subject)
    return torch.tensor([_state(variable, label, subject) for label in value], dtype=torch.long)


def _state(variable: Variable, label: Any, subject: str) -> int:
    if label is None or label == "" or label != label:
        return MISSING
    try:
        return variable.number(label)
    except EvidenceError as error:
        raise EvidenceError(f"{subject}: {error}") from None


def _numbers(variable: Variable, value: Any, subject: str) -> Tensor:
    if not variable.finite:
        gaps = isinstance(value, list | tuple) and not variable.shape
        return read_value(variable, [np.nan if x is None else x for x in value] if gaps else value, subject)
    numbers = torch.as_tensor(value)
    if numbers.is_floating_point() or numbers.dtype == torch.bool:
        raise EvidenceError(f"{subject}: {variable.name!r} is a {numbers.dtype} array, expected integer state numbers.")
    if numbers.numel() and not MISSING <= int(numbers.min()) <= int(numbers.max()) < variable.size:
        raise EvidenceError(
            f"{subject}: {variable.name!r} has state numbers {int(numbers.min())} to {int(numbers.max())}, expected 0 "
            f"to {variable.size - 1}, or -1 for missing."
        )
    return numbers.long()


def _lengths(read: Mapping[str, _Column], lengths: Lengths, rows: int, steps: int, subject: str) -> Tensor:
    # an input that reaches further than the others does so in each sequence
    found = {name: [n - column.steps + steps for n in column.lengths] for name, column in read.items() if column.ragged}
    names = list(found)
    for name in names[1:]:
        if found[name] != found[names[0]]:
            raise EvidenceError(f"{subject}: the sequences have different lengths in {names[0]!r} and {name!r}.")
    if lengths is None:
        return torch.tensor(found[names[0]] if names else [steps] * rows)
    given = torch.as_tensor(lengths)
    if given.shape != (rows,) or bool((given < 1).any()) or bool((given > steps).any()):
        raise EvidenceError(
            f"{subject}: lengths are {given.tolist()}, expected one number from 1 to {steps} for each of {rows} "
            "sequences."
        )
    return given.long()


def require_possible(totals: Tensor, data: Sequences, subject: str) -> None:
    """Raise an `EvidenceError` that names the first sequence whose data have probability 0."""
    if bool(torch.isneginf(totals).any()):
        where = f" in sequence {int(torch.isneginf(totals).nonzero()[0])}" if data.batched else ""
        raise EvidenceError(f"{subject}: what is given{where} has probability 0 (checked in log arithmetic).")


def _check_extent(found: Sequences, ahead: int, subject: str) -> None:
    if not found.rows:
        raise EvidenceError(f"{subject}: no sequence is given, expected one or more.")
    empty = (found.lengths < 1).nonzero().flatten().tolist()
    if empty and (found.steps or not ahead):
        which = f"sequence {empty[0]}" if found.batched else "what is given"
        raise EvidenceError(f"{subject}: {which} has no steps, expected one or more; leave it out.")


def _check_inputs(template: Template, found: Sequences, ahead: int, subject: str) -> None:
    for variable in template.inputs:
        if variable.name not in found.values:
            raise EvidenceError(f"{subject}: {variable.name!r} has no conditional, so it is an input; give its values.")
        seen = found.seen(variable)
        needed = torch.arange(found.steps + ahead, device=seen.device) < (found.lengths + ahead).unsqueeze(1)
        if seen.shape[1] < found.steps + ahead or not bool((seen | ~needed).all()):
            raise EvidenceError(f"{subject}: the input {variable.name!r} has a missing value; give all of them.")
