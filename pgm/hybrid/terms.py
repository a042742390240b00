"""What a conditional or potential says once some of its variables are observed: a table, or a linear relation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from ..conditionals import Conditional, Deterministic
from ..counts import Tallied
from ..energies import Quadratic
from ..errors import PlanError
from ..gaussians import GaussianConditional
from ..model import Model
from ..point import Point
from ..terms import Local
from .canonical import Canonical, apply, table
from .cases import Case

SAMPLERS = "engine=SVI(), NUTS() or Importance()"


@dataclass(frozen=True, eq=False)
class Relation:
    """A Gaussian conditional as its residual, r = sum over v of maps[v] @ x[v] + offset, which is N(0, root root').

    Args:
        finite: numbers of the finite variables that choose, one axis each.
        child: whose conditional it is.
        maps: for each numeric variable with hidden numbers its matrix, `[rows, *finite, d, hidden]`.
        offset: what is known, `[rows, *finite, d]`.
        reach: how large the numbers are that the offset is a sum of, in the same shape.
        root: shape `[rows, *finite, d, d]`.
        order: the residuals of hidden numbers, then those of observed ones.
    """

    finite: tuple[int, ...]
    child: int
    maps: Mapping[int, Tensor]
    offset: Tensor
    reach: Tensor
    root: Tensor
    order: tuple[int, ...]

    @cached_property
    def diagonal(self) -> bool:
        """Whether the root is diagonal for good: one number, or without a gradient that could change that."""
        if self.root.shape[-1] == 1:
            return True
        steps = self.root.detach().diagonal(dim1=-2, dim2=-1)
        return not self.root.requires_grad and not bool((self.root - torch.diag_embed(steps)).any())

    @cached_property
    def spread(self) -> tuple[float, float]:
        """The least and the largest variance of the noise in any direction and state."""
        root = self.root.detach()
        steps = root.diagonal(dim1=-2, dim2=-1) if self.diagonal else torch.linalg.svdvals(root)
        least, most = steps.square().aminmax()
        return float(least), float(most)


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads the terms of a model for one case of evidence, in one precision and on one device."""

    model: Model
    case: Case
    like: Tensor

    def read(self, term: Local) -> Canonical | Relation:
        """The term as exact inference takes it.

        Raises:
            PlanError: when the term depends on hidden numbers in a way that is neither linear nor Gaussian.
        """
        hidden = [v for v in self._scope(term) if self.case.hidden.get(v)]
        if isinstance(term, GaussianConditional) and (hidden or term.singular):
            return self._regression(term)
        if not hidden:
            return self._table(term)
        if isinstance(term, Quadratic):
            return self._quadratic(term)
        partly = next((v for v in hidden if v in self.case.values), None)
        if partly is not None:
            raise PlanError(
                f"{term!r}: {self._name(partly)!r} is observed in part only, which needs a linear-Gaussian dependence; "
                f"observe all of its numbers or none, or use {SAMPLERS}."
            )
        if isinstance(term, Conditional) and hidden == [self._scope(term)[-1]]:
            return self._noise(term)
        if isinstance(term, Conditional) and not term.capabilities.has_log_prob:
            term.distribution()  # raises an error that says what to do instead, which no sampler would be
        name = self._name(hidden[0])
        role = "parent" if isinstance(term, Conditional) else "variable"
        raise PlanError(
            f"{term!r}: its {role} {name!r} is numeric and not observed, and the dependence is not linear-Gaussian; "
            f"observe {name!r}, or use {SAMPLERS}."
        )

    def with_computed(self) -> Case:
        """The case in which numeric variables that are functions of observed ones are observed as well."""
        case, number = self.case, self.model.graph.numbers
        for name in self.model.graph.topological:
            v, term = number[name], self.model.conditionals.get(name)
            if not isinstance(term, Deterministic) or term.child.finite or v in case.values:
                continue
            if all(case.knows(number[parent.name]) for parent in term.given):
                value, _ = replace(self, case=case)._called(term, term.draw, len(term.given))
                value = value.reshape(value.shape[0], -1).expand(len(case.rows), -1)
                case = replace(case, values=case.values | {v: value}, hidden=case.hidden | {v: ()})
        return case

    def _scope(self, term: Local) -> list[int]:
        number = self.model.graph.numbers
        return [number[variable.name] for variable in term.scope]

    def _name(self, v: int) -> str:
        return self.model.graph.names[v]

    def _table(self, term: Local) -> Canonical:
        """The logarithms of a term without hidden numbers, one for each state of its unobserved variables."""
        if term.enumerable:
            values = term.factor().ordered(term.scope).to(self.like)
            safe = torch.where(values > 0, values, 1.0).log().masked_fill(values == 0, -torch.inf)
            return table(*self._chosen(self._scope(term), safe))
        if isinstance(term, GaussianConditional | Tallied):
            return table(*self._spread(term))
        logs, finite = self._called(term, term.log_prob, len(term.scope))
        return table(finite, logs.to(self.like))

    def _spread(self, term: Local) -> tuple[tuple[int, ...], Tensor]:
        """The logarithms of a term whose values broadcast: no table of rows times states times numbers is made."""
        scope = self._scope(term)
        free = tuple(v for v in scope if self.model.variables[v].finite and v not in self.case.hard)
        logs = term.log_prob(*(self._along(term, v, free) for v in scope))
        rows = len(self.case.rows) if len(free) < len(scope) else 1
        return free, logs.to(self.like).expand(rows, *(self.model.variables[v].size for v in free))

    def _chosen(self, scope: list[int], values: Tensor) -> tuple[tuple[int, ...], Tensor]:
        """Values `[*scope, *rest]` at the observed states, `[rows, *unobserved, *rest]`, and the unobserved."""
        seen = [v for v in scope if v in self.case.hard]
        free = tuple(v for v in scope if v not in self.case.hard)
        if not seen:
            return free, values.unsqueeze(0)
        rest = range(len(scope), values.dim())
        moved = values.permute([*(scope.index(v) for v in (*seen, *free)), *rest])
        return free, moved[tuple(self.case.hard[v] for v in seen)]

    def _called(self, term: Local, function: Callable[..., Tensor], count: int) -> tuple[Tensor, tuple[int, ...]]:
        """A function of the first values of a term's scope at every state of the unobserved finite ones.

        Returns:
            `[rows, *unobserved, *rest]`, rows being 1 where nothing is observed, and the unobserved.
        """
        scope = self._scope(term)[:count]
        free = tuple(v for v in scope if self.model.variables[v].finite and v not in self.case.hard)
        sizes = [self.model.variables[v].size for v in free]
        rows = len(self.case.rows) if len(free) < len(scope) else 1
        found = function(*(self._values(term, v, free, [rows, *sizes]) for v in scope))
        found = found.expand(rows * prod(sizes), *found.shape[1:]) if scope else found.unsqueeze(0)
        return found.reshape(rows, *sizes, *found.shape[1:]), free

    def _values(self, term: Local, v: int, free: tuple[int, ...], grid: list[int]) -> Tensor:
        """What a variable is at every point of a grid of rows and states, the grid as one axis."""
        event = self.model.variables[v].shape
        return self._along(term, v, free).expand(*grid, *event).reshape(-1, *event)

    def _along(self, term: Local, v: int, free: tuple[int, ...]) -> Tensor:
        """What a variable is along the axes of a grid of rows and states, with length 1 where it does not matter."""
        variable, case, ones = self.model.variables[v], self.case, [1] * len(free)
        if v in free:
            states = torch.arange(variable.size, device=self.like.device)
            return states.reshape([1, *(-1 if v == other else 1 for other in free)])
        if variable.finite:
            return case.hard[v].reshape(-1, *ones)
        weight = next((p for p in term.parameters() if p.is_floating_point()), case.values[v])
        values = case.values[v].to(weight.dtype)
        return values.reshape(len(values), *ones, *variable.shape)

    def _quadratic(self, term: Quadratic) -> Canonical:
        """The potential as a function of its hidden numbers."""
        shift, precision = term.shift.to(self.like), term.precision.to(self.like)
        scope, low = self._scope(term), 0
        free, known, values = [], [], [self.like.new_zeros(1, 0)]
        for v in scope:
            length = prod(self.model.variables[v].shape)
            hidden = self.case.hidden[v]
            seen = [i for i in range(length) if i not in hidden]
            free += [low + i for i in hidden]
            known += [low + i for i in seen]
            if seen:
                values.append(self.case.values[v].to(self.like)[:, seen])
            low += length
        rows = max(len(value) for value in values)
        x = torch.cat([value.expand(rows, -1) for value in values], 1)
        cross = x @ precision[known]  # [rows, columns]
        constant = x @ shift[known] - 0.5 * (cross[:, known] * x).sum(-1)
        numeric = tuple(v for v in scope if self.case.hidden[v])
        return Canonical((), numeric, constant, (shift - cross)[:, free], precision[free][:, free].unsqueeze(0))

    def _regression(self, term: GaussianConditional) -> Relation:
        """A Gaussian conditional: its child less what its parents predict."""
        made, number = term.regression(), self.model.graph.numbers
        finite = [number[v.name] for v in made.finite]
        free, weights = self._chosen(finite, made.weights.to(self.like))
        _, bias = self._chosen(finite, made.bias.to(self.like))
        _, root = self._chosen(finite, made.scale.to(self.like))
        pieces, low = [], 0
        for parent in made.real:
            high = low + prod(parent.shape)
            pieces.append((number[parent.name], -weights[..., low:high, :].mT))
            low = high
        return self._relation(term, free, pieces, bias, root)

    def _relation(
        self, term: Conditional, free: tuple[int, ...], pieces: list[tuple[int, Tensor]], bias: Tensor, root: Tensor
    ) -> Relation:
        """The residual child - bias + sum of matrix @ parent, with what is observed put in."""
        child = self.model.graph.numbers[term.child.name]
        identity = torch.eye(bias.shape[-1]).to(self.like).expand([1] * (len(free) + 1) + [-1, -1])
        maps, offset, reach = {}, -bias, bias.detach().abs()
        for v, matrix in [*pieces, (child, identity)]:
            hidden = list(self.case.hidden[v])
            if hidden:
                maps[v] = matrix[..., hidden]
            if v in self.case.values:
                x = self.case.values[v].to(self.like)
                x = x.reshape(len(x), *[1] * len(free), -1)
                offset = offset + apply(matrix, x)
                reach = reach + apply(matrix.detach().abs(), x.detach().abs())
        order = sorted(range(bias.shape[-1]), key=lambda i: i not in self.case.hidden[child])
        return Relation(free, child, maps, offset, reach, root, tuple(order))

    def _noise(self, term: Conditional) -> Relation:
        """A conditional of a hidden number whose parents are known or finite, where it is Gaussian or certain."""
        made: dict[str, Any] = {}

        def mean_of(*given: Tensor) -> Tensor:
            distribution = term.distribution(*given)
            mean, made["root"] = _gaussian(distribution, term)
            return mean.reshape(*distribution.batch_shape, -1)

        mean, free = self._called(term, mean_of, len(term.given))
        root = made["root"]
        root = root.expand(prod(mean.shape[:-1]), *root.shape[-2:]).reshape(*mean.shape[:-1], *root.shape[-2:])
        return self._relation(term, free, [], mean.to(self.like), root.to(self.like))


def _gaussian(distribution: Distribution, term: Conditional) -> tuple[Tensor, Tensor]:
    """The mean and a square root of the covariance, over the flattened child."""
    length = prod(term.child.shape)
    inner = distribution
    while isinstance(inner, Independent):
        inner = inner.base_dist
    if isinstance(inner, MultivariateNormal):
        return inner.mean, inner.scale_tril
    if isinstance(inner, (Normal, Point)):
        return inner.mean, torch.diag_embed(inner.stddev.reshape(*distribution.batch_shape, length))
    raise PlanError(
        f"{term!r}: {term.child.name!r} is numeric and not observed, and {type(inner).__name__} is not Gaussian; "
        f"observe {term.child.name!r}, or use {SAMPLERS}."
    )
