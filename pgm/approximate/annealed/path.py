"""From independent variables to a field and back: weights with some variables summed out, and the moves between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...fields.blocks import Block, Blocks
from ...fields.field import Field, Group, Trains
from ..gibbs.sweep import Sweeper
from .dense import Dense, dense


@dataclass(frozen=True, eq=False)
class Tempered:
    """The distributions p(x) proportional to exp(constant + unary) prod_f f(x_f)^power of all powers.

    The variables of one colour, those that meet the most factors, are summed out of all weights: given the others they
    are independent.

    Args:
        field: at power 1.
    """

    field: Field

    @cached_property
    def sweeper(self) -> Sweeper:
        """Gibbs sweeps, for fields that are not dense."""
        return Sweeper(self.field)

    @cached_property
    def _bare(self) -> Blocks:
        """Blocks of the factors alone."""
        return Blocks(replace(self.field, unary=torch.zeros_like(self.field.unary)))

    @cached_property
    def _dense(self) -> tuple[Dense | None, ...]:
        return tuple(dense(self.field, block) for block in self._bare.all)

    @cached_property
    def _summed(self) -> Tensor:
        """Whether each variable is summed out, `[variables]`."""
        colour = self._bare.colour
        met = torch.zeros_like(colour)
        for part in self.field.parts:
            scopes = colour[part.scopes].flatten()
            met = met.index_add(0, scopes, torch.ones_like(scopes))
        size = torch.zeros_like(colour).index_add(0, colour, torch.ones_like(colour))
        found: Tensor = colour == (met * (len(colour) + 1) + size).argmax()
        return found

    @cached_property
    def _rest(self) -> Field:
        """The factors without summed variables, and no other log weights."""
        field, none = self._bare.field, torch.zeros_like(self.field.unary)
        parts = [_those(part, ~self._summed[part.scopes].any(1)) for part in field.parts]
        groups = tuple(part for part in parts if isinstance(part, Group) and len(part))
        trains = tuple(part for part in parts if isinstance(part, Trains) and len(part))
        return Field(field.sizes, none, groups, trains)

    def log_weight(self, states: Tensor, power: float = 1.0) -> Tensor:
        """The log of the sum over what is summed out, without log weights of other single states, `[rows, chains]`."""
        return self._weighed(states, (power,))[0][0]

    def moved(self, states: Tensor, old: float, new: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """States after a sweep at a new power, and by how much their log weights grew from the old to the new one."""
        (before, after), drawn = self._weighed(states, (old, new), generator)
        return self.swept(drawn, new, generator), after - before

    def swept(self, states: Tensor, power: float, generator: torch.Generator) -> Tensor:
        """States after a Gibbs sweep at a power."""
        if any(each is None for each in self._dense):
            return self.sweeper.sweep(states, 1, power, generator=generator)
        for number, block in enumerate(self._bare.all):
            if not bool(self._summed[block.variables[0]]):
                logits = self._unary(block) + power * self._around(number, states)
                states = _redrawn(states, block, logits, generator)
        return states

    def drawn(self, states: Tensor, generator: torch.Generator) -> Tensor:
        """States in which what is summed out is drawn given the rest, at power 1."""
        return self._weighed(states, (1.0,), generator)[1]

    def _weighed(
        self, states: Tensor, powers: tuple[float, ...], generator: torch.Generator | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """The log weights at some powers; with a generator, what is summed out is drawn at the last of them."""
        rest = self._rest.log_weight(states)  # [rows, chains]
        totals = [power * rest for power in powers]
        for number, block in enumerate(self._bare.all):
            if bool(self._summed[block.variables[0]]):
                around, logits = self._around(number, states), self._unary(block)
                for k, power in enumerate(powers):
                    logits = self._unary(block) + (around if power == 1 else power * around)
                    totals[k] = totals[k] + _total(logits).sum(-1)
                if generator is not None:
                    states = _redrawn(states, block, logits, generator)
        return totals, states

    def _around(self, number: int, states: Tensor) -> Tensor:
        """The log of the factors around a block, `[rows, chains, variables of the block, size]`."""
        block, found = self._bare.all[number], self._dense[number]
        if found is None:
            return self._bare.logits(block, states)
        return found.around(states).unflatten(2, (-1, block.size))

    def _unary(self, block: Block) -> Tensor:
        field = self.field
        places = field.starts[block.variables][:, None] + torch.arange(block.size, device=field.device)
        return field.unary[:, places].unsqueeze(1)  # [rows, 1, variables of the block, size]


def _those(part: Group | Trains, kept: Tensor) -> Group | Trains:
    """Some of the factors."""
    if isinstance(part, Group):
        return Group(part.scopes[kept], part.logs[:, kept] if part.logs.shape[1] > 1 else part.logs)
    return Trains(part.scopes[kept], tuple(core[:, kept] if core.shape[1] > 1 else core for core in part.cores))


def _total(logits: Tensor) -> Tensor:
    """The logsumexp over the last axis, three times as fast for two states."""
    return torch.logaddexp(logits[..., 0], logits[..., 1]) if logits.shape[-1] == 2 else logits.logsumexp(-1)


def _redrawn(states: Tensor, block: Block, logits: Tensor, generator: torch.Generator) -> Tensor:
    """States with a block drawn from its log weights; where nothing is possible, it is state 0."""
    below = (
        (logits[..., :1] - logits[..., 1:]).sigmoid() if block.size == 2 else logits.softmax(-1).cumsum(-1)[..., :-1]
    )
    level = torch.rand(below.shape[:-1], dtype=below.dtype, device=below.device, generator=generator)
    drawn = (level.unsqueeze(-1) >= below).sum(-1).to(states.dtype)
    return states.index_copy(2, block.variables, drawn)
