"""Which pair of operations a contraction uses: sum and product, maximum and product, or both in logarithms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Semiring:
    """How tensors are multiplied and how an axis is removed.

    Args:
        logs: numbers are logarithms (zero is -inf) instead of being scaled by their maximum.
        maximise: a removed axis is maximised instead of summed.
    """

    logs: bool = False
    maximise: bool = False

    def total(self, values: Tensor, dims: tuple[int, ...]) -> Tensor:
        """Remove axes; none removed when `dims` is empty."""
        if not dims:
            return values
        if self.maximise:
            return values.amax(dims)
        return _log_sum(values, dims) if self.logs else values.sum(dims)

    def contract(self, left: Tensor, right: Tensor) -> Tensor:
        """out[..., i, j] = sum over s of left[..., i, s] right[..., s, j]."""
        if not self.logs and not self.maximise:
            return _matmul(left, right)
        pairs = left.unsqueeze(-1) + right.unsqueeze(-3) if self.logs else left.unsqueeze(-1) * right.unsqueeze(-3)
        return self.total(pairs, (-2,))


SUM, LOG_SUM = Semiring(), Semiring(logs=True)


def _matmul(left: Tensor, right: Tensor) -> Tensor:
    """A batched product; as multiply and add where the matrices degenerate, which is several times faster."""
    if left.shape[-1] == 1:
        return left * right
    if left.shape[-2] == 1 and right.shape[-1] == 1:
        return (left.transpose(-1, -2) * right).sum(-2, keepdim=True)
    return torch.matmul(left, right)


def _log_sum(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """log sum exp with gradient zero, not NaN, on slices that are all -inf."""
    peak = values.detach().amax(dims, keepdim=True)
    peak = torch.where(torch.isinf(peak), torch.zeros_like(peak), peak)
    total = (values - peak).exp().sum(dims)
    safe = torch.where(total > 0, total, torch.ones_like(total))
    logs = torch.where(total > 0, safe.log(), torch.full_like(total, -torch.inf))
    return logs + peak.reshape(logs.shape)
