"""Posteriors, log evidence and explanations of models with numeric variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..ask import check_possible
from ..engines.exact import Exact
from ..errors import GraphError, PlanError
from ..evidence import Evidence
from ..explanation import Explanation
from ..moments import Moments
from ..plan import Plan, Query, Task
from ..posterior import Answers, Beyond, Posterior
from .canonical import Canonical
from .cases import Case, cases
from .leaves import Center, leaves
from .planning import Program, Shape, check_memory, compiled
from .problem import Problem, reduced
from .run import Belief, Point, downward, grouped, marginals, upward
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


def answer(model: Model, targets: tuple[Scope, ...], evidence: Evidence, engine: Exact, impossible: str) -> Posterior:
    """The posterior of targets by number; a numeric one is answered by its moments.

    Raises:
        PlanError: when a term that matters is neither a table nor linear and Gaussian in what is not observed.
        GraphError: when a joint target mixes finite and numeric variables.
        EvidenceError: when a row of evidence has probability 0, unless `impossible` is 'nan'.
    """
    variables = model.variables
    finite = tuple(t for t in targets if all(variables[v].finite for v in t))
    numeric = tuple(t for t in targets if not any(variables[v].finite for v in t))
    mixed = next((t for t in targets if t not in finite and t not in numeric), None)
    if mixed is not None:
        names = tuple(variables[v].name for v in mixed)
        raise GraphError(f"targets: {names} mixes finite and numeric variables; ask for joints of one kind.")
    places = (0, *accumulate(prod(variables[v].size for v in t) for t in finite))
    empty = like(model, engine)
    totals, flat = empty.new_zeros(evidence.rows), empty.new_zeros(evidence.rows, places[-1])
    moments = {t: _blank(model, t, evidence.rows, empty) for t in numeric}
    made = None
    for case in known_cases(model, evidence, empty):
        found = _answered(model, case, engine, targets)
        totals[case.rows], made = found.total, found.plan
        for t, low, high in zip(finite, places, places[1:], strict=False):
            flat[case.rows, low:high] = found.states[t].reshape(len(case.rows), -1)
        for t in numeric:
            for whole, part in zip(moments[t], found.moments[t], strict=True):
                whole[case.rows] = part
    check_possible(totals.cpu().numpy(), evidence, model, impossible, "infer")
    bad = totals.isneginf()
    flat[bad] = torch.nan
    for mean, covariance in moments.values():
        mean[bad], covariance[bad] = torch.nan, torch.nan
    made = made or plan(model, Query("marginal", targets), engine)
    return _posterior(model, finite, places, evidence, totals, flat, moments, made)


def _blank(model: Model, target: Scope, rows: int, empty: Tensor) -> tuple[Tensor, Tensor]:
    """Room for the mean and the covariance of a numeric target."""
    n = sum(prod(model.variables[v].shape) for v in target)
    return empty.new_zeros(rows, n), empty.new_zeros(rows, n, n)


def _posterior(
    model: Model,
    finite: tuple[Scope, ...],
    places: tuple[int, ...],
    evidence: Evidence,
    totals: Tensor,
    flat: Tensor,
    moments: dict[Scope, tuple[Tensor, Tensor]],
    plan: Plan,
) -> Posterior:
    variables, pick = model.variables, slice(None) if evidence.batched else 0
    named = {tuple(variables[v] for v in t): pair for t, pair in moments.items()}
    beyond = {tuple(v.name for v in t): Moments(t, mean[pick], cov[pick]) for t, (mean, cov) in named.items()}
    answers = Answers(tuple(tuple(variables[v] for v in t) for t in finite), places, plan, "Exact")
    log_evidence, table = (each.double().cpu().numpy()[pick] for each in (totals, flat))
    return Posterior(answers, table, log_evidence, Beyond(beyond))


@dataclass(frozen=True, eq=False)
class Found:
    """The answers of one case: log evidence, tables of finite targets, means and covariances of numeric ones."""

    total: Tensor
    states: dict[Scope, Tensor]
    moments: dict[Scope, tuple[Tensor, Tensor]]
    plan: Plan


@torch.no_grad()
def _answered(model: Model, case: Case, engine: Exact, targets: Sequence[Scope]) -> Found:
    reads = reads_of(targets, case)
    problem = reduced(model, case, {v for t in targets for v in t}, like(model, engine))
    run = prepared(problem, engine, query_of("marginal", targets, case), reads)
    total, beliefs = marginals(run.program, run.factors(), reads, run.rows)
    known = dict(zip(reads, beliefs, strict=True))
    ones = run.problem.like.new_ones(run.rows)
    states, moments = {}, {}
    for t in targets:
        scope = tuple(v for v in t if not case.knows(v))
        if model.variables[t[0]].finite:
            states[t] = _widened(known[scope].states if scope else ones, t, model, case)
        else:
            moments[t] = _whole(known.get(scope), t, model, run)
    return Found(total, states, moments, run.program.plan)


def _widened(values: Tensor, target: Scope, model: Model, case: Case) -> Tensor:
    """Probabilities `[rows, *unobserved]` with an axis for observed variables too."""
    for axis, v in enumerate(target, 1):
        if v in case.hard:
            point = torch.nn.functional.one_hot(case.hard[v], model.variables[v].size).to(values)
            ones = [1] * values.dim()
            shape = [len(point), *ones[1:axis], point.shape[1], *ones[axis:]]
            values = values.unsqueeze(axis) * point.reshape(shape)
    return values


def _whole(belief: Belief | None, target: Scope, model: Model, run: Run) -> tuple[Tensor, Tensor]:
    """Mean and covariance of all numbers of a target: what is observed has no variance."""
    case, rows, like = run.problem.case, run.rows, run.problem.like
    lengths = [prod(model.variables[v].shape) for v in target]
    lows = (0, *accumulate(lengths))
    mean, covariance = like.new_zeros(rows, lows[-1]), like.new_zeros(rows, lows[-1], lows[-1])
    for v, low, high in zip(target, lows, lows[1:], strict=False):
        if v in case.values:
            mean[:, low:high] = case.values[v].detach().to(like)
    if belief is not None:
        own = torch.tensor(
            [low + i for v, low in zip(target, lows, strict=False) for i in case.hidden[v]], device=like.device
        )
        center = torch.cat([run.center[v].expand(rows, -1) for v in target if case.hidden[v]], -1)
        mean[:, own] = center + belief.mean
        covariance[:, own[:, None], own] = belief.covariance
    return mean, covariance


def query_of(task: Task, targets: Sequence[Scope], case: Case) -> Query:
    """What is asked, for the plan."""
    observed = frozenset(v for v in (*case.hard, *case.values) if case.knows(v))
    return Query(task, tuple(targets), observed, frozenset(case.soft))


def known_cases(model: Model, evidence: Evidence, empty: Tensor) -> Iterator[Case]:
    """The rows of evidence by what they observe, with all that can be computed from it."""
    for case in cases(model, evidence, empty.device, empty.dtype):
        yield Reader(model, case, empty).with_computed()


def evidence_of(model: Model, evidence: Evidence, engine: Exact) -> Tensor:
    """The log evidence `[*batch]`, differentiable in all parameters and in the observed numbers."""
    empty = like(model, engine)
    totals, rows = [empty], [np.zeros(0, dtype=np.int64)]
    for case in known_cases(model, evidence, empty):
        run = prepared(reduced(model, case, (), empty), engine, query_of("log_evidence", (), case))
        totals.append(upward(run.program, run.factors()).total.expand(run.rows))
        rows.append(case.rows)
    total = torch.cat(totals)[torch.from_numpy(np.concatenate(rows).argsort())]
    return total if evidence.batched else total[0]


def explain(model: Model, wanted: Scope, evidence: Evidence, k: int, engine: Exact) -> Explanation:
    """The most probable joint states and numbers of the variables wanted, all else summed and integrated out.

    Raises:
        PlanError: when more than the best one is asked for, or a numeric variable is wanted and a finite one that
            matters to it is not (that would be the mode of a mixture), and as `answer`.
    """
    if k > 1:
        raise PlanError(f"mpe: k is {k}, expected 1 where some variables are numeric.")
    empty = like(model, engine)
    finite = tuple(v for v in wanted if model.variables[v].finite)
    logs = empty.new_zeros(evidence.rows)
    states = torch.full((evidence.rows, len(finite)), -1, device=empty.device)
    numbers = {v: empty.new_zeros(evidence.rows, prod(model.variables[v].shape)) for v in wanted if v not in finite}
    for case in known_cases(model, evidence, empty):
        run = _maximising(model, wanted, case, engine)
        with torch.no_grad():
            up = upward(run.program, run.factors())
            point = downward(run.program, up, run.rows, largest)
        logs[case.rows] = up.total.expand(run.rows)
        for column, v in enumerate(finite):
            states[case.rows, column] = case.hard[v] if v in case.hard else point.states[v]
        for v, whole in numbers.items():
            whole[case.rows] = run.numbers(v, point)
    check_possible(logs.cpu().numpy(), evidence, model, "raise", "mpe")
    pick = slice(None) if evidence.batched else 0
    shaped = {v: x.reshape(evidence.rows, 1, *model.variables[v].shape)[pick] for v, x in numbers.items()}
    named = {model.variables[v].name: x for v, x in shaped.items()}
    return Explanation(tuple(model.variables[v] for v in wanted), states[:, None][pick], logs[:, None][pick], named)


def _maximising(model: Model, wanted: Scope, case: Case, engine: Exact) -> Run:
    """The run that maximises over the variables wanted."""
    problem = reduced(model, case, wanted, like(model, engine))
    numeric = [v for v in wanted if case.hidden.get(v)]
    others = {v for scope in problem.scopes for v in scope} - set(wanted)
    summed = [model.graph.names[v] for v in others if model.variables[v].finite]
    if numeric and summed:
        raise PlanError(
            f"mpe: {model.graph.names[numeric[0]]!r} is numeric and {summed[0]!r} would be summed out, which asks for "
            f"the mode of a mixture; name {summed[0]!r} among the targets, or leave numeric variables out."
        )
    late = {v for v, block in problem.blocks.items() if block.late}
    if numeric and late and any(block.primal for v, block in problem.blocks.items() if v not in wanted):
        raise PlanError("mpe: with exact linear relations all numeric variables are needed; name all or none of them.")
    maximised = frozenset(v for v in wanted if not case.knows(v)) | (late if numeric else set())
    return prepared(problem, engine, query_of("maximum", (wanted,), case), maximised=maximised)


def plan(model: Model, query: Query, engine: Exact) -> Plan:
    """The plan for a question; conditionals whose noise is singular are told by the parameters as they are now."""
    variables = model.variables
    hard = {v: np.zeros(1, dtype=np.int64) for v in query.observed if variables[v].finite}
    real = {v: torch.zeros(1, *variables[v].shape) for v in query.observed if not variables[v].finite}
    soft = {v: np.ones((1, variables[v].size)) for v in query.soft}
    case = next(known_cases(model, Evidence(hard, soft, 1, False, real), like(model, engine)))
    wanted = tuple(v for target in query.targets for v in target)
    if query.task == "maximum":
        return _maximising(model, wanted, case, engine).program.plan
    problem = reduced(model, case, wanted, like(model, engine))
    return planned(problem, engine, query, reads_of(query.targets, case) if query.task == "marginal" else ()).plan
