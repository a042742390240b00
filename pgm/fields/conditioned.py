"""A field with some variables held at a state."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .field import Field


def conditioned(field: Field, states: Tensor) -> Field:
    """The field given the states of some variables: all their other states weigh nothing. Rows may differ in which.

    Args:
        field: any field.
        states: state numbers, -1 where a variable is free, `[rows, variables]`.

    Example:
        >>> pair = Field(torch.tensor([2, 3]), torch.zeros(1, 5))
        >>> conditioned(pair, torch.tensor([[-1, 1]])).unary
        tensor([[0., 0., -inf, 0., -inf]])
    """
    owner = torch.repeat_interleave(torch.arange(field.variables, device=field.device), field.sizes)
    number = torch.arange(len(owner), device=field.device) - field.starts[owner]
    held = states[:, owner]  # [rows, states]
    return replace(field, unary=field.unary.masked_fill((held >= 0) & (held != number), -torch.inf))
