"""Block Gibbs sampling: one layer after the other, all of its units at once where they are independent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pgm.errors import PlanError

from ...potentials.linear import count
from .layers import Layers, State

if TYPE_CHECKING:
    from .machine import Machine

Rule = Callable[[Tensor], Tensor]  # what units do at fields `[*batch, numbers]`


@torch.no_grad()
def sweep(
    machine: Layers,
    state: State,
    layers: Sequence[str],
    fixed: Mapping[str, Tensor] | None = None,
    means: bool = False,
) -> dict[str, Tensor]:
    """A state with some layers drawn anew, each given all the others, in this order.

    Args:
        machine: whose distribution it leaves as it is.
        state: vectors of numbers `[*batch, numbers]`; of the first layer only where its units are coupled.
        layers: names.
        fixed: units that stay as they are, True or 1, `[*batch, numbers]` by name: what is known of a layer.
        means: whether units take their means instead, a round of mean field, which never lowers its bound.

    Reference: Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
    images.
    """
    now, stays = dict(state), fixed or {}
    for name in layers:
        weights, field, units = machine.within(name), machine.field(name, now), machine.units(name)
        units = units.keeping(now[name]) if name in now else units
        rule = units.mean if means else units.draw
        if weights is not None:
            drawn = _one_by_one(rule, now[name], field, weights, stays.get(name))
        else:
            drawn = rule(field)
            if name in stays:
                drawn = torch.where(stays[name].bool(), now[name], drawn)
        now[name] = drawn
    return now


def _one_by_one(rule: Rule, before: Tensor, field: Tensor, weights: Tensor, stays: Tensor | None) -> Tensor:
    """A layer whose units are coupled, each moved given all others; what a move adds to the fields of later units."""
    x, field = before.clone(), field.clone()
    said = weights.movedim(-2, 0)  # [units, *batch, numbers]
    said = said if said.dim() == 2 else said.unsqueeze(-2)  # chains side by side have the weights of their temperature
    for unit in range(x.shape[-1]):
        here, later = slice(unit, unit + 1), slice(unit + 1, None)
        drawn = rule(field[..., here])
        if stays is not None:
            drawn = torch.where(stays[..., here].bool(), x[..., here], drawn)
        field[..., later].addcmul_(drawn - x[..., here], said[unit, ..., later])
        x[..., here] = drawn
    return x


class Chains(nn.Module):
    """States of a machine that go on from step to step, kept with checkpoints.

    Args:
        machine: whose layers they have.
        chains: how many.

    Raises:
        PlanError: when there are none.
    """

    def __init__(self, machine: Machine, chains: int) -> None:
        super().__init__()
        if chains < 1:
            raise PlanError(f"Chains: chains is {chains}, expected 1 or more.")
        self.names = [v.name for v in (*machine.visible, *machine.hidden)]
        for number, name in enumerate(self.names):
            zeros = torch.zeros(chains, count(machine.model[name]), device=machine.device)
            self.register_buffer(f"layer{number}", machine.units(name).draw(zeros))

    @property
    def state(self) -> dict[str, Tensor]:
        """Vectors of numbers by layer, `[chains, numbers]`."""
        return {name: self.get_buffer(f"layer{number}") for number, name in enumerate(self.names)}

    def put(self, state: State) -> None:
        """Go on from there."""
        for name, there in self.state.items():
            there.copy_(state[name])
