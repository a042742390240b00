"""Tables as trains of small matrices, f(x) = C_1[x_1] C_2[x_2] ... C_n[x_n]: linear in the variables, not exponential.

A core has shape `[left, size, right]`; left is 1 in the first and right is 1 in the last.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-100  # peaks below it are not divided out


def expanded(cores: Sequence[Tensor]) -> Tensor:
    """The whole table, `[*sizes]`.

    Example:
        >>> both = torch.eye(2).reshape(1, 2, 2), torch.eye(2).reshape(2, 2, 1)
        >>> expanded(both)
        tensor([[1., 0.],
                [0., 1.]])
    """
    table = cores[0].new_ones(1)
    for core in cores:
        table = torch.tensordot(table, core, 1)  # [*sizes so far, size, right]
    return table.squeeze(-1)


def row_at(cores: Sequence[Tensor], values: Sequence[Tensor]) -> Tensor:
    """The product of the matrices at state numbers `[*batch]`, one a core: `[*batch, right]` of the last one."""
    row = cores[0].new_ones(1)
    for core, states in zip(cores, values, strict=True):
        row = (row.unsqueeze(-2) @ core.transpose(0, 1)[states]).squeeze(-2)
    return row


def log_at(cores: Sequence[Tensor], values: Sequence[Tensor]) -> Tensor:
    """The logarithm of the table at state numbers `[*batch]`, one a core; wide ones do not underflow."""
    row, total = cores[0].new_ones(1), cores[0].new_zeros(())
    for core, states in zip(cores, values, strict=True):
        row = (row.unsqueeze(-2) @ core.transpose(0, 1)[states]).squeeze(-2)
        peak = row.detach().amax(-1, keepdim=True).clamp_min(TINY)
        row, total = row / peak, total + peak.squeeze(-1).log()
    return total + row.squeeze(-1).log()
