"""Chains that are led from independent variables to a field, and from a field back to independent variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...engines.progress import Watched
from ...fields.field import Field
from ..unseen import least_effective, unsure, widened
from .base import softened
from .estimate import Joints, log_mean, weighted
from .path import Tempered

KEPT = 2**24  # state numbers kept for joint probabilities


@dataclass(frozen=True, eq=False)
class Walk:
    """Chains on their way.

    Args:
        states: state numbers, `[rows, chains, variables]`.
        logs: log weights so far, `[rows, chains]`.
        power: of the factors, where they are.
        hurried: whether Ctrl-C made them jump to the end.
    """

    states: Tensor
    logs: Tensor
    power: float
    hurried: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """What weighted chains saw at the end of the way up.

    Args:
        states: where they are now, `[rows, chains, variables]`.
        mean: probabilities of all states of all variables, `[rows, states]`.
        error: their standard errors.
        joints: those of several variables.
    """

    states: Tensor
    mean: Tensor
    error: Tensor
    joints: Joints


@dataclass(frozen=True, eq=False)
class Way:
    """The way up and down between independent variables (power 0) and a field (power 1).

    Exact zeros of factors would have to be 0 at every power but 0, and 1 there: most chains would die in the first
    step, and those left could not move freely. So on the way an exact zero is a small number (`softened`), and a last
    step goes from that field to the true one: it is importance sampling with a proposal that is positive wherever the
    field is, hence unbiased, and a chain that ends in an impossible state has weight 0.

    Args:
        field: its log weights of single states are the independent variables.
        powers: of the factors, from 0 to 1.
        generator: the source of randomness, on the device of the field.
        progress: whether to show a bar when it takes long.
    """

    field: Field
    powers: Sequence[float]
    generator: torch.Generator
    progress: bool

    @cached_property
    def soft(self) -> Tempered:
        """What the chains walk along."""
        return Tempered(softened(self.field))

    @cached_property
    def hard(self) -> Tempered:
        """The field itself at power 1."""
        return self.soft if self.soft.field is self.field else Tempered(self.field)

    def up(self, chains: int) -> Walk:
        """Chains from the independent variables to the field; their mean weight is Z over that of these."""
        states = self.soft.sweeper.start(chains, self.generator)
        logs = self.field.unary.new_zeros(states.shape[:2])
        walk = self._along(Walk(states, logs, self.powers[0]), self.powers[1:], "temperatures up")
        return replace(
            walk, states=self.hard.drawn(walk.states, self.generator), logs=walk.logs + self._hardened(walk.states)
        )

    def down(self, states: Tensor) -> Walk:
        """Chains from samples of the field to the independent variables; their mean weight is one over that ratio."""
        walk = Walk(states, -self._hardened(states), self.powers[-1])
        return self._along(walk, self.powers[-2::-1], "temperatures down")

    def around(self, walk: Walk, sweeps: int) -> Seen:
        """Sweeps at power 1, with the probabilities that weighted chains see on the way."""
        shares, states = log_mean(walk.logs).shares, walk.states
        every = -(-sweeps * states.numel() // KEPT)
        total, kept = self.field.unary.new_zeros(()), []
        with Watched(sweeps, "sweeps", self.progress) as steps:
            for step in steps:
                tally = self.hard.sweeper.tallied(states, 1, generator=self.generator)
                states, total = tally.states, total + tally.sums
                if step % every == 0:
                    kept.append(states)
        mean, error = weighted(shares, total / steps.done)
        least = least_effective(mean, error, states.shape[1] * steps.done)
        joints = Joints(self.field, shares, torch.stack(kept, 2), least)
        return Seen(states, mean, widened(error, least, unsure(self.field)), joints)

    def _hardened(self, states: Tensor) -> Tensor:
        """The last step, from exact zeros softened to the true ones, `[rows, chains]`."""
        if self.hard is self.soft:
            return self.field.unary.new_zeros(states.shape[:2])
        return self.hard.log_weight(states) - self.soft.log_weight(states)

    def _along(self, walk: Walk, powers: Sequence[float], what: str) -> Walk:
        """Chains after all powers, one after another; after Ctrl-C the last one comes at once."""
        with Watched(len(powers), what, self.progress) as steps:
            for step in steps:
                walk = self._to(walk, powers[step])
                steps.say(f"{float(log_mean(walk.logs).effective.min()):.0f} effective chains")
        return replace(self._to(walk, powers[-1]), hurried=True) if steps.interrupted else walk

    def _to(self, walk: Walk, power: float) -> Walk:
        states, gained = self.soft.moved(walk.states, walk.power, power, self.generator)
        return Walk(states, walk.logs + gained, power)


def picked(states: Tensor, shares: Tensor, generator: torch.Generator) -> Tensor:
    """As many chains, drawn by their weights; those of rows where all weights are zero stay."""
    dead = shares.isnan()
    which = torch.where(dead, 1.0, shares).multinomial(states.shape[1], True, generator=generator)
    found = states.gather(1, which[:, :, None].expand_as(states))
    return torch.where(dead[:, :1, None], states, found)
