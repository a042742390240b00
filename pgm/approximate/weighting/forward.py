"""Samples of a network of which no more is known than where it begins: drawn parents first, without a plan."""

from __future__ import annotations

from ...engines.exact import Exact
from ...evidence import Evidence, check_possible
from ...model import Model
from ...samples import Samples
from .draws import compiled_source
from .problem import device_of, problems


def draws_forward(model: Model, evidence: Evidence, engine: Exact) -> bool:
    """Whether samples can be drawn parents first: conditionals alone, and no parent of what is observed is unknown."""
    names, parents = model.graph.names, model.graph.parents
    known = {names[v] for v in evidence.hard}
    directed = len(model.conditionals) == len(names) and not model.potentials and not evidence.soft
    return directed and known.issuperset(p for name in known for p in parents[name]) and _free(model, engine)


def _free(model: Model, engine: Exact) -> bool:
    """Whether nothing is asked of how to compute that the compiled loop does not do."""
    devices = {device_of(model).type, "cpu" if engine.device is None else str(engine.device)}
    return devices == {"cpu"} and engine.executor == "auto"


def forward_samples(model: Model, n: int, wanted: tuple[int, ...], evidence: Evidence, seed: int) -> Samples:
    """n independent joint samples of variables by number.

    Raises:
        EvidenceError: when the evidence has probability 0.

    Reference: Henrion (1988), Propagating uncertainty in Bayesian networks by probabilistic logic sampling.
    """
    variables = tuple(model.variables[v] for v in wanted)
    problem = next(problems(model, [v.name for v in variables], evidence, "sample"))
    found = compiled_source(problem, seed, n)(slice(0, 1), 0, max(n, 1))
    check_possible(found.logs[0, :1].numpy(), evidence, model.variables, "raise", "sample")
    return Samples(variables, tuple(found.columns[v.name][0, :n] for v in variables), n)
