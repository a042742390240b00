"""Running matrix products for rows of evidence, slice by slice where the plan is sliced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from .plan import Plan
from .products import Products, at_random, largest
from .tape import Layout


@dataclass(frozen=True, eq=False)
class ProductsRunner:
    """A plan with its layout and the tables to use.

    Args:
        plan, layout, tables, logs: as for `Products`.
        rows_at_once: rows run together, so that the memory limit holds.
    """

    plan: Plan
    layout: Layout
    tables: Sequence[Tensor]
    rows_at_once: int
    logs: bool = False

    def answers(self, states: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        """Log evidence `[rows]` and normalised answers, averaged over slices by their weight.

        The answers `[rows, width]` have every axis of every target, whether observed or not.
        """
        totals, flats = zip(*(self._answers(*rows) for rows in self._chunks(states, soft)), strict=True)
        return torch.cat(totals), torch.cat(flats)

    def _answers(self, states: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        total, flat = None, None
        for each in self._slices(states):
            log_weight, values = self._products.answers(each, soft)
            values = widen(self.plan, self.layout, each, values)
            values = torch.where(torch.isinf(log_weight)[:, None], torch.zeros_like(values), values)
            if total is None or flat is None:
                total, flat = log_weight, values
                continue
            both = torch.logaddexp(total, log_weight)
            safe = torch.where(torch.isinf(both), torch.zeros_like(both), both)
            flat = flat * (total - safe).exp()[:, None] + values * (log_weight - safe).exp()[:, None]
            total = both
        assert total is not None  # there is at least one slice
        assert flat is not None
        return total, flat

    def explain(self, states: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        """Log weight `[rows]` and states `[rows, targets]` of the most probable explanation."""
        totals, found = zip(*(self._explain(*rows) for rows in self._chunks(states, soft)), strict=True)
        return torch.cat(totals), torch.cat(found)

    def _explain(self, states: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        best, found = None, None
        for each in self._slices(states):
            total, chosen = self._products.traced(each, soft, largest, maximum=True)
            numbers = self._columns(chosen, len(states))
            if best is None or found is None:
                best, found = total, numbers
                continue
            better = total > best
            best, found = torch.where(better, total, best), torch.where(better[:, None], numbers, found)
        assert best is not None  # there is at least one slice
        assert found is not None
        return best, found

    def draw(self, states: Tensor, soft: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Log evidence and `count` joint samples `[count, targets]` for one row."""
        totals = torch.cat([self._products.log_evidence(each, soft) for each in self._slices(states)])
        weights = torch.softmax(totals, 0).nan_to_num(0.0)
        if count == 0 or not bool(weights.sum() > 0):
            return torch.logsumexp(totals, 0), states.new_zeros(count, len(self._targets))
        slices = torch.multinomial(weights, count, replacement=True, generator=generator)
        shares, found = slices.bincount(minlength=len(totals)), []
        for each, share in zip(self._slices(states), shares.tolist(), strict=True):
            for first in range(0, share, self.rows_at_once):
                rows = min(self.rows_at_once, share - first)
                evidence = each.expand(rows, -1), soft.expand(rows, -1)
                _, chosen = self._products.traced(*evidence, at_random(generator), maximum=False)
                found.append(self._columns(chosen, rows))
        samples = torch.cat(found)
        return torch.logsumexp(totals, 0), samples[torch.randperm(count, generator=generator)]

    def log_evidence(self, states: Tensor, soft: Tensor) -> Tensor:
        """`[rows]`, differentiable in the tables and likelihoods."""
        return torch.cat([self._log_evidence(*rows) for rows in self._chunks(states, soft)])

    def _log_evidence(self, states: Tensor, soft: Tensor) -> Tensor:
        parts = [self._products.log_evidence(each, soft) for each in self._slices(states)]
        return torch.logsumexp(torch.stack(parts), 0) if len(parts) > 1 else parts[0]

    @property
    def _products(self) -> Products:
        return Products(self.plan, self.layout, self.tables, self.logs)

    @property
    def _targets(self) -> list[int]:
        return list(dict.fromkeys(v for target in self.plan.query.targets for v in target))

    def _columns(self, chosen: dict[int, Tensor], rows: int) -> Tensor:
        states = [chosen[v].expand(rows) for v in self._targets]
        return torch.stack(states, 1) if states else torch.zeros(rows, 0, dtype=torch.int64)

    def _chunks(self, states: Tensor, soft: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(states.split(self.rows_at_once), soft.split(self.rows_at_once), strict=True)

    def _slices(self, states: Tensor) -> Iterator[Tensor]:
        """The same rows once for each joint state of the sliced variables, whose columns are filled in."""
        columns = [self.layout.columns[v] for v in self.plan.sliced]
        for world in product(*(range(self.plan.sizes[v]) for v in self.plan.sliced)):
            filled = states.clone()
            for column, state in zip(columns, world, strict=True):
                filled[:, column] = state
            yield filled


def widen(plan: Plan, layout: Layout, states: Tensor, flat: Tensor) -> Tensor:
    """Answers with all axes of joint targets: zeros beside the states of observed and of sliced variables.

    Args:
        plan, layout: whose observed variables `flat` has no axes for in joint targets.
        states: `[rows, observed]` state numbers.
        flat: `[rows, answers]`.
    """
    pieces, rows = [flat.new_zeros(len(flat), 0)], len(flat)
    for place, target in enumerate(plan.query.targets):
        part = flat[:, layout.answers[place] : layout.answers[place + 1]]
        seen = [v for v in target if v in layout.columns] if len(target) > 1 else []
        if seen:
            part = torch.ones_like(part) if len(seen) == len(target) else part
            part = part.reshape(rows, *(1 if v in seen else plan.sizes[v] for v in target))
        for v in seen:
            point = torch.eye(plan.sizes[v], dtype=flat.dtype, device=flat.device)[states[:, layout.columns[v]]]
            part = part * point.reshape(rows, *(plan.sizes[u] if u == v else 1 for u in target))
        pieces.append(part.reshape(rows, -1))
    return torch.cat(pieces, 1)
