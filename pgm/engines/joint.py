"""A product of terms at given numeric values, its finite variables summed out by the same plans as everything else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from ..conditionals import Conditional
from ..errors import PlanError
from ..graph import Graph, Term
from ..plan import DENSE_BYTES, Plan, Query, Task
from ..products import Products, at_random
from ..semiring import LOG_SUM
from ..slicing import fitting_plan
from ..tape import layout_of
from ..terms import Local
from ..variable import Variable
from .exact import Exact

FEW = 64  # worlds that are summed one by one
Values = Mapping[str, Tensor]  # numeric values by name, [draws, *event]


class Joint:
    """The product of some terms as a function of numeric values, with finite variables summed out exactly.

    Given the numbers every term is a table over the finite variables in it, and one plan, made once, contracts the
    tables of all draws together.

    Args:
        terms: conditionals and potentials.
        certain: conditionals of numeric variables that are computed from others, by child.
        known: what is observed: state numbers `[]` and values `[*event]`, by name.
        likelihoods: vectors over states `[states]`, by name.
        summed: the finite variables to sum over.
        fixed: whether the parameters stay as they are; then tables in which nothing numeric occurs are made once.

    Raises:
        PlanError: when a term has no density, or the finite variables are too entangled to be summed.
    """

    nbytes = 0.0  # it holds plans, no tables

    def __init__(
        self,
        terms: Sequence[Local],
        certain: Mapping[str, Conditional],
        known: Mapping[str, Tensor],
        likelihoods: Mapping[str, Tensor],
        summed: Sequence[Variable],
        fixed: bool = False,
    ) -> None:
        for term in terms:
            if not term.capabilities.has_log_prob:
                raise PlanError(
                    f"{term.subject}: it has no log_prob, which the answer depends on. Ask only for what does not "
                    "depend on it, or use Neural with a density."
                )
        self.terms, self.certain, self.known, self.likelihoods = tuple(terms), certain, known, likelihoods
        self.summed = {v.name: v for v in summed}
        self.scopes = [finite_scope(term.scope, self.summed, certain) for term in self.terms]
        self.fixed, self.kept = fixed, dict[int, Tensor]()
        self.device = next((p.device for term in self.terms for p in term.parameters()), torch.device("cpu"))

    def log_prob(self, values: Values) -> Tensor:
        """The log of the product summed over the finite variables, `[draws]`, differentiable in values and parameters.

        Args:
            values: of all numeric variables that are neither known nor certain.
        """
        if not self.summed:
            return self._tables(values)[0]
        if prod(v.size for v in self.summed.values()) <= FEW:
            return self._over_worlds(values)
        plan = self.plan("log_evidence")
        return torch.cat([self._log_prob(plan, some) for some in self._split(values, plan)])

    def _log_prob(self, plan: Plan, values: Values) -> Tensor:
        single, tables, peaks = self._tables(values)
        total = single + peaks
        rows = _no_evidence(len(total), total)
        found = _products(plan, tables, False).log_evidence(*rows)
        if bool(torch.isneginf(found).any()):
            found = _products(plan, tables, True).log_evidence(*rows)
        return total + found

    def _over_worlds(self, values: Values) -> Tensor:
        """The same by enumeration, in logarithms: where there are few worlds that takes less than a plan."""
        sizes = [v.size for v in self.summed.values()]
        total = torch.zeros(_rows(values), *sizes, dtype=torch.float64, device=self.device)
        for number, scope in enumerate(self.scopes):
            total = total + self._spread(self._logs(number, values), scope)
        for name, vector in self.likelihoods.items():
            total = total + self._spread(vector.log().unsqueeze(0), (name,))
        return LOG_SUM.total(total, tuple(range(1, total.dim())))

    def _spread(self, logs: Tensor, scope: tuple[str, ...]) -> Tensor:
        """`[draws or 1, *scope]` with an axis for every summed variable, in their order."""
        kept = [name for name in self.summed if name in scope]
        moved = logs.permute(0, *(1 + scope.index(name) for name in kept))
        return moved.reshape(len(logs), *(v.size if v.name in scope else 1 for v in self.summed.values()))

    def probabilities(self, values: Values, targets: Sequence[Sequence[Variable]]) -> Tensor:
        """p(target | values) of targets among the summed variables, end to end, `[draws, width]`."""
        plan = self.plan("marginal", targets)
        return torch.cat([self._probabilities(plan, some) for some in self._split(values, plan)])

    def _probabilities(self, plan: Plan, values: Values) -> Tensor:
        single, tables, _ = self._tables(values)
        rows = _no_evidence(len(single), single)
        totals, flat = _products(plan, tables, False).answers(*rows)
        return _products(plan, tables, True).answers(*rows)[1] if bool(torch.isneginf(totals).any()) else flat

    def draw(self, values: Values, rows: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Exact draws of the summed variables given the values, one a draw: state numbers `[draws]` by name."""
        if not self.summed:
            return {}
        plan = self.plan("sample", [tuple(self.summed.values())])
        single, tables, _ = self._tables(values)
        evidence = _no_evidence(rows, single)
        _, chosen = _products(plan, tables, True).traced(*evidence, at_random(generator), False)
        return {name: chosen[v].expand(rows) for v, name in enumerate(self.summed)}

    def computed(self, values: Values, rows: int) -> dict[str, Tensor]:
        """The certain variables at values of all others, `[draws, *event]` by name."""
        found = {**self.known, **values}
        for name, conditional in self.certain.items():  # parents first
            given = [found[v.name].expand([rows, *v.shape]) for v in conditional.given]
            found[name] = conditional.draw(*given).expand([rows, *conditional.child.shape])
        return {name: found[name] for name in self.certain}

    @cached_property
    def graph(self) -> Graph:
        """The finite variables, with a potential for each table."""
        scopes = [scope for scope in self.scopes if scope]
        return Graph(tuple(self.summed.values()), tuple(Term(s) for s in [*scopes, *((n,) for n in self.likelihoods)]))

    @cached_property
    def _memory(self) -> float:
        """Bytes that tables may take."""
        return Exact().bytes_allowed()

    @cached_property
    def _plans(self) -> dict[tuple[Task, tuple[tuple[int, ...], ...]], Plan]:
        return {}

    def plan(self, task: Task, targets: Sequence[Sequence[Variable]] = ()) -> Plan:
        """How the finite variables are summed."""
        scopes = tuple(tuple(self.graph.numbers[v.name] for v in target) for target in targets)
        if (task, scopes) not in self._plans:
            self._plans[task, scopes] = fitting_plan(self.graph, Query(task, scopes), None, self._memory)
        return self._plans[task, scopes]

    def _split(self, values: Values, plan: Plan) -> list[Values]:
        """Values of as many draws at a time as memory allows."""
        at_once = max(1, int(self._memory / (DENSE_BYTES * max(plan.entries, 1.0))))
        if _rows(values) <= at_once:
            return [values]
        parts = zip(*(value.split(at_once) for value in values.values()), strict=True)
        return [dict(zip(values, part, strict=True)) for part in parts]

    def _tables(self, values: Values) -> tuple[Tensor, list[Tensor], Tensor]:
        """The log of the terms without finite variables; the tables of the others divided by their peaks; those."""
        rows = _rows(values)
        single = peaks = torch.zeros(rows, dtype=torch.float64, device=self.device)
        tables = []
        for number, scope in enumerate(self.scopes):
            logs = self._logs(number, values)
            if not scope:
                single = single + logs
                continue
            peak = logs.detach().flatten(1).amax(1).nan_to_num(neginf=0.0)  # [draws or 1]
            peaks = peaks + peak
            tables.append((logs - peak.reshape([-1] + [1] * len(scope))).exp())
        tables += [vector.to(single).unsqueeze(0) for vector in self.likelihoods.values()]
        return single, tables, peaks

    def _logs(self, number: int, values: Values) -> Tensor:
        """The log of one term over the finite variables in it, `[draws or 1, *scope]`."""
        if number in self.kept:
            return self.kept[number]
        term, scope = self.terms[number], self.scopes[number]
        sizes = [self.summed[name].size for name in scope]
        logs = term.log_prob(*(self._value(variable, scope, values) for variable in term.scope)).to(torch.float64)
        logs = logs.expand([logs.shape[0] if logs.dim() > len(sizes) else 1, *sizes])
        if self.fixed and term.enumerable:
            self.kept[number] = logs.detach()
        return logs

    def _value(self, variable: Variable, scope: tuple[str, ...], values: Values) -> Tensor:
        """What a term is given for a variable: it broadcasts to `[draws, *scope, *event]`."""
        name, ones = variable.name, [1] * len(scope)
        if name in self.summed:
            place = scope.index(name)
            return torch.arange(variable.size, device=self.device).reshape([1, *ones[:place], -1, *ones[place + 1 :]])
        if name in self.certain:
            conditional = self.certain[name]
            return conditional.draw(*(self._value(parent, scope, values) for parent in conditional.given))
        if name in self.known:
            return self.known[name].reshape([1, *ones, *variable.shape])
        return values[name].reshape([-1, *ones, *variable.shape])


def _products(plan: Plan, tables: list[Tensor], logs: bool) -> Products:
    return Products(plan, layout_of(plan), tables, logs)


def finite_scope(
    scope: Sequence[Variable], summed: Collection[str], certain: Mapping[str, Conditional]
) -> tuple[str, ...]:
    """The summed variables among those of a scope, or among what its certain ones are computed from."""
    found: dict[str, None] = {}
    for variable in scope:
        if variable.name in summed:
            found[variable.name] = None
        elif variable.name in certain:
            found.update(dict.fromkeys(finite_scope(certain[variable.name].given, summed, certain)))
    return tuple(found)


def _rows(values: Values) -> int:
    """How many draws there are; one where nothing numeric is unknown."""
    return len(next(iter(values.values()))) if values else 1


def _no_evidence(rows: int, like: Tensor) -> tuple[Tensor, Tensor]:
    return like.new_zeros(rows, 0, dtype=torch.int64), like.new_zeros(rows, 0)
