"""What is known of layers when the rest is drawn: whole layers or single units, the same of all rows or row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pgm.domains import Binary, OneHot
from pgm.errors import EvidenceError, ShapeError
from pgm.evidence import MISSING
from pgm.variable import Variable

from ...potentials.linear import count
from .units import Bits, Numbers

if TYPE_CHECKING:
    from .machine import Machine


def begun(machine: Machine, rows: int, known: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A state of all layers to start chains from, `[rows, numbers]` by name, and which of its units are known.

    What is not known is drawn as if nothing were said to it.

    Args:
        machine: whose layers they are.
        rows: how many.
        known: values `[*event]` or `[rows, *event]` by name; numbers that are NaN and states that are -1 are missing.

    Raises:
        EvidenceError: on names of no layer, values that a layer cannot have, or none of a layer that is always given.
        ShapeError: on another shape.
    """
    machine.model.graph.require(known, "Machine")
    absent = next((v.name for v in machine.given if v.name not in known), None)
    if absent is not None:
        raise EvidenceError(f"Machine: {absent!r} is never drawn, so that it has to be given.")
    state, fixed = {}, {}
    for v in machine.model.variables:
        if v not in machine.given:
            state[v.name] = machine.units(v.name).draw(machine.zeros(v.name).expand(rows, -1))
        if v.name in known:
            values, here = _read(v, known[v.name].to(machine.device), rows)
            if not bool(here.all()):
                _require_separable(machine, v, here)
            found = machine.state({v.name: values})[v.name].to(machine.zeros(v.name))  # as exact as its weights
            state[v.name] = torch.where(here, found, state.get(v.name, found))
            fixed[v.name] = here
    return state, fixed


def free(machine: Machine, fixed: Mapping[str, Tensor]) -> list[str]:
    """The layers that are not known altogether, hidden ones first: data pull them sooner."""
    layers = [v.name for v in (*machine.hidden, *machine.visible)]
    return [name for name in layers if name not in fixed or not bool(fixed[name].all())]


def _read(v: Variable, value: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """A value of each row `[rows, *event]`, zero where it is missing, and which units are not, `[rows, numbers]`."""
    if tuple(value.shape) not in (v.shape, (rows, *v.shape)):
        raise ShapeError(
            f"Machine: {v.name!r} is given in shape {tuple(value.shape)}, expected {v.shape}, or {(rows, *v.shape)} "
            "for one of each row."
        )
    missing = value == MISSING if v.finite else value.isnan()
    value = value.masked_fill(missing, 0)
    _require_support(v, value)
    whole = missing.expand(rows, *v.shape).reshape(rows, -1)
    return value.expand(rows, *v.shape), ~whole.expand(rows, count(v))


def _require_separable(machine: Machine, v: Variable, here: Tensor) -> None:
    """Raise an `EvidenceError` unless some units can be known and the others drawn."""
    if v in machine.given:
        raise EvidenceError(f"Machine: {v.name!r} is never drawn, so that all of it has to be given.")
    if isinstance(v.domain, OneHot):
        choices = here.unflatten(-1, (-1, v.shape[-1]))
        if bool((choices.any(-1) != choices.all(-1)).any()):
            raise EvidenceError(f"Machine: a choice of {v.name!r} is partly missing, expected NaN in all its states.")
    elif not v.finite and not isinstance(machine.units(v.name), Bits | Numbers):
        raise EvidenceError(f"Machine: units of {v.name!r} are drawn together, so that all or none have to be known.")


def _require_support(v: Variable, value: Tensor) -> None:
    """Raise an `EvidenceError` on what is no state, no bit, or no number."""
    if v.finite:
        wrong, expected = (value < 0) | (value >= v.size) | (value != value.long()), f"a state from 0 to {v.size - 1}"
    elif isinstance(v.domain, Binary):
        wrong, expected = (value != 0) & (value != 1), "0, 1, or NaN where it is missing"
    else:
        wrong, expected = ~value.isfinite(), "finite numbers, or NaN where they are missing"
    if bool(wrong.any()):
        raise EvidenceError(f"Machine: a value of {v.name!r} is {value[wrong][0].item():g}, expected {expected}.")
