"""From evidence to a problem with a program: what every question about a model with numeric variables begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..engines.exact import Exact
from ..evidence import Evidence
from ..plan import Query, Task
from .canonical import Canonical
from .cases import Case, cases
from .leaves import Center, leaves
from .planning import Program, Shape, check_memory, compiled
from .problem import Problem
from .run import Point, downward, grouped, upward
from .terms import Reader

if TYPE_CHECKING:
    from ..model import Model

Scope = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """A problem with its program, and the point around which it is solved."""

    problem: Problem
    program: Program
    center: Center

    @property
    def rows(self) -> int:
        return len(self.problem.case.rows)

    def factors(self) -> list[Canonical]:
        """The leaves of the tree around the centre."""
        late = any(block.late for block in self.problem.blocks.values())
        names = self.problem.model.graph.names
        found = leaves(self.problem.parts, self.center, self.program.maximised, late, names)
        return grouped(self.program, found, self.problem.like)

    def numbers(self, v: int, point: Point) -> Tensor:
        """All numbers of a variable, observed ones included, at a point that was found around the centre."""
        case, length = self.problem.case, prod(self.problem.model.variables[v].shape)
        values = case.values[v].detach() if v in case.values else self.problem.like.new_zeros(1, length)
        values = values.to(self.problem.like).expand(len(case.rows), -1).clone()
        if case.hidden[v]:
            values[:, list(case.hidden[v])] = self.center[v] + point.numbers[v]
        return values


def planned(
    problem: Problem, engine: Exact, query: Query, reads: Sequence[Scope] = (), maximised: frozenset[int] = frozenset()
) -> Program:
    """The program of a problem, kept with the model.

    Raises:
        PlanError: when one row of evidence takes more memory than the engine allows.
    """
    graph, blocks = problem.model.graph, tuple(problem.blocks.items())
    shape = Shape(graph, query, problem.sources, problem.scopes, blocks, tuple(reads), maximised)
    program: Program = problem.model.sessions.get(shape, lambda: compiled(shape))
    check_memory(program, engine.bytes_allowed())
    return program


def prepared(
    problem: Problem, engine: Exact, query: Query, reads: Sequence[Scope] = (), maximised: frozenset[int] = frozenset()
) -> Run:
    """The problem, planned, around a point near the answer: the closer, the fewer digits are lost."""
    program = planned(problem, engine, query, reads, maximised)
    origin = {v: problem.like.new_zeros(1, block.primal) for v, block in problem.blocks.items()}
    start = Run(problem, program, origin)
    if not any(block.primal for block in problem.blocks.values()):
        return start
    with torch.no_grad():
        near = downward(program, upward(program, start.factors()), start.rows, largest)
    return Run(problem, program, origin | {v: x.nan_to_num() for v, x in near.numbers.items()})


def largest(logs: Tensor) -> Tensor:
    """The most probable choice in each row."""
    return logs.argmax(1)


def like(model: Model, engine: Exact) -> Tensor:
    """An empty tensor of the precision and device to work with."""
    first = next(model.parameters(), None)
    device = engine.device or (first.device if first is not None else "cpu")
    return torch.zeros(0, dtype=engine.dtype, device=device)


def reads_of(targets: Sequence[Scope], case: Case) -> list[Scope]:
    """What is not observed of each target, each once."""
    hidden = (tuple(v for v in target if not case.knows(v)) for target in targets)
    return [scope for scope in dict.fromkeys(hidden) if scope]


def query_of(task: Task, targets: Sequence[Scope], case: Case) -> Query:
    """What is asked, for the plan."""
    observed = frozenset(v for v in (*case.hard, *case.values) if case.knows(v))
    return Query(task, tuple(targets), observed, frozenset(case.soft))


def known_cases(model: Model, evidence: Evidence, empty: Tensor) -> Iterator[Case]:
    """The rows of evidence by what they observe, with all that can be computed from it."""
    for case in cases(model, evidence, empty.device, empty.dtype):
        yield Reader(model, case, empty).with_computed()
