"""Running a plan as batched matrix products in torch: any device, any batch, differentiable.

Tensors have shape `[rows or 1, *scope]`. In linear arithmetic each result is divided by its own maximum, row by row,
and the logarithm is carried along; exact zeros stay zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from .plan import NONE, Step, Tree
from .semiring import SUM, Semiring

_LOSING, _DOUBTFUL = -0.05, -0.6  # of the logarithm of the largest number
Chooser = Callable[[Tensor], Tensor]  # weights [rows, choices] -> the index chosen in each row


@dataclass(frozen=True, eq=False)
class Upward:
    """What the upward pass leaves: every tensor, and the logarithm taken out below each root.

    Args:
        tensors: leaves first, then the results of the steps, `[rows or 1, *scope]`.
        log_scale: `[rows or 1]`, what has been divided out of the root.
        doubtful: `[rows or 1]`, whether entries may have been lost that mattered, or a result was no number.
    """

    tensors: list[Tensor]
    log_scale: Tensor
    doubtful: Tensor


def upward(tree: Tree, leaves: Sequence[Tensor], sizes: Sequence[int], semiring: Semiring = SUM) -> Upward:
    """Run all steps of a tree.

    Args:
        tree: the contraction tree.
        leaves: one tensor a leaf, `[rows or 1, *scope]`; logarithms when the semiring works in logs.
        sizes: number of states of each variable.
        semiring: what steps that sum do; steps marked `maximise` maximise.
    """
    tensors: list[Tensor] = []
    log_scale, lost = leaves[0].new_zeros(1), leaves[0].new_zeros(1)
    for leaf in leaves:
        scaled, log_peak, _ = (leaf, log_scale, lost) if semiring.logs else _scaled(leaf)
        log_scale = log_scale if semiring.logs else log_scale + log_peak
        tensors.append(scaled)
    for step in tree.steps:
        ring = Semiring(semiring.logs, True) if step.maximise else semiring
        result = _run(step, tree, tensors, sizes, ring)
        if not semiring.logs:
            result, log_peak, losing = _scaled(result)
            log_scale, lost = log_scale + log_peak, lost + losing
        tensors.append(result)
    return Upward(tensors, log_scale, ~(lost > _DOUBTFUL * math.log(torch.finfo(lost.dtype).max)))


def _scaled(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values divided by their peak, row by row; the peak's logarithm; and the same where it tells of lost entries.

    A peak that small, from operands with peaks of one, means that large entries met small ones; one that is no number
    counts as -inf.
    """
    peak = values.detach().reshape(values.shape[0], -1).max(1).values
    usable = (peak > 0) & torch.isfinite(peak)
    safe = torch.where(usable, peak, torch.ones_like(peak))
    log_peak = safe.log()
    losing = torch.where(log_peak < _LOSING * math.log(torch.finfo(peak.dtype).max), log_peak, torch.zeros_like(peak))
    losing = torch.where(usable | (peak == 0), losing, torch.full_like(peak, -torch.inf))
    return values / safe.reshape(-1, *[1] * (values.dim() - 1)), log_peak, losing


def log_total(tree: Tree, run: Upward, semiring: Semiring) -> Tensor:
    """The log of the root, summed over axes kept in it, `[rows or 1]`; -inf where it is zero or digits are in doubt."""
    root = run.tensors[-1]
    dims = tuple(range(1, root.dim()))
    if semiring.logs:
        return Semiring(logs=True).total(root, dims)
    total = root.sum(dims) if dims else root
    total = torch.where(run.doubtful | ~torch.isfinite(total), torch.zeros_like(total), total)
    safe = torch.where(total > 0, total, torch.ones_like(total))
    return torch.where(total > 0, safe.log() + run.log_scale, torch.full_like(total, -torch.inf))


def _run(step: Step, tree: Tree, tensors: list[Tensor], sizes: Sequence[int], ring: Semiring) -> Tensor:
    left = tensors[step.left]
    scope = tree.scopes[step.left]
    if step.right == NONE:
        gone = tuple(axis + 1 for axis, v in enumerate(scope) if v not in step.scope)
        return ring.total(left, gone)
    cut = split(step, scope, tree.scopes[step.right])
    one = _matrix(left, scope, (cut.both, cut.left, cut.gone), sizes)
    two = _matrix(tensors[step.right], tree.scopes[step.right], (cut.both, cut.gone, cut.right), sizes)
    result = ring.contract(one, two)
    return result.reshape(result.shape[0], *(sizes[v] for v in step.scope))


@dataclass(frozen=True)
class Split:
    """The axes of a step by where they occur: kept in both, kept from left, kept from right, removed."""

    both: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    gone: tuple[int, ...]


def split(step: Step, left: tuple[int, ...], right: tuple[int, ...]) -> Split:
    """Sort the axes of a two-operand step; an axis that is removed occurs in both operands."""
    return Split(
        tuple(v for v in step.scope if v in left and v in right),
        tuple(v for v in step.scope if v not in right),
        tuple(v for v in step.scope if v not in left),
        tuple(v for v in left if v not in step.scope),
    )


def _matrix(tensor: Tensor, scope: tuple[int, ...], groups: Sequence[tuple[int, ...]], sizes: Sequence[int]) -> Tensor:
    """The tensor with its axes grouped: `[rows or 1, *(one axis a group)]`."""
    order = [0, *(scope.index(v) + 1 for group in groups for v in group)]
    return tensor.permute(order).reshape(tensor.shape[0], *(prod(sizes[v] for v in group) for group in groups))


def downward(tree: Tree, run: Upward, sizes: Sequence[int], ring: Semiring = SUM) -> dict[int, Tensor]:
    """The gradient of the root with respect to each tensor that is read, up to a factor a row.

    Keeps the batch axis even into tensors that do not have it, so that rows are never mixed.

    Args:
        tree, run, sizes: a tree, its upward pass and the number of states of each variable.
        ring: `SUM`, or `LOG_SUM` when the upward pass worked in logarithms (then so are the gradients).
    """
    root = run.tensors[-1]
    adjoint = {len(run.tensors) - 1: torch.zeros_like(root) if ring.logs else torch.ones_like(root)}
    asked = {each.tensor for each in tree.reads}
    for number in range(len(tree.scopes) - 1, len(tree.leaves) - 1, -1):
        if tree.wanted[number]:
            above = adjoint[number] if number in asked else adjoint.pop(number)
            above = above if ring.logs else above / _peak(above)
            _push(tree, tree.steps[number - len(tree.leaves)], above, run, adjoint, sizes, ring)
    return adjoint


def _push(
    tree: Tree,
    step: Step,
    above: Tensor,
    run: Upward,
    adjoint: dict[int, Tensor],
    sizes: Sequence[int],
    ring: Semiring,
) -> None:
    """From the result of a step to those of its operands that are wanted."""
    left, left_scope = step.left, tree.scopes[step.left]
    if step.right == NONE:
        if tree.wanted[left]:
            adjoint[left] = _spread(above, step, left_scope, sizes)
        return
    right, right_scope = step.right, tree.scopes[step.right]
    cut = split(step, left_scope, right_scope)
    grouped = _matrix(above, step.scope, (cut.both, cut.left, cut.right), sizes)
    if tree.wanted[left]:
        other = _matrix(run.tensors[right], right_scope, (cut.both, cut.right, cut.gone), sizes)
        adjoint[left] = _unmatrix(ring.contract(grouped, other), (*cut.both, *cut.left, *cut.gone), left_scope, sizes)
    if tree.wanted[right]:
        other = _matrix(run.tensors[left], left_scope, (cut.both, cut.gone, cut.left), sizes)
        down = ring.contract(other, grouped)
        adjoint[right] = _unmatrix(down, (*cut.both, *cut.gone, *cut.right), right_scope, sizes)


def _peak(values: Tensor) -> Tensor:
    peak = values.reshape(values.shape[0], -1).max(1).values.reshape(-1, *[1] * (values.dim() - 1))
    return torch.where(peak > 0, peak, torch.ones_like(peak))


def _spread(above: Tensor, step: Step, scope: tuple[int, ...], sizes: Sequence[int]) -> Tensor:
    """The adjoint of a plain sum: the same value for every state of the summed axes."""
    kept = [v for v in scope if v in step.scope]
    moved = above.permute(0, *(step.scope.index(v) + 1 for v in kept))
    shape = [sizes[v] if v in step.scope else 1 for v in scope]
    return moved.reshape(above.shape[0], *shape).expand(above.shape[0], *(sizes[v] for v in scope))


def _unmatrix(tensor: Tensor, axes: tuple[int, ...], scope: tuple[int, ...], sizes: Sequence[int]) -> Tensor:
    full = tensor.reshape(tensor.shape[0], *(sizes[v] for v in axes))
    return full.permute(0, *(axes.index(v) + 1 for v in scope))


def trace(
    tree: Tree, run: Upward, sizes: Sequence[int], rows: int, choose: Chooser, logs: bool, maximised_only: bool
) -> dict[int, Tensor]:
    """Walk down from the root, choosing the states of what each step removed.

    Args:
        tree, run: a tree and its upward pass.
        rows: number of rows; tensors with one row serve them all.
        choose: picks among the weights `[rows, choices]`: the largest, or a random one in proportion.
        logs: whether the tensors are logarithms.
        maximised_only: leave out what was summed.

    Returns:
        for each variable chosen, its state in each row, `[rows]`.
    """
    states: dict[int, Tensor] = {}
    root = tree.scopes[-1]
    if root:
        _settle(states, root, choose(_linear(_expand(run.tensors[-1], rows).reshape(rows, -1), logs)), sizes)
    for number in range(len(tree.scopes) - 1, len(tree.leaves) - 1, -1):
        step = tree.steps[number - len(tree.leaves)]
        gone = tuple(v for v in tree.scopes[step.left] if v not in step.scope)
        if not gone or (maximised_only and not step.maximise):
            continue
        weights = _slice(run.tensors[step.left], tree.scopes[step.left], gone, states, rows)
        if step.right != NONE:
            other = _slice(run.tensors[step.right], tree.scopes[step.right], gone, states, rows)
            weights = weights + other if logs else weights * other
        _settle(states, gone, choose(_linear(weights.reshape(rows, -1), logs)), sizes)
    return states


def _expand(tensor: Tensor, rows: int) -> Tensor:
    return tensor.expand(rows, *tensor.shape[1:])


def _linear(weights: Tensor, logs: bool) -> Tensor:
    return (weights - weights.amax(1, keepdim=True)).exp() if logs else weights


def _slice(
    tensor: Tensor, scope: tuple[int, ...], gone: tuple[int, ...], states: dict[int, Tensor], rows: int
) -> Tensor:
    """`[rows, *gone]`: the tensor at the chosen states of all its other axes."""
    kept = [v for v in scope if v not in gone]
    moved = _expand(tensor, rows).permute(0, *(scope.index(v) + 1 for v in (*kept, *gone)))
    return moved[(torch.arange(rows, device=tensor.device), *(states[v] for v in kept))]


def _settle(states: dict[int, Tensor], axes: tuple[int, ...], chosen: Tensor, sizes: Sequence[int]) -> None:
    for v in reversed(axes):
        states[v] = chosen % sizes[v]
        chosen = chosen // sizes[v]
