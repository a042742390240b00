"""What machines learn by: how much less likely the data are than dreams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.errors import PlanError

from .centring import recentre
from .clamped import Clamped, mean_field
from .layers import State
from .machine import Machine

Penalty = Callable[[State], Tensor]
Parts = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]  # terms, means of hidden layers, fields
MEANS = mean_field()


@dataclass(frozen=True, eq=False)
class Contrast:
    """F(data) - F(dreams), whose gradient is that of -log p(data) as far as the dreams are the machine's own.

    Where hidden units are coupled with one another, E(data) - E(dreams) with those of the data inferred.

    Args:
        machine: what learns.
        centring: share of the way that centres go to the means of the data each step; 0 leaves them where they are.
        penalty: a cost of the means of hidden layers at the data, `[rows, units]` by name, such as `sparse()`.
        clamped: how coupled hidden units are inferred.
    """

    machine: Machine
    centring: float = 0.0
    penalty: Penalty | None = None
    clamped: Clamped = MEANS

    def __post_init__(self) -> None:
        if not 0 <= self.centring <= 1:
            raise PlanError(f"centring is {self.centring:g}, expected a share from 0 to 1, such as 0.01.")

    @cached_property
    def hidden(self) -> list[str]:
        return [v.name for v in self.machine.hidden]

    @cached_property
    def visible(self) -> list[str]:
        return [v.name for v in self.machine.visible]

    @cached_property
    def closed(self) -> bool:
        """Whether the sum over the hidden units has a closed form."""
        try:
            self.machine.require_independent(self.hidden)
        except PlanError:
            return False
        return True

    def terms(self, data: State, dreams: State) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The terms of a phase; and the fields of hidden layers in the dreams, where they are independent.

        Args:
            data: what is seen and given, `[rows, numbers]` by name.
            dreams: these, and hidden layers where they are coupled, `[dreams, numbers]` by name.
        """
        terms, means, fields = self._closed(data, dreams) if self.closed else self._inferred(data, dreams)
        if self.penalty is not None:
            cost = self.penalty(means)
            terms = {"loss": next(iter(terms.values())) + cost, **terms, "penalty": cost}
        if self.centring and self.machine.model.training:
            whole = {**data, **means}
            recentre(self.machine, {name: x.detach().mean(0) for name, x in whole.items()}, self.centring)
        return terms, fields

    def _closed(self, data: State, dreams: State) -> Parts:
        known = [v.name for v in (*self.machine.visible, *self.machine.given)]
        both = {name: torch.cat([data[name], dreams[name]]) for name in known}  # one product for the two
        rows = len(data[known[0]])
        sums, fields = self.machine.summed(both, self.hidden)
        needed = fields if self.penalty is not None or self.centring else {}
        means = {name: self.machine.units(name).mean(field[:rows]) for name, field in needed.items()}
        terms = {"free energy gap": sums[rows:].mean() - sums[:rows].mean()}
        return terms, means, {name: field.detach()[rows:] for name, field in fields.items()}

    def _inferred(self, data: State, dreams: State) -> Parts:
        whole, figures = self.clamped(self.machine, data)
        gap = self.machine.score(dreams).mean() - self.machine.score(whole).mean()
        return {"energy gap": gap, **figures}, {name: whole[name] for name in self.hidden}, {}


def sparse(target: float = 0.1, weight: float = 1.0) -> Penalty:
    """A cost of hidden units that are on more often, or less, than they should.

        weight * sum_j (mean of unit j over the data - target)^2

    Args:
        target: how often a unit should be on.
        weight: of this beside the free energies, in nats.

    Raises:
        PlanError: when the target is no share.

    Example:
        >>> sparse(0.5)({"h": torch.tensor([[0.0, 0.5], [0.5, 0.5]])})
        tensor(0.0625)

    Reference: Lee, Ekanadham and Ng (2008), Sparse deep belief net model for visual area V2.
    """

    if not 0 <= target <= 1:
        raise PlanError(f"sparse: target is {target:g}, expected a share from 0 to 1, such as 0.1.")

    def penalty(means: State) -> Tensor:
        return weight * torch.stack([(m.mean(0) - target).square().sum() for m in means.values()]).sum()

    return penalty
