"""Messages of wide factors that are trains of matrices: two sweeps along the train, linear in the variables."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from ...fields.build import safe_log
from ...fields.field import Trains
from .soft import soft_along, span


def train_messages(trains: Trains, arriving: Sequence[Tensor]) -> list[Tensor]:
    """What wide factors say to each place: m_k(x_k) = log sum over x without x_k of f(x) exp sum_{j != k} n_j(x_j).

    Args:
        trains: factors of one shape.
        arriving: log messages from the variables, one a place, `[rows, factors, size]`.

    Returns:
        Logs that are not normalised, one a place, `[rows, factors, size]`.
    """
    if _far(arriving):
        return _messages_in_logs(trains, arriving)
    vectors, peaks = _linear(arriving)
    lead = arriving[0].shape[:2]
    cores = [core.expand(*lead, -1, -1, -1) for core in trains.cores]
    steps = [torch.einsum("rfisj,rfs->rfij", core, vector) for core, vector in zip(cores, vectors, strict=True)]
    lefts = _swept([step.mT for step in steps])  # products of all that is left of a place, with the logs of scales
    rights = _swept(steps[::-1])[::-1]
    total = torch.stack(peaks).sum(0)
    found = []
    for core, (left, below), (right, above), peak in zip(cores, lefts, rights, peaks, strict=True):
        weights = torch.einsum("rfi,rfisj,rfj->rfs", left, core, right)
        found.append(safe_log(weights) + (below + above + total - peak).unsqueeze(-1))
    return found


def _far(arriving: Sequence[Tensor]) -> bool:
    """Whether products of what arrives may be beyond the precision, so that zeros would appear."""
    gaps = torch.stack([span(message.detach()) for message in arriving]).sum(0)  # [rows, factors]
    return bool((gaps > -0.9 * log(torch.finfo(gaps.dtype).tiny)).any())


def _messages_in_logs(trains: Trains, arriving: Sequence[Tensor]) -> list[Tensor]:
    """The same, slower, with sums of logs."""
    cores = [safe_log(core) for core in trains.cores]
    weighed = [core + vector[:, :, None, :, None] for core, vector in zip(cores, arriving, strict=True)]
    steps = [soft_along(each, 3, 1.0).squeeze(3) for each in weighed]  # [rows, factors, left, right]
    left = right = arriving[0].new_zeros(*arriving[0].shape[:2], 1)
    lefts, rights = [left], [right]
    for step in steps[:-1]:
        lefts.append(soft_along(lefts[-1].unsqueeze(3) + step, 2, 1.0).squeeze(2))
    for step in reversed(steps[1:]):
        rights.append(soft_along(rights[-1].unsqueeze(2) + step, 3, 1.0).squeeze(3))
    return [
        soft_along(soft_along(before[..., None, None] + core + after[:, :, None, None], 4, 1.0), 2, 1.0)[:, :, 0, :, 0]
        for before, core, after in zip(lefts, cores, reversed(rights), strict=True)
    ]


def _linear(arriving: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Messages as numbers of at most 1, and the logs they were divided by; what is all zeros stays so."""
    tops = [message.detach().amax(-1) for message in arriving]
    peaks = [torch.where(torch.isneginf(top), 0.0, top) for top in tops]
    return [(m - peak.unsqueeze(-1)).exp() for m, peak in zip(arriving, peaks, strict=True)], peaks


def _swept(steps: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What has been multiplied before each step, `[rows, factors, states]`, scaled, with the log of its scale."""
    vector = steps[0].new_ones(*steps[0].shape[:2], 1)
    total = steps[0].new_zeros(steps[0].shape[:2])
    found = [(vector, total)]
    for step in steps[:-1]:
        vector = (step @ vector.unsqueeze(-1)).squeeze(-1)
        peak = vector.detach().amax(-1).clamp_min(torch.finfo(vector.dtype).tiny)
        vector, total = vector / peak.unsqueeze(-1), total + peak.log()
        found.append((vector, total))
    return found


def train_joint(trains: Trains, arriving: Sequence[Tensor], number: int, axes: Sequence[int]) -> Tensor:
    """The belief of one wide factor about the variables at some places, up to a constant, `[rows, *sizes]`.

    Args:
        trains, arriving: as for `train_messages`.
        number: which factor.
        axes: places in its scope, in rising order.
    """
    own_arriving = [message[:, number : number + 1] for message in arriving]
    if _far(own_arriving):
        return _joint_in_logs(trains, own_arriving, number, axes)
    vectors, _ = _linear(own_arriving)
    table = vectors[0].new_ones(len(vectors[0]), 1, 1)  # [rows, states so far, left]
    for place, (core, vector) in enumerate(zip(trains.cores, vectors, strict=True)):
        own = core[:, number if core.shape[1] > 1 else 0].expand(len(vector), -1, -1, -1)
        if place in axes:
            table = torch.einsum("rai,risj,rs->rasj", table, own, vector[:, 0]).flatten(1, 2)
        else:
            table = torch.einsum("rai,risj,rs->raj", table, own, vector[:, 0])
        table = table / table.amax((1, 2), keepdim=True).clamp_min(torch.finfo(table.dtype).tiny)
    return table.reshape(len(table), *(trains.sizes[axis] for axis in axes))


def _joint_in_logs(trains: Trains, arriving: Sequence[Tensor], number: int, axes: Sequence[int]) -> Tensor:
    """The same, slower, with sums of logs."""
    table = arriving[0].new_zeros(len(arriving[0]), 1, 1)  # [rows, states so far, left]
    for place, (core, message) in enumerate(zip(trains.cores, arriving, strict=True)):
        own = safe_log(core[:, number if core.shape[1] > 1 else 0]) + message[:, 0, None, :, None]
        table = soft_along(table[:, :, :, None, None] + own.unsqueeze(1), 2, 1.0).squeeze(2)  # [..., size, right]
        table = table.flatten(1, 2) if place in axes else soft_along(table, 2, 1.0).squeeze(2)
    table = (table - table.detach().amax((1, 2), keepdim=True).clamp_min(torch.finfo(table.dtype).min)).exp()
    return table.reshape(len(table), *(trains.sizes[axis] for axis in axes))
