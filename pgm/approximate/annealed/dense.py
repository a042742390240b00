"""Fields in which most pairs are linked: what is around a block is one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...fields.blocks import Block
from ...fields.field import Field, Group

SHARE = 1 / 32  # of pairs linked, above which a matrix product is faster than look-ups
ENTRIES_AT_MOST = 2**24


@dataclass(frozen=True, eq=False)
class Dense:
    """What pairs say of a block: `offset + x @ matrix`, x being 1 where a variable beside it is in a given state.

    Args:
        variables: the variable that each column of x is about, `[columns]`.
        states: and its state, never the first, which the offset stands for.
        matrix: log weights, `[columns, variables of the block * size]`.
        offset: those where all others are in their first states.
    """

    variables: Tensor
    states: Tensor
    matrix: Tensor
    offset: Tensor

    def around(self, states: Tensor) -> Tensor:
        """The log weights `[rows, draws, variables of the block * size]` given joint states."""
        x = (states[:, :, self.variables] == self.states).to(self.matrix.dtype)
        return self.offset + x @ self.matrix


def dense(field: Field, block: Block) -> Dense | None:
    """The matrix of a block; None where factors are no pairs, have zeros or rows, or few pairs are linked."""
    pairs = []
    for touch in block.touching:
        part = field.parts[touch.part]
        if not isinstance(part, Group) or len(part.sizes) != 2 or len(part.logs) > 1 or bool(part.logs.isinf().any()):
            return None
        tables = part.logs[0].expand(len(part), -1, -1)[touch.factors]
        pairs.append((part.scopes[touch.factors, 1 - touch.axis], touch.slots, tables.movedim(1 + touch.axis, 2)))
    beside = torch.cat([others for others, _, _ in pairs]).unique() if pairs else block.variables[:0]
    states = field.sizes[beside] - 1  # the first state has no column
    columns, width = int(states.sum()), len(block.variables) * block.size
    linked = sum(len(others) * tables.shape[1] * block.size for others, _, tables in pairs)
    if columns * width > min(ENTRIES_AT_MOST, linked / SHARE):
        return None
    starts = torch.zeros_like(field.sizes).index_put((beside,), states.cumsum(0) - states)
    matrix, offset = field.unary.new_zeros(columns, width), field.unary.new_zeros(width)
    for others, slots, tables in pairs:
        place = slots[:, None] * block.size + torch.arange(block.size, device=field.device)  # [factors, size]
        offset = offset.index_put((place,), tables[:, 0], accumulate=True)
        row = starts[others][:, None] + torch.arange(tables.shape[1] - 1, device=field.device)  # [factors, others - 1]
        where = (row[:, :, None].expand(-1, -1, block.size), place[:, None].expand(-1, row.shape[1], -1))
        matrix = matrix.index_put(where, tables[:, 1:] - tables[:, :1], accumulate=True)
    which = torch.arange(columns, device=field.device) - starts[beside].repeat_interleave(states) + 1
    return Dense(beside.repeat_interleave(states), which, matrix, offset)
