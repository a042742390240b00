"""Variables that can be updated together: no factor has two of them, so each depends on the others not at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..compiled.colouring import colours
from .field import Field, Group, Trains, chosen


@dataclass(frozen=True, eq=False)
class Touching:
    """One axis of a group of factors, where it meets the variables of a block.

    Args:
        part: the number of the group or the trains in `field.parts`.
        axis: which place of their scopes.
        factors: which of them, `[entries]`.
        slots: which variable of the block each meets, `[entries]`.
    """

    part: int
    axis: int
    factors: Tensor
    slots: Tensor


@dataclass(frozen=True, eq=False)
class Block:
    """Variables of one colour and one number of states.

    Args:
        variables: their numbers, `[variables]`.
        size: the number of states.
        touching: the factors around them.
    """

    variables: Tensor
    size: int
    touching: tuple[Touching, ...]

    def __repr__(self) -> str:
        return f"Block({len(self.variables)} variables of {self.size} states)"


@dataclass(frozen=True, eq=False)
class Blocks:
    """A field cut into blocks, each of which can be updated at once given all others.

    Args:
        field: the field.

    Example:
        >>> from .field import grid
        >>> Blocks(grid(torch.zeros(4, 4, 2), torch.zeros(2, 2))).all
        (Block(8 variables of 2 states), Block(8 variables of 2 states))

    Reference: Gonzalez, Low, Gretton and Guestrin (2011), Parallel Gibbs sampling: from colored fields to thin junction
    trees.
    """

    field: Field

    @cached_property
    def colour(self) -> Tensor:
        """The colour of each variable, `[variables]`."""
        return colour(self.field)

    @cached_property
    def all(self) -> tuple[Block, ...]:
        """The blocks; every variable is in one."""
        key = self.colour * (self._largest + 1) + self.field.sizes
        order = torch.argsort(key, stable=True)
        counts = torch.unique_consecutive(key[order], return_counts=True)[1].tolist()
        return tuple(self._block(variables) for variables in order.split(counts))

    @property
    def _largest(self) -> int:
        return int(self.field.sizes.max()) if self.field.variables else 1

    def _block(self, variables: Tensor) -> Block:
        slot = torch.full((self.field.variables,), -1, device=variables.device)
        slot[variables] = torch.arange(len(variables), device=variables.device)
        touching = []
        for number, part in enumerate(self.field.parts):
            for axis in range(part.scopes.shape[1]):
                slots = slot[part.scopes[:, axis]]
                factors = torch.nonzero(slots >= 0).squeeze(1)
                if len(factors):
                    touching.append(Touching(number, axis, factors, slots[factors]))
        return Block(variables, int(self.field.sizes[variables[0]]), tuple(touching))

    def logits(self, block: Block, states: Tensor, temper: Tensor | float = 1.0) -> Tensor:
        """log p(variable | all others) of a block up to a constant, every variable in every draw at once.

        Args:
            block: whose variables.
            states: state numbers of all variables, `[rows, draws, variables]`.
            temper: a power to which all factors of two variables or more are raised, one number or `[draws]`.

        Returns:
            `[rows, draws, variables of the block, size]`.
        """
        field = self.field
        places = field.starts[block.variables][:, None] + torch.arange(block.size, device=field.device)
        around = field.unary.new_zeros(*states.shape[:2], len(block.variables), block.size)
        for touch in block.touching:
            part = field.parts[touch.part]
            found = (
                _table_logits(part, touch, states) if isinstance(part, Group) else _train_logits(part, touch, states)
            )
            around = around.index_add(2, touch.slots, found)
        power = torch.as_tensor(temper, dtype=around.dtype, device=around.device).reshape(-1, 1, 1)
        return field.unary[:, places].unsqueeze(1) + torch.where(torch.isneginf(around), around, power * around)


def colour(field: Field) -> Tensor:
    """The colour of each variable, `[variables]`: no factor has two variables of one colour."""
    scopes = [part.scopes.cpu().numpy() for part in field.parts]
    lengths = np.concatenate([np.zeros(1, np.int64), *(np.full(len(s), s.shape[1]) for s in scopes)])
    members = np.concatenate([np.zeros(0, np.int64), *(s.reshape(-1) for s in scopes)])
    return torch.from_numpy(colours(field.variables, lengths.cumsum(), members)).to(field.device)


def _table_logits(group: Group, touch: Touching, states: Tensor) -> Tensor:
    """The logs of factors along one axis, the others as they are: `[rows, draws, entries, size]`."""
    rows, sizes, axis = len(states), group.sizes, touch.axis
    others = [k for k in range(len(sizes)) if k != axis]
    tables = group.logs.movedim(axis + 2, -1).flatten(2, -2)  # [rows or 1, factors or 1, others, size]
    if tables.shape[1] > 1:
        tables = tables[:, touch.factors]
    strides = [prod(sizes[j] for j in others[i + 1 :]) for i in range(len(others))]
    scopes = group.scopes[touch.factors]
    place = sum(states[:, :, scopes[:, k]].long() * stride for k, stride in zip(others, strides, strict=True))
    assert isinstance(place, Tensor)
    index = place.mT.unsqueeze(-1)  # [rows, entries, draws, 1]
    shape = (rows, len(scopes), index.shape[2], sizes[axis])
    return tables.expand(rows, len(scopes), *tables.shape[2:]).gather(2, index.expand(shape)).transpose(1, 2)


def _train_logits(trains: Trains, touch: Touching, states: Tensor) -> Tensor:
    """The same of wide factors: what is left of the axis times the core times what is right of it."""
    scopes = trains.scopes[touch.factors]
    cores = [core[:, touch.factors] if core.shape[1] > 1 else core for core in trains.cores]
    left = cores[0].new_ones(*states.shape[:2], len(scopes), 1)
    right, total = left, left.new_zeros(left.shape[:3])
    for k in range(touch.axis):
        row = (left.unsqueeze(-2) @ chosen(cores[k], states[:, :, scopes[:, k]])).squeeze(-2)
        left, total = _scaled(row, total)
    for k in reversed(range(touch.axis + 1, len(cores))):
        column = (chosen(cores[k], states[:, :, scopes[:, k]]) @ right.unsqueeze(-1)).squeeze(-1)
        right, total = _scaled(column, total)
    core = cores[touch.axis].expand(len(states), len(scopes), -1, -1, -1)
    weights = torch.einsum("rdfi,rfisj,rdfj->rdfs", left, core, right)
    return weights.log() + total.unsqueeze(-1)


def _scaled(vector: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
    """A vector divided by its peak, whose logarithm is added to the total; what is all zeros stays so."""
    peak = vector.amax(-1).clamp_min(torch.finfo(vector.dtype).tiny)
    return vector / peak.unsqueeze(-1), total + peak.log()
