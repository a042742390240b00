"""Exact sums over one cluster of variables, for all clusters of the same shape at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2, prod

import torch
from torch import Tensor

from ...contraction import contract
from ...errors import PlanError
from ...execute import Upward, downward, log_total, upward
from ...order import search_order
from ...plan import Leaf, Tree, space
from ...semiring import LOG_SUM, SUM, Semiring

WIDEST = 2.0**22  # joint states that may have to be looked at together


@dataclass(frozen=True)
class Shape:
    """The structure of a cluster: the tables whose product is its distribution.

    Args:
        sizes: number of states of its variables.
        scopes: the variables of each table, by their place in the cluster; each variable is in one.
    """

    sizes: tuple[int, ...]
    scopes: tuple[tuple[int, ...], ...]

    @property
    def single(self) -> bool:
        """Whether one table of one variable is all there is."""
        return self.scopes == ((0,),)

    @property
    def tables(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each table."""
        return tuple(tuple(self.sizes[v] for v in scope) for scope in self.scopes)

    @property
    def widths(self) -> list[int]:
        """The number of entries of each table."""
        return [prod(table) for table in self.tables]

    @cached_property
    def tree(self) -> Tree:
        """How to sum over all joint states."""
        leaves = [Leaf(number, scope) for number, scope in enumerate(self.scopes)]
        order = search_order(self.sizes, self.scopes)
        tree = contract(leaves, self.sizes, order, targets=tuple(enumerate(self.scopes)))
        widest = max((space(tree.widest(step), self.sizes) for step in tree.steps), default=1.0)
        if widest > WIDEST:
            raise PlanError(
                f"MeanField: a cluster of {len(self.sizes)} variables has cliques of 2^{log2(widest):.0f} joint states "
                f"(limit 2^{log2(WIDEST):.0f}); cut it into smaller clusters."
            )
        return tree

    def solve(self, logits: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """log of the sum over joint states of exp of all tables, and the probabilities of each table's scope.

        Args:
            logits: one table of logs a scope, `[batch, *sizes of the scope]`.

        Returns:
            `[batch]`, and like `logits`.
        """
        peaks = [table.flatten(1).amax(1).clamp_min(torch.finfo(table.dtype).min) for table in logits]
        scaled = [_spread(table, -peak) for table, peak in zip(logits, peaks, strict=True)]
        total, found = self._solve([table.exp() for table in scaled], SUM)
        lost = total.isneginf()
        if bool(lost.any()):  # everything underflowed
            total[lost], rescued = self._solve([table[lost] for table in scaled], LOG_SUM)
            for table, rescue in zip(found, rescued, strict=True):
                table[lost] = rescue
        return total + torch.stack(peaks).sum(0), found

    def _solve(self, leaves: list[Tensor], ring: Semiring) -> tuple[Tensor, list[Tensor]]:
        run = upward(self.tree, leaves, self.sizes, ring)
        adjoint = downward(self.tree, run, self.sizes, ring)
        found = [self._read(each.target, each.tensor, run, adjoint[each.tensor], ring) for each in self.tree.reads]
        return log_total(self.tree, run, ring), found

    def _read(self, target: int, tensor: int, run: Upward, adjoint: Tensor, ring: Semiring) -> Tensor:
        """The probabilities of one table's scope."""
        held, wanted = self.tree.scopes[tensor], self.scopes[target]
        if ring.logs:
            logs = run.tensors[tensor] + adjoint
            joint = _spread(logs, -logs.flatten(1).amax(1)).exp()
        else:
            joint = run.tensors[tensor] * adjoint
        gone = tuple(axis + 1 for axis, v in enumerate(held) if v not in wanted)
        joint = joint.sum(gone) if gone else joint
        kept = [v for v in held if v in wanted]
        joint = joint.permute(0, *(kept.index(v) + 1 for v in wanted))
        return _spread(joint, 1 / joint.flatten(1).sum(1), torch.mul)


def _spread(tables: Tensor, numbers: Tensor, combine=torch.add) -> Tensor:  # type: ignore[no-untyped-def]
    """Tables `[batch, ...]` with one number each added."""
    return combine(tables, numbers.reshape(-1, *[1] * (tables.dim() - 1)))
