"""`pgm info`: what a model consists of, and what answering costs."""

from __future__ import annotations

from math import log2, prod
from pathlib import Path
from typing import Any

from ..ask import plan_for
from ..chordal import treewidth
from ..engines.exact import Exact
from ..errors import PlanError
from ..model import Model
from ..plan import Plan
from .files import load_model
from .options import engine
from .show import console, print_json, table

LISTED = 50  # variables that are listed without being asked to


def info(file: Path, everything: bool, memory: str | None, seconds: float | None, json: bool) -> None:
    """Print what a model file consists of."""
    limits = engine(memory, seconds)
    model = load_model(file)
    plan, refusal = _plan(model, limits)
    facts = {"file": str(file), **facts_of(model)}
    if json:
        print_json({**facts, "variables": _variables(model), "plan": _plan_facts(plan), "refusal": refusal})
        return
    _print_facts(facts, model)
    if everything or len(model.variables) <= LISTED:
        _print_variables(model)
    else:
        console().print(f"{len(model.variables):,} variables; --all lists them.\n")
    console().print(refusal if plan is None else str(plan))


def facts_of(model: Model) -> dict[str, Any]:
    """Counts and bounds: kind, states, arrows, potentials, parameters and treewidth."""
    graph, bounds = model.graph, treewidth(model.graph)
    return {
        "name": model.name,
        "kind": graph.kind,
        "states": sum(v.size for v in model.variables),
        "arrows": sum(len(parents) for parents in graph.parents.values()),
        "potentials": len(model.potentials),
        "parameters": parameters(model),
        "treewidth": {"lower": bounds.lower, "upper": bounds.upper},
    }


def parameters(model: Model) -> int:
    """The numbers that are free to choose in tables: a conditional's rows sum to 1, a potential's entries do not.

    Example:
        >>> from pgm import BayesianNetwork, Tabular, Variable
        >>> parameters(BayesianNetwork(Tabular(Variable("coin"), [], [0.5, 0.5])))
        1
    """
    free = sum((each.child.size - 1) * prod(v.size for v in each.given) for each in model.conditionals.values())
    return free + sum(prod(v.size for v in each.scope) for each in model.potentials)


def _plan(model: Model, limits: Exact) -> tuple[Plan | None, str | None]:
    """The plan for all marginals; or None, and why there is none."""
    try:
        return plan_for(model, engine=limits), None
    except PlanError as error:
        return None, str(error)


def _plan_facts(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "operations": plan.operations,
        "bytes": 8 * plan.entries,
        "widest": list(plan.names(plan.clique)),
        "slices": plan.slices,
        "executor": plan.executor,
    }


def _variables(model: Model) -> list[dict[str, Any]]:
    parents = model.graph.parents
    return [{"name": v.name, "states": list(v.states), "parents": list(parents[v.name])} for v in model.variables]


def _print_facts(facts: dict[str, Any], model: Model) -> None:
    sizes, bounds = [v.size for v in model.variables], facts["treewidth"]
    lines = table("", "")
    lines.show_header = False
    lines.add_row("file", facts["file"])
    if facts["name"]:
        lines.add_row("name", facts["name"])
    lines.add_row("kind", facts["kind"])
    lines.add_row("variables", f"{len(sizes):,}")
    lines.add_row("states", f"{facts['states']:,}, {_spread(sizes)} a variable, 2^{sum(map(log2, sizes)):.1f} jointly")
    for word in ("arrows", "potentials", "parameters"):
        lines.add_row(word, f"{facts[word]:,}")
    exact = bounds["lower"] == bounds["upper"]
    lines.add_row("treewidth", f"{bounds['upper']}" if exact else f"{bounds['lower']} to {bounds['upper']}")
    console().print(lines, "")


def _spread(sizes: list[int]) -> str:
    low, high = min(sizes, default=0), max(sizes, default=0)
    return f"{low}" if low == high else f"{low} to {high}"


def _print_variables(model: Model) -> None:
    lines = table("variable", "states", "parents")
    for each in _variables(model):
        lines.add_row(each["name"], ", ".join(each["states"]), ", ".join(each["parents"]))
    console().print(lines, "")
