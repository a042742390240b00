"""Tables as trains of small matrices, f(x) = C_1[x_1] C_2[x_2] ... C_n[x_n]: linear in the variables, not exponential.

A core has shape `[left, size, right]`; left is 1 in the first and right is 1 in the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, prod

import torch
from torch import Tensor

from .errors import PlanError

TINY = 1e-100  # peaks below it are not divided out
TABLE_AT_MOST = 2**26  # numbers, half a gigabyte


def expanded(cores: Sequence[Tensor], subject: str = "train of matrices") -> Tensor:
    """The whole table, `[*sizes]`.

    Raises:
        PlanError: naming the subject when there would be more than 2^26 numbers.

    Example:
        >>> both = torch.eye(2).reshape(1, 2, 2), torch.eye(2).reshape(2, 2, 1)
        >>> expanded(both)
        tensor([[1., 0.],
                [0., 1.]])
    """
    entries = prod(core.shape[1] for core in cores)
    if entries > TABLE_AT_MOST:
        raise PlanError(
            f"{subject}: its table would have 2^{log2(entries):.0f} numbers, expected at most "
            f"2^{log2(TABLE_AT_MOST):.0f}; infer, log_evidence and log_prob do without one."
        )
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
