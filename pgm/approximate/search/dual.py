"""The dual of a field: an upper bound on the weight of all joint states, lowered by sweeps over the variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...compiled.dual import decode, sweep
from ...fields.blocks import Block, Blocks, Touching
from ...fields.field import Field, Group
from .tables import pieces, tables_of


class Dual(Protocol):
    """Messages between the variables and the factors of a field, and the bound that they give.

    The bound is sum_i max_x [unary_i(x) + sum_f delta_fi(x)] + sum_f max_x [log f(x) - sum_i delta_fi(x_i)]: the field
    itself, written with messages delta that cancel, with each maximum taken apart from the others.
    """

    def sweep(self, forward: bool) -> Tensor:
        """One pass over all variables; the bound after it, `[rows]`, never higher than after the pass before."""

    def decode(self, forward: bool) -> Tensor:
        """Joint states, each variable the best given those before it, `[rows, variables]`."""


@dataclass(frozen=True, eq=False)
class Order:
    """In which order the variables of a field are swept.

    Args:
        field: without trains.
        rank: of each variable; those of equal rank share no factor, `[variables]`.
    """

    field: Field
    rank: Tensor

    @cached_property
    def share(self) -> Tensor:
        """What part of its surplus a variable gives to each factor that has others yet to come, `[variables]`."""
        counts = [self.rank.new_zeros(len(self.rank)) for _ in range(2)]
        for group in self.field.groups:
            for count, forward in zip(counts, (True, False), strict=True):
                count.index_add_(0, group.scopes.reshape(-1), self.outward(group, forward).reshape(-1).long())
        return 1 / torch.maximum(*counts).clamp_min(1).to(self.field.dtype)

    def outward(self, group: Group, forward: bool) -> Tensor:
        """Whether a factor has variables after each of its own, `[factors, arity]`."""
        rank = self.rank[group.scopes]
        if forward:
            return rank < rank.amax(1, keepdim=True)
        return rank > rank.amin(1, keepdim=True)


class CompiledDual:
    """The dual of a field on the CPU, one variable after another.

    Args:
        field: without trains.
        rank: the order of the variables, that of their numbers when None.
    """

    def __init__(self, field: Field, rank: Tensor | None = None) -> None:
        order = Order(field, torch.arange(field.variables) if rank is None else rank)
        self.field, self.tables, self.unary = field, tables_of(field), field.unary.detach().numpy()
        self.rank, self.share = order.rank.numpy(), order.share.numpy()
        self.outward = [
            torch.cat([torch.zeros(0, dtype=torch.bool), *(order.outward(g, way).reshape(-1) for g in field.groups)])
            for way in (False, True)
        ]
        self.delta = np.zeros((field.rows, int(self.tables.size.sum())))
        self.peaks = np.zeros((field.rows, field.variables))

    def sweep(self, forward: bool) -> Tensor:
        """One pass over all variables; the bound after it, `[rows]`."""
        for some in self._pieces(forward):
            sweep(self.tables, self.unary, self.delta, some, self.outward[forward].numpy(), self.share, self.peaks)
        assert self.field.constant is not None
        return self.field.constant + torch.from_numpy(self.peaks.sum(1))

    def decode(self, forward: bool) -> Tensor:
        """Joint states, each variable the best given those before it, `[rows, variables]`."""
        states = np.zeros((self.field.rows, self.field.variables), np.int64)
        delta = self.delta.copy()
        for some in self._pieces(forward):
            decode(self.tables, self.unary, delta, some, states)
        return torch.from_numpy(states)

    def _pieces(self, forward: bool) -> list[np.ndarray]:
        order = np.argsort(self.rank, kind="stable")
        return pieces(self.tables, order if forward else order[::-1].copy(), self.field.rows)


class BlocksDual:
    """The dual of a field on any device, all variables of a colour at once.

    Args:
        field: without trains.
    """

    def __init__(self, field: Field) -> None:
        self.field, self.blocks = field, Blocks(field)
        self.order = Order(field, block_rank(self.blocks))
        self.delta = [
            [field.unary.new_zeros(field.rows, len(group), size) for size in group.sizes] for group in field.groups
        ]

    def sweep(self, forward: bool) -> Tensor:
        """One pass over all variables; the bound after it, `[rows]`."""
        assert self.field.constant is not None
        bound = self.field.constant
        for block in self._walk(forward):
            belief, said = self._collected(block, self.delta)
            peak = belief.amax(-1)
            bound = bound + peak.sum(1)
            share = self.order.share[block.variables][:, None]
            surplus = torch.where(belief.isneginf(), torch.inf, share * (belief - peak.unsqueeze(-1)))
            for touch, message in zip(block.touching, said, strict=True):
                outward = self.order.outward(self.field.groups[touch.part], forward)[touch.factors, touch.axis]
                given = surplus[:, touch.slots]
                kept = torch.where(outward[:, None], message - given, message)
                self.delta[touch.part][touch.axis][:, touch.factors] = torch.where(given.isposinf(), torch.inf, kept)
        return bound

    def decode(self, forward: bool) -> Tensor:
        """Joint states, each variable the best given those before it, `[rows, variables]`."""
        states = torch.zeros(self.field.rows, self.field.variables, dtype=torch.long, device=self.field.device)
        delta = [[message.clone() for message in messages] for messages in self.delta]
        for block in self._walk(forward):
            belief, _ = self._collected(block, delta)
            best = belief.argmax(-1)
            states[:, block.variables] = best
            chosen = torch.full_like(belief, torch.inf).scatter(-1, best.unsqueeze(-1), 0.0)
            for touch in block.touching:
                delta[touch.part][touch.axis][:, touch.factors] = chosen[:, touch.slots]
        return states

    def _walk(self, forward: bool) -> Iterator[Block]:
        return iter(self.blocks.all) if forward else reversed(self.blocks.all)

    def _collected(self, block: Block, delta: list[list[Tensor]]) -> tuple[Tensor, list[Tensor]]:
        """The log weights of the states of a block with all that its factors say, and what each of them says."""
        places = self.field.starts[block.variables][:, None] + torch.arange(block.size, device=self.field.device)
        belief = self.field.unary[:, places]  # [rows, variables, size]
        said = [_maxima(self.field.groups[touch.part], touch, delta[touch.part]) for touch in block.touching]
        for touch, message in zip(block.touching, said, strict=True):
            belief = belief.index_add(1, touch.slots, message)
        return belief, said


def block_rank(blocks: Blocks) -> Tensor:
    """The number of each variable's block."""
    rank = torch.zeros_like(blocks.field.sizes)
    for number, block in enumerate(blocks.all):
        rank[block.variables] = number
    return rank


def _maxima(group: Group, touch: Touching, delta: list[Tensor]) -> Tensor:
    """The maxima of factors, less what they say of their other variables, along one axis: `[rows, factors, size]`."""
    some = touch.factors
    total = group.logs[:, some] if group.logs.shape[1] > 1 else group.logs
    for axis, message in enumerate(delta):
        if axis != touch.axis:
            shape = [1] * len(delta)
            shape[axis] = -1
            total = total - message[:, some].reshape(len(message), len(some), *shape)
    others = [axis + 2 for axis in range(len(delta)) if axis != touch.axis]
    return total.amax(others)


def dual_of(field: Field) -> Dual:
    """The dual of a field without trains: compiled on the CPU, in blocks elsewhere."""
    return CompiledDual(field) if field.device.type == "cpu" else BlocksDual(field)
