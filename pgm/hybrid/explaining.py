"""Most probable joint assignments, and plans, of models with numeric variables."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..engines.exact import Exact
from ..errors import PlanError
from ..evidence import Evidence, check_possible
from ..explanation import Explanation
from ..plan import Plan, Query
from .cases import Case
from .prepare import Run, Scope, known_cases, largest, like, planned, prepared, query_of, reads_of
from .problem import Problem, reduced
from .run import Point, downward, upward
from .tables import best_by_tables

if TYPE_CHECKING:
    from ..model import Model


@torch.no_grad()
def explain(model: Model, wanted: Scope, evidence: Evidence, k: int, engine: Exact) -> Explanation:
    """The most probable joint states and numbers of the variables wanted, all else summed and integrated out.

    Raises:
        PlanError: when more than the best one is asked for and numeric variables are not observed, or a numeric
            variable is wanted and a finite one that matters to it is not (that would be the mode of a mixture), and as
            `answer`.
    """
    empty, rows = like(model, engine), evidence.rows
    finite = tuple(v for v in wanted if model.variables[v].finite)
    logs, states = empty.new_zeros(rows, k), torch.full((rows, k, len(finite)), -1, device=empty.device)
    numbers = {v: empty.new_zeros(rows, k, prod(model.variables[v].shape)) for v in wanted if v not in finite}
    for case in known_cases(model, evidence, empty):
        weights, point = _best(model, wanted, case, k, engine)
        logs[case.rows] = weights
        for column, v in enumerate(finite):
            chosen = case.hard[v].unsqueeze(1) if v in case.hard else point.states[v]
            states[case.rows, :, column] = torch.where(weights.isneginf(), -1, chosen)
        for v, whole in numbers.items():
            whole[case.rows] = point.numbers[v]
    check_possible(logs[:, 0].cpu().numpy(), evidence, model.variables, "raise", "mpe")
    pick = slice(None) if evidence.batched else 0
    shaped = {v: x.reshape(rows, k, *model.variables[v].shape)[pick] for v, x in numbers.items()}
    named = {model.variables[v].name: x for v, x in shaped.items()}
    return Explanation(tuple(model.variables[v] for v in wanted), states[pick], logs[pick], named)


def _best(model: Model, wanted: Scope, case: Case, k: int, engine: Exact) -> tuple[Tensor, Point]:
    """Log weights `[rows, k]`, and for each variable wanted its states `[rows, k]` or numbers `[rows, k, length]`."""
    problem = reduced(model, case, wanted, like(model, engine))
    hidden = [v for v in wanted if model.variables[v].finite and v not in case.hard]
    quick = best_by_tables(problem, engine, hidden, k)
    if quick is not None:
        logs, states = quick
        values = {v: case.values[v].detach().to(logs).unsqueeze(1) for v in wanted if v in case.values}
        return logs, Point(dict(zip(hidden, states.unbind(-1), strict=True)), values)
    if k > 1:
        raise PlanError(f"mpe: k is {k}, expected 1 where numeric variables are not observed.")
    run = _maximising(problem, wanted, engine)
    up = upward(run.program, run.factors())
    point = downward(run.program, up, run.rows, largest)
    values = {v: run.numbers(v, point).unsqueeze(1) for v in wanted if not model.variables[v].finite}
    return up.total.expand(run.rows).unsqueeze(1), Point({v: x.unsqueeze(1) for v, x in point.states.items()}, values)


def _maximising(problem: Problem, wanted: Scope, engine: Exact) -> Run:
    """The run that maximises over the variables wanted."""
    model, case = problem.model, problem.case
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
    problem = reduced(model, case, wanted, like(model, engine))
    if query.task == "maximum":
        return _maximising(problem, wanted, engine).program.plan
    return planned(problem, engine, query, reads_of(query.targets, case) if query.task == "marginal" else ()).plan
