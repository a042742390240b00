"""Fields as plain arrays for the compiled loops."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor

from ...compiled.messages import Numbers, Structure
from ...fields.field import Field, Group, Trains
from .passing import faint
from .soft import span

Around = tuple[np.ndarray, np.ndarray]


def structure_of(field: Field) -> Structure:
    """Which factor meets which variable, and where its messages and numbers are.

    Example:
        >>> from ...fields.field import grid
        >>> structure_of(grid(torch.zeros(2, 2, 2), torch.zeros(2, 2))).variables
        array([0, 2, 1, 3, 0, 1, 2, 3], dtype=int32)
    """
    found, low, table, core = [], 0, 0, 0
    for part in field.parts:
        factors, sizes = len(part), np.array(part.sizes)
        begins = low + np.cumsum([0, *(factors * sizes)])
        places = begins[:-1] + np.arange(factors)[:, None] * sizes  # [factors, arity]
        found.append((part.scopes.cpu().numpy().astype(np.int32), places, *_numbers_at(part, table, core)))
        low, table = begins[-1], table + (part.logs.numel() if isinstance(part, Group) else 0)
        core += sum(c.numel() for c in part.cores) if isinstance(part, Trains) else 0
    arities = [np.full(len(part), part.scopes.shape[1]) for part in field.parts]
    none = np.zeros(0, np.int64)
    columns = [
        np.concatenate([column[0][:0].reshape(-1), *(each.reshape(-1) for each in column)])
        for column in zip(*found, strict=True)
    ] or [none.astype(np.int32), *[none] * 6]
    variables, places, tables, rises, first, further, ranks = columns
    edges = np.concatenate([np.zeros(1, np.int64), *arities]).cumsum()
    return Structure(
        field.starts.cpu().numpy(), edges, variables, places, tables, rises, np.stack([first, further]), ranks
    )


def _numbers_at(part: Group | Trains, table: int, core: int) -> tuple[np.ndarray, ...]:
    """Where the tables are, `[factors]`, and the cores and their ranks, `[factors, arity]`."""
    if isinstance(part, Group):
        nothing = np.zeros(part.scopes.shape, np.int64)
        first, further = _layout(part.logs, len(part))
        return table + first, further, nothing, nothing, nothing + 1
    begins = core + np.cumsum([0, *(c.numel() for c in part.cores)])
    each = [_layout(c, len(part)) for c in part.cores]
    first = np.stack([begin + first for begin, (first, _) in zip(begins, each, strict=False)], 1)
    ranks = np.tile([c.shape[2] for c in part.cores], (len(part), 1))
    wide = np.full(len(part), -1)
    return wide, 0 * wide, first, np.stack([further for _, further in each], 1), ranks


def _layout(array: Tensor, factors: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each factor's numbers begin in an array `[rows or 1, factors or 1, ...]`, and how far apart rows are."""
    size = prod(array.shape[2:])
    first = np.arange(factors) * (size if array.shape[1] > 1 else 0)
    return first, np.full(factors, array.shape[1] * size if array.shape[0] > 1 else 0)


def numbers_of(field: Field, powers: Tensor | None = None) -> Numbers:
    """The numbers of a field, tables divided by the powers of their factors."""
    each = torch.ones(field.factors, dtype=torch.float64) if powers is None else powers.detach().cpu().double()
    logs, linear, spans, first = [], [], [], 0
    for group in field.groups:
        own = each[first : first + len(group)].reshape(-1, *[1] * len(group.sizes))
        table = group.logs.detach() if powers is None else group.logs.detach() / own.to(group.logs)
        flat = table.flatten(2)
        top = flat.amax(-1, keepdim=True).double()
        logs.append(flat.reshape(-1))
        linear.append((flat - torch.where(torch.isneginf(top), 0.0, top)).exp().reshape(-1))
        spans.append(span(flat).amax(0).expand(len(group)))
        first += len(group)
    spans.append(torch.zeros(field.factors - first))
    cores = [core.detach().reshape(-1) for trains in field.trains for core in trains.cores]
    unary = field.unary.detach()
    arrays = [
        _joined(parts, dtype)
        for parts, dtype in ((logs, unary.dtype), (linear, torch.float64), (spans, unary.dtype), (cores, unary.dtype))
    ]
    return Numbers(unary.numpy(), arrays[0], arrays[1], arrays[2], arrays[3], each.numpy(), faint(field))


def _joined(parts: list[Tensor], dtype: torch.dtype) -> np.ndarray:
    return (torch.cat(parts) if parts else torch.zeros(0)).to(dtype).contiguous().numpy()


def around_of(structure: Structure) -> Around:
    """For each variable the factors on it: where they begin, and all of them."""
    variables = structure.variables
    factors = np.repeat(np.arange(len(structure.first) - 1), np.diff(structure.first))
    counts = np.bincount(variables, minlength=len(structure.starts) - 1)
    return np.concatenate([np.zeros(1, np.int64), counts.cumsum()]), factors[np.argsort(variables, kind="stable")]
