"""Most probable joint assignments, and plans, of models with numeric variables."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..ask import check_possible
from ..engines.exact import Exact
from ..errors import PlanError
from ..evidence import Evidence
from ..explanation import Explanation
from ..plan import Plan, Query
from .cases import Case
from .prepare import Run, Scope, known_cases, largest, like, planned, prepared, query_of, reads_of
from .problem import reduced
from .run import downward, upward

if TYPE_CHECKING:
    from ..model import Model


@torch.no_grad()
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
