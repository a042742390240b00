"""Keeping a promise of memory: condition on a few variables and run the rest once for each of their states."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import log2

from .engines.exact import OPERATIONS_AT_MOST
from .errors import PlanError
from .graph import Graph
from .plan import DENSE_BYTES, Plan, Query, human_bytes, space
from .planner import Planner, make_plan
from .variable import quoted

CANDIDATES = 6  # variables tried at each cut


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
    """The plan with one more variable sliced that comes nearest to the memory limit for the fewest operations."""
    cuts = [_cut(graph, plan, variable) for variable in _shared(plan)[:CANDIDATES]]
    smaller = [cut for cut in cuts if cut.entries < plan.entries]
    return min(smaller, key=lambda cut: max(1.0, DENSE_BYTES * cut.entries / memory) * cut.operations, default=None)


def _shared(plan: Plan) -> list[int]:
    """Variables of the widest cliques, those in most of them first.

    A maximum over sums can only be sliced over what is maximised: a sum does not commute with a maximum.
    """
    cliques = [tree.widest(step) for tree in plan.trees for step in tree.steps]
    if plan.query.task == "maximum":
        cliques = [tuple(v for v in scope if v in plan.query.targets[0]) for scope in cliques]
    cliques.sort(key=lambda scope: -space(scope, plan.sizes))
    counts = Counter(v for scope in cliques[:8] for v in scope)
    return [v for v, _ in sorted(counts.items(), key=lambda pair: (-pair[1], -plan.sizes[pair[0]]))]


def _cut(graph: Graph, plan: Plan, variable: int) -> Plan:
    query = replace(plan.query, observed=plan.query.observed | {variable})
    return replace(make_plan(graph, query, 0.0), sliced=(*plan.sliced, variable))


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
