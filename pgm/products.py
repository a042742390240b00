"""Answers by matrix products: the torch executor applied to evidence, for any task, device and batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .execute import Chooser, Upward, downward, log_total, trace, upward
from .plan import NONE, Leaf, Plan, Tree
from .semiring import LOG_SUM, SUM, Semiring
from .tape import Layout


class Products:
    """One plan over given tables; every method takes a batch of evidence rows.

    Args:
        plan, layout: the plan and where its evidence lies.
        tables: one tensor a term, `[*scope]`, or `[rows, *scope]` where none of it is observed; gradients flow back
            into them from `log_evidence`.
        logs: work in logarithms throughout: slower, and nothing underflows.
    """

    def __init__(self, plan: Plan, layout: Layout, tables: Sequence[Tensor], logs: bool = False) -> None:
        self.plan, self.layout, self.logs = plan, layout, logs
        self.tables = [_log(table) for table in tables] if logs else list(tables)
        self.like = tables[0] if tables else torch.zeros(0, dtype=torch.float64)

    def log_evidence(self, states: Tensor, soft: Tensor) -> Tensor:
        """`[rows]`, differentiable in the tables and in the likelihoods.

        Args:
            states: `[rows, observed]` state numbers.
            soft: `[rows, width]` likelihood vectors laid end to end.
        """
        total = self.like.new_zeros(len(states))
        for tree in self.plan.trees:
            if tree.evidence:
                total = total + log_total(tree, self._up(tree, states, soft), self._ring)
        return total

    def answers(self, states: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        """The log evidence `[rows]` and the normalised answers `[rows, width]`."""
        rows = len(states)
        total = self.like.new_zeros(rows)
        flat = self.like.new_zeros(rows, self.layout.answers[-1])
        for tree in self.plan.trees:
            run = self._up(tree, states, soft)
            if tree.evidence:
                total = total + log_total(tree, run, self._ring)
            if tree.reads:
                self._read(tree, run, flat)
        for place, target in enumerate(self.plan.query.targets):
            if len(target) == 1 and target[0] in self.layout.columns:
                column = self.layout.answers[place] + states[:, self.layout.columns[target[0]]]
                flat[torch.arange(rows, device=flat.device), column] = 1.0
        return total, flat

    def traced(self, states: Tensor, soft: Tensor, choose: Chooser, maximum: bool) -> tuple[Tensor, dict[int, Tensor]]:
        """The log evidence (or maximum) `[rows]`, and for each chosen variable its states `[rows]`."""
        rows, chosen = len(states), {v: states[:, column] for v, column in self.layout.columns.items()}
        total = self.like.new_zeros(rows)
        for tree in self.plan.trees:
            run = self._up(tree, states, soft)
            total = total + log_total(tree, run, self._ring)
            chosen |= trace(tree, run, self.plan.sizes, rows, choose, self.logs, maximum)
        return total, chosen

    @property
    def _ring(self) -> Semiring:
        return LOG_SUM if self.logs else SUM

    def _up(self, tree: Tree, states: Tensor, soft: Tensor) -> Upward:
        leaves = [self._leaf(leaf, states, soft) for leaf in tree.leaves]
        return upward(tree, leaves, self.plan.sizes, self._ring)

    def _leaf(self, leaf: Leaf, states: Tensor, soft: Tensor) -> Tensor:
        """A term's table at the observed states, `[rows or 1, *scope]`."""
        sizes, terms, columns = self.plan.sizes, len(self.layout.scopes), self.layout.columns
        if leaf.source == NONE:
            ones = self.like.new_ones(1, *(sizes[v] for v in leaf.scope))
            return ones.log() if self.logs else ones
        if leaf.source >= terms:
            v = leaf.source - terms
            low = self.layout.soft[v]
            values = soft[:, low : low + sizes[v]]
            if v in columns:  # the plan is sliced over it
                values = values.gather(1, states[:, columns[v], None]).squeeze(1)
            return _log(values) if self.logs else values
        scope, table = self.layout.scopes[leaf.source], self.tables[leaf.source]
        seen = [v for v in scope if v in columns]
        if not seen:
            return table if table.dim() > len(scope) else table.unsqueeze(0)
        moved = table.permute([scope.index(v) for v in (*seen, *leaf.scope)])
        return moved[tuple(states[:, columns[v]] for v in seen)]

    def _read(self, tree: Tree, run: Upward, flat: Tensor) -> None:
        """Write the normalised answers of one tree into the rows of `flat`."""
        adjoint = downward(tree, run, self.plan.sizes, self._ring)
        for each in tree.reads:
            values = self._product(run.tensors[each.tensor], adjoint[each.tensor])
            target = [v for v in self.plan.query.targets[each.target] if v not in self.layout.columns]
            scope = tree.scopes[each.tensor]
            gone = tuple(axis + 1 for axis, v in enumerate(scope) if v not in target)
            values = values.sum(gone) if gone else values
            kept = [v for v in scope if v in target]
            values = values.permute(0, *(kept.index(v) + 1 for v in target)).reshape(len(values), -1)
            low, high = self.layout.answers[each.target], self.layout.answers[each.target + 1]
            flat[:, low:high] = values / values.sum(1, keepdim=True)

    def _product(self, tensor: Tensor, adjoint: Tensor) -> Tensor:
        """Unnormalised joint probabilities, `[rows, *scope]`, each row up to a factor."""
        if not self.logs:
            return tensor * adjoint
        logs = tensor + adjoint
        peak = logs.reshape(len(logs), -1).max(1).values.clamp_min(torch.finfo(logs.dtype).min)
        return (logs - peak.reshape(-1, *[1] * (logs.dim() - 1))).exp()


def _log(table: Tensor) -> Tensor:
    """Logarithms with -inf, and gradient zero instead of NaN, at exact zeros."""
    safe = torch.where(table > 0, table, torch.ones_like(table))
    return torch.where(table > 0, safe.log(), torch.full_like(table, -torch.inf))


def largest(weights: Tensor) -> Tensor:
    """The chooser of the most probable explanation."""
    return weights.argmax(1)


def at_random(generator: torch.Generator) -> Chooser:
    """The chooser of exact samples: in proportion to the weights."""

    def choose(weights: Tensor) -> Tensor:
        return torch.multinomial(weights, 1, generator=generator).squeeze(1)

    return choose
