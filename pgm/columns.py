"""The columns of a regression: parents of every kind, side by side; and what finite parents choose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .domains import Numeric
from .variable import Variable


def column_names(parent: Variable) -> list[str]:
    """What the columns of one parent are called.

    A parent with two states is one column, its state number 0 or 1; any other finite parent is one column a state, 1
    where the parent is in that state; a numeric one is one column a number.

    Example:
        >>> from pgm import Real
        >>> column_names(Variable("wet", 2)), column_names(Variable("sky", ["clear", "grey", "dark"]))
        (['wet'], ['sky=clear', 'sky=grey', 'sky=dark'])
        >>> column_names(Variable("position", Real(2)))
        ['position[0]', 'position[1]']
    """
    if isinstance(parent.domain, Numeric):
        return [f"{parent.name}[{i}]" for i in range(parent.domain.length)] if parent.shape else [parent.name]
    return [parent.name] if parent.size == 2 else [f"{parent.name}={state}" for state in parent.states]


def columns(parents: Sequence[Variable], values: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """All parents' values as columns, `[*batch, columns]`.

    Args:
        parents: the variables.
        values: one tensor each, `[*batch]` state numbers or `[*batch, *event]` numbers; batch shapes broadcast.
        dtype: of the result.
    """
    if not parents:
        return torch.zeros(0, dtype=dtype)
    blocks = [_block(parent, value, dtype) for parent, value in zip(parents, values, strict=True)]
    batch = np.broadcast_shapes(*(block.shape[:-1] for block in blocks))
    return torch.cat([block.expand(*batch, block.shape[-1]) for block in blocks], -1)


def vector(value: Tensor, event: int) -> Tensor:
    """The last `event` axes as one, `[*batch, length]`; a single number is a vector of one.

    Example:
        >>> vector(torch.zeros(5, 2, 3), 2).shape, vector(torch.zeros(5), 0).shape
        (torch.Size([5, 6]), torch.Size([5, 1]))
    """
    if event == 1:
        return value
    return value.flatten(-event) if event else value.unsqueeze(-1)


def at_states(table: Tensor, states: Sequence[Tensor]) -> Tensor:
    """The entries of `[*states, ...]` at state numbers `[*batch]`, one tensor an axis; length 1 serves all states.

    Example:
        >>> at_states(torch.tensor([[1.0, 2.0]]), [torch.tensor([0, 1]), torch.tensor([1, 1])])
        tensor([2., 2.])
    """
    places = tuple(state.clamp(max=length - 1) for state, length in zip(states, table.shape, strict=False))
    return table[places] if places else table


def _block(parent: Variable, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not parent.finite:
        return vector(value.to(dtype), len(parent.shape))
    return value.unsqueeze(-1).to(dtype) if parent.size == 2 else one_hot(value.long(), parent.size).to(dtype)
