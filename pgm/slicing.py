"""Keeping a promise of memory: condition on a few variables and run the rest once for each of their states."""

from __future__ import annotations

from dataclasses import replace
from math import log2

from .engines.exact import OPERATIONS_AT_MOST
from .errors import PlanError
from .graph import Graph
from .plan import DENSE_BYTES, Plan, Query, human_bytes
from .planner import Planner, make_plan
from .variable import quoted

CANDIDATES = 2  # variables tried at each cut


def fitting_plan(
    graph: Graph, query: Query, seconds: float | None, memory: float, planner: Planner | None = None
) -> Plan:
    """A plan within the memory limit, sliced where needed.

    Args:
        graph, query, seconds: as for `make_plan`.
        memory: bytes that the dense tensors of one row may take.
        planner: what has planned this query before, if anything has.

    Raises:
        PlanError: when even the sliced plan is beyond 2^42 operations.
    """
    plan = (planner or Planner(graph, query, seconds)).plan()
    while DENSE_BYTES * plan.entries > memory and plan.operations <= OPERATIONS_AT_MOST:
        cut = _best_cut(graph, plan, memory)
        if cut is None:
            break
        plan = cut
    if plan.operations > OPERATIONS_AT_MOST or DENSE_BYTES * plan.entries > memory:
        raise PlanError(_beyond(plan, memory))
    return plan


def _best_cut(graph: Graph, plan: Plan, memory: float) -> Plan | None:
    """The plan with one more variable sliced that comes nearest to the memory limit for the fewest operations.

    Where greedy orders are no better than the order of the plan, which was searched for, it is worth another search.
    """
    some = _promising(plan, memory)[:CANDIDATES]
    for seconds, candidates in ((0.0, some), (None, some[:1])):
        cuts = [_cut(graph, plan, variable, seconds) for variable in candidates]
        smaller = [cut for cut in cuts if cut.entries < plan.entries]
        if smaller:
            return min(smaller, key=lambda cut: _excess(cut.entries, memory) * cut.operations)
    return None


def _promising(plan: Plan, memory: float) -> list[int]:
    """Variables by what slicing them would come to if the order stayed as it is, the best first.

    A maximum over sums can only be sliced over what is maximised: a sum does not commute with a maximum.
    """
    entries, operations = plan.held(), plan.work()
    left = {v: plan.entries - held * (1 - 1 / plan.sizes[v]) for v, held in entries.items() if plan.sizes[v] > 1}
    dearer = {v: plan.sizes[v] * plan.operations - (plan.sizes[v] - 1) * operations.get(v, 0.0) for v in left}
    if plan.query.task == "maximum":
        left = {v: left[v] for v in plan.query.targets[0] if v in left}
    return sorted(left, key=lambda v: _excess(left[v], memory) * dearer[v])


def _excess(entries: float, memory: float) -> float:
    """How many times the limit of memory entries take, 1 where they fit."""
    return max(1.0, DENSE_BYTES * entries / memory)


def _cut(graph: Graph, plan: Plan, variable: int, seconds: float | None) -> Plan:
    query = replace(plan.query, observed=plan.query.observed | {variable})
    return replace(make_plan(graph, query, seconds), sliced=(*plan.sliced, variable))


def _beyond(plan: Plan, memory: float) -> str:
    needed, reasons = DENSE_BYTES * plan.entries, []
    if plan.operations > OPERATIONS_AT_MOST:
        reasons.append(f"2^{log2(plan.operations):.0f} operations (limit 2^{log2(OPERATIONS_AT_MOST):.0f})")
    if needed > memory:
        reasons.append(f"{human_bytes(needed)} (limit {human_bytes(memory)})")
    more = ", or raise the memory limit" if needed > memory and len(reasons) == 1 else ""
    return (
        f"plan: would take {' and '.join(reasons)}: widest clique {{{quoted(plan.names(plan.clique))}}}. "
        f"Use engine=Auto() for an approximate answer that states its error, observe some of them, or ask for fewer "
        f"targets{more}."
    )
