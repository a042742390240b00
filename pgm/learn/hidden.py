"""What rows say about numbers that they do not show, exactly: the E-step where some numbers are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..engines.exact import Exact
from ..evidence import Evidence
from ..hybrid.canonical import Canonical, axes, places
from ..hybrid.cases import Case
from ..hybrid.prepare import Run, known_cases, like, prepared, query_of, reads_of
from ..hybrid.problem import reduced
from ..hybrid.run import Gradient, gradients
from ..model import Model
from .count import Beliefs, Numbers, Scope
from .expect import NUMBERS, Expectation, FiniteExpectation, blocks, require_possible
from .statistics import learnable


def expectations(model: Model, evidence: Evidence, weights: Tensor) -> list[Expectation]:
    """All rows of the data, ready to be asked: those that show all numbers, and the rest."""
    partial = torch.zeros(evidence.rows, dtype=torch.bool)
    for v in (v for v, variable in enumerate(model.variables) if not variable.finite):
        partial |= evidence.real[v].isnan().reshape(evidence.rows, -1).any(1).cpu() if v in evidence.real else True
    whole, rest = (~partial).nonzero().squeeze(1).numpy(), partial.nonzero().squeeze(1).numpy()
    found: list[Expectation] = []
    if len(whole):
        found += [FiniteExpectation(model, block) for block in blocks(model, _some(evidence, whole), weights[whole])]
    return [*found, *_hybrid(model, evidence, weights, rest)]


def _some(evidence: Evidence, rows: np.ndarray) -> Evidence:
    hard = {v: states[rows] for v, states in evidence.hard.items()}
    return Evidence(hard, {}, len(rows), True, {v: numbers[rows] for v, numbers in evidence.real.items()})


def _hybrid(model: Model, evidence: Evidence, weights: Tensor, rows: np.ndarray) -> Iterator[HybridExpectation]:
    """Rows that miss numbers, as cases of rows that miss the same."""
    width = max(prod(v.size for v in t.scope if v.finite) * _length(t.scope) ** 2 for t in model.terms)
    at_once = max(1, NUMBERS // (4 * width))
    for part in np.array_split(rows, -(-len(rows) // at_once)) if len(rows) else ():
        for case in known_cases(model, _some(evidence, part), like(model, Exact())):
            yield HybridExpectation(model, case, part[case.rows], weights[part[case.rows]])


def _length(scope: Scope) -> int:
    return 1 + sum(prod(v.shape) for v in scope if not v.finite)


@dataclass(frozen=True, eq=False)
class HybridExpectation:
    """Rows that miss the same states and numbers.

    Args:
        model: conditionals that are tables or linear and Gaussian once the rest is known.
        case: what the rows show.
        rows: which rows of the data these are.
        weights: how much each counts.
    """

    model: Model
    case: Case
    rows: np.ndarray
    weights: Tensor

    @cached_property
    def holes(self) -> tuple[str, ...]:
        """The variables that some row misses."""
        return tuple(v.name for v in self.model.variables if not self.case.knows(self.model.graph.numbers[v.name]))

    @cached_property
    def scopes(self) -> tuple[tuple[int, ...], ...]:
        """The families that are learned, as variable numbers."""
        number = self.model.graph.numbers
        copies = [copy for tie in learnable(self.model) for copy in tie.copies]
        return tuple(tuple(number[v.name] for v in copy.scope) for copy in copies)

    @torch.no_grad()
    def run(self) -> tuple[Beliefs, Tensor]:
        """What is known of the rows, and the log evidence of each."""
        model, case, engine = self.model, self.case, Exact()
        reads = reads_of(self.scopes, case)
        problem = reduced(model, case, range(len(model.variables)), like(model, engine))
        run = prepared(problem, engine, query_of("marginal", self.scopes, case), reads)
        leaves = run.factors()
        logs, found = gradients(run.program, leaves, run.rows)
        require_possible(logs, self.rows)
        gradient = {i: (g.cpu(), h.cpu(), k.cpu()) for i, (g, h, k) in found.items()}
        read = {scope: (leaves[i], gradient[i]) for scope, i in zip(reads, run.program.reading, strict=True)}
        return self._beliefs(run, read), logs.cpu()

    def _beliefs(self, run: Run, read: dict[tuple[int, ...], tuple[Canonical, Gradient]]) -> Beliefs:
        model, case = self.model, self.case
        seen = {model.variables[v].name: states.cpu() for v, states in case.hard.items()}
        for v, values in case.values.items():
            if case.knows(v):
                seen[model.variables[v].name] = values.reshape(-1, *model.variables[v].shape).double().cpu()
        states: dict[Scope, Tensor] = {}
        numbers: dict[Scope, Numbers] = {}
        for scope in self.scopes:
            hidden = tuple(v for v in scope if not case.knows(v))
            variables = tuple(model.variables[v] for v in scope)
            if not hidden:
                continue
            marginal = Marginal(run, hidden, *read[hidden])
            states[tuple(v for v in variables if v.finite and v.name not in seen)] = marginal.states
            if len(hidden) > len(marginal.finite):
                numbers[variables] = marginal.numbers([v for v in scope if not model.variables[v].finite])
        return Beliefs(self.weights, seen, states, numbers)


@dataclass(frozen=True, eq=False)
class Marginal:
    """The posterior of what is hidden in one family, from the gradient in the leaf that holds it."""

    run: Run
    hidden: tuple[int, ...]
    leaf: Canonical
    gradient: Gradient

    @cached_property
    def finite(self) -> list[int]:
        """The hidden finite variables, in the order of the family."""
        return [v for v in self.hidden if v not in self.run.program.blocks]

    @cached_property
    def states(self) -> Tensor:
        """Their probabilities, `[rows, joint states]`."""
        return self._over(self.gradient[0])

    def _over(self, values: Tensor) -> Tensor:
        """Values `[rows, *leaf, ...]` summed to the joint states of the family's own, `[rows, joint states, ...]`."""
        gone = [axis + 1 for axis, v in enumerate(self.leaf.finite) if v not in self.finite]
        values = values.sum(gone) if gone else values
        kept = axes(values, [v for v in self.leaf.finite if v in self.finite], self.finite)
        return kept.reshape(len(kept), -1, *kept.shape[1 + len(self.finite) :])

    def numbers(self, family: list[int]) -> Numbers:
        """The numbers of the family's numeric variables side by side, given each joint state of its finite ones."""
        blocks, case = self.run.program.blocks, self.run.problem.case
        place, _ = places(self.leaf.numeric, blocks)
        own = [i for v in family if case.hidden[v] for i in place[v][blocks[v].dual :][: blocks[v].primal]]
        weight = self.states.clamp(min=torch.finfo(self.states.dtype).tiny)
        mean = self._over(self.gradient[1])[..., own] / weight.unsqueeze(-1)
        second = self._over(self.gradient[2])[..., own, :][..., own]
        second = -(second + second.mT) / weight[..., None, None]
        return self._whole(family, mean, second - mean.unsqueeze(-1) * mean.unsqueeze(-2))

    def _whole(self, family: list[int], mean: Tensor, covariance: Tensor) -> Numbers:
        """With the numbers that are seen, which have no variance, in their places."""
        case, center = self.run.problem.case, self.run.center
        lengths = {v: prod(self.run.problem.model.variables[v].shape) for v in family}
        n = sum(lengths.values())
        whole = mean.new_zeros(*mean.shape[:2], n)
        where, low, given = [], 0, 0
        for v in family:
            hidden = list(case.hidden[v])
            if v in case.values:
                whole[..., low : low + lengths[v]] = case.values[v].to(mean).unsqueeze(1)
            if hidden:
                beyond = mean[..., given : given + len(hidden)]
                whole[..., [low + i for i in hidden]] = center[v].cpu().unsqueeze(1) + beyond
            where += [low + i for i in hidden]
            low, given = low + lengths[v], given + len(hidden)
        spread = mean.new_zeros(*mean.shape[:2], n, n)
        index = torch.tensor(where)
        spread[..., index.unsqueeze(1), index] = covariance
        return Numbers(whole, spread)
