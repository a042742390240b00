"""Fields of pairs of variables with two states, such as grids of spins: one number a message, in loops of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...compiled.pairs import sweeps
from ...fields.field import Field


def two_states(field: Field) -> bool:
    """Whether all variables have two states, all factors have two variables and all weights are positive."""
    binary = (
        not field.trains and all(group.sizes == (2, 2) for group in field.groups) and bool((field.sizes == 2).all())
    )
    finite = (field.unary, *(group.logs for group in field.groups))
    return binary and field.factors > 0 and all(bool(torch.isfinite(numbers).all()) for numbers in finite)


@dataclass(frozen=True, eq=False)
class TwoStates:
    """Such a field as arrays of log ratios.

    Args:
        counts: the number of factors in each group.
        scopes: variable numbers, `[2, factors]`.
        tables: logs of the four pairs of states, `[rows or 1, 4, factors or 1]`.
        unary: log ratios, `[rows, variables]`.
        damping, maximum, tolerance: of the updates.
    """

    counts: tuple[int, ...]
    scopes: np.ndarray
    tables: np.ndarray
    unary: np.ndarray
    damping: float
    maximum: bool
    tolerance: float

    @classmethod
    def of(cls, field: Field, damping: float, maximum: bool, tolerance: float) -> TwoStates:
        """The arrays of a field."""
        counts = tuple(len(group) for group in field.groups)
        scopes = torch.cat([group.scopes for group in field.groups]).T.int().contiguous()
        flat = [group.logs.detach().flatten(2).mT for group in field.groups]  # [rows or 1, 4, factors or 1]
        if len(flat) > 1:
            rows = max(len(each) for each in flat)
            flat = [each.expand(rows, 4, count) for each, count in zip(flat, counts, strict=True)]
        pairs = field.unary.detach().unflatten(1, (-1, 2))
        unary = (pairs[..., 1] - pairs[..., 0]).numpy()
        return cls(counts, scopes.numpy(), torch.cat(flat, 2).contiguous().numpy(), unary, damping, maximum, tolerance)

    def advance(self, messages: Tensor, rows: np.ndarray, steps: int) -> np.ndarray:
        """Updates in place of messages `[rows, entries]`, logs of both states; the residuals, `[steps, rows]`."""
        found = np.full((steps, len(messages)), np.nan)
        ratios = self._ratios(messages[rows] if len(rows) < len(messages) else messages)
        for row, own in zip(rows, ratios.numpy(), strict=True):
            tables, residuals = self.tables[row if len(self.tables) > 1 else 0], np.full(steps, np.nan)
            options = (self.damping, self.maximum, self.tolerance)
            sweeps(self.scopes, tables, self.unary[row], own, *options, residuals)
            found[:, row] = residuals
        messages[rows] = self._logs(ratios)
        return found

    def _ratios(self, messages: Tensor) -> Tensor:
        """Log ratios `[rows, 2, factors]` of messages."""
        parts = messages.split([4 * count for count in self.counts], 1)
        pairs = [part.reshape(len(messages), 2, -1, 2) for part in parts]
        return torch.cat([pair[..., 1] - pair[..., 0] for pair in pairs], 2)

    def _logs(self, ratios: Tensor) -> Tensor:
        """Messages from their log ratios: logs that sum to 1, or have a maximum of 1."""
        both = torch.stack([-ratios, ratios], -1)  # [rows, 2, factors, states]
        logs = both.clamp_max(0.0) if self.maximum else torch.nn.functional.logsigmoid(both)
        return torch.cat([part.flatten(1) for part in logs.split(self.counts, 2)], 1)
