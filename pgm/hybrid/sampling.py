"""Exact joint samples of models with numeric variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..conditionals import Conditional
from ..engines.exact import Exact
from ..errors import PlanError
from ..evidence import Evidence, check_possible
from ..samples import Samples
from .answers import evidence_of
from .cases import Case
from .leaves import Part, Plain
from .planning import NUMBER_BYTES
from .prepare import Scope, known_cases, like, prepared, query_of
from .problem import Problem, reduced, relevant
from .run import downward, upward

if TYPE_CHECKING:
    from ..model import Model

BYTES_AT_ONCE = 2.0**28


def draw(model: Model, n: int, wanted: Scope, evidence: Evidence, seed: int, engine: Exact) -> Samples:
    """n independent joint samples given one row of evidence.

    What is above the evidence or in a potential is drawn jointly: finite variables from their exact posterior, and
    numeric ones given those by perturbation: the mean of the problem whose noise terms are each shifted by a draw of
    that noise is a draw of the posterior. All else is drawn below it, causes before effects, whatever the conditionals.

    Reference: Papandreou and Yuille (2010), Gaussian sampling by local perturbations.
    """
    empty, names = like(model, engine), model.graph.names
    case = next(known_cases(model, evidence, empty))
    many = max(n, 1)  # torch's distributions do not draw nothing
    needed, above = relevant(model, wanted), relevant(model, case.given)
    joint = [v for v, name in enumerate(names) if name in needed and not case.knows(v)]
    joint = [v for v in joint if names[v] in above or names[v] not in model.conditionals]
    drawn: dict[int, Tensor] = {}
    if joint:
        generator = torch.Generator(empty.device).manual_seed(seed)
        drawn = _posterior(model, case, tuple(joint), many, generator, engine, evidence)
    elif case.given:
        with torch.no_grad():
            total = evidence_of(model, evidence, engine).reshape(1).cpu().numpy()
        check_possible(total, evidence, model.variables, "raise", "sample")
    values = _ancestral(model, case, needed, drawn, many, seed)
    columns = tuple(values[v][:n] for v in wanted)
    return Samples(tuple(model.variables[v] for v in wanted), columns, n)


def _ancestral(
    model: Model, case: Case, needed: Collection[str], drawn: Mapping[int, Tensor], n: int, seed: int
) -> dict[int, Tensor]:
    """Every variable needed, those not yet drawn given their parents; torch's own randomness is seeded and put back."""
    number = model.graph.numbers
    found = {v: x.reshape(n, *model.variables[v].shape) for v, x in drawn.items()}
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.no_grad():
        torch.manual_seed(seed)
        for v in [number[name] for name in model.graph.topological if name in needed]:
            if case.knows(v):
                found[v] = _observed(model, case, v, n)
            elif v not in found:
                found[v] = _drawn(model.conditionals[model.graph.names[v]], number, found, n)
    return found


def _observed(model: Model, case: Case, v: int, n: int) -> Tensor:
    if v in case.hard:
        return case.hard[v].expand(n)
    return case.values[v].detach().expand(n, -1).reshape(n, *model.variables[v].shape)


def _drawn(term: Conditional, number: dict[str, int], found: dict[int, Tensor], n: int) -> Tensor:
    weight = next((p for p in term.parameters() if p.is_floating_point()), None)
    given = [found[number[parent.name]] for parent in term.given]
    given = [x.to(weight.dtype) if x.is_floating_point() and weight is not None else x for x in given]
    return term.draw(*given) if given else term.draw(shape=[n])


def _posterior(
    model: Model, case: Case, wanted: Scope, n: int, generator: torch.Generator, engine: Exact, evidence: Evidence
) -> dict[int, Tensor]:
    problem = reduced(model, case, wanted, like(model, engine))
    run = prepared(problem, engine, query_of("sample", (wanted,), case))

    def at_random(logs: Tensor) -> Tensor:
        return torch.multinomial(logs.softmax(1), 1, generator=generator).squeeze(1)

    with torch.no_grad():
        up = upward(run.program, run.factors())
        check_possible(up.total.cpu().numpy(), evidence, model.variables, "raise", "sample")
        states = downward(run.program, up, n, at_random).states
        chosen = {v: x.expand(n) for v, x in case.hard.items()} | states
        values = {v: [x] for v, x in chosen.items() if v in wanted}
        # without finite variables all rows share one precision, which then weighs nothing
        held = (f.shift[0].numel() + (f.precision[0].numel() if chosen else 0) for f in up.factors)
        at_once = max(1, int(BYTES_AT_ONCE / (NUMBER_BYTES * (1 + sum(held)))))
        for low in range(0, n, at_once):
            rows = range(low, min(low + at_once, n))
            part = {v: x[rows.start : rows.stop] for v, x in chosen.items()}
            for v, x in _numbers(model, case, wanted, part, len(rows), generator, engine).items():
                values.setdefault(v, []).append(x)
    return {v: torch.cat(pieces) for v, pieces in values.items()}


def _numbers(
    model: Model,
    case: Case,
    wanted: Scope,
    states: dict[int, Tensor],
    rows: int,
    generator: torch.Generator,
    engine: Exact,
) -> dict[int, Tensor]:
    """Numeric variables given all finite ones, one draw a row."""
    numeric = [v for v in wanted if not model.variables[v].finite]
    values = {v: x.expand(rows, -1) for v, x in case.values.items()}
    given = Case(np.arange(rows), states, {}, values, case.hidden)
    run = prepared(reduced(model, given, wanted, like(model, engine)), engine, query_of("sample", (wanted,), given))
    run = replace(run, problem=_perturbed(run.problem, rows, generator))
    point = downward(run.program, upward(run.program, run.factors()), rows, lambda logs: logs.argmax(1))
    return {v: run.numbers(v, point) for v in numeric}


def _perturbed(problem: Problem, rows: int, generator: torch.Generator) -> Problem:
    """The problem with every noise term shifted by a draw of that noise."""
    parts: list[Part] = []
    pushes = _pushes(problem, rows, generator)
    for part in problem.parts:
        if not isinstance(part, Plain):
            part = part.shifted(_normal(problem.like, rows, part.offset.shape[-1], generator))
        elif part.factor.numeric:
            none = problem.like.new_zeros(rows, 1)
            shift = torch.cat(
                [pushes.pop(v, none.expand(-1, problem.blocks[v].primal)) for v in part.factor.numeric], -1
            )
            part = replace(part, factor=replace(part.factor, shift=part.factor.shift + shift))
        parts.append(part)
    return replace(problem, parts=tuple(parts))


def _normal(like: Tensor, rows: int, n: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, n, generator=generator, dtype=like.dtype, device=like.device)


def _pushes(problem: Problem, rows: int, generator: torch.Generator) -> dict[int, Tensor]:
    """For each variable in a quadratic potential its share of a draw from N(0, their total precision)."""
    potentials = [part.factor for part in problem.parts if isinstance(part, Plain) and part.factor.numeric]
    variables = list(dict.fromkeys(v for factor in potentials for v in factor.numeric))
    places, low = {}, 0
    for v in variables:
        places[v] = list(range(low, low := low + problem.blocks[v].primal))
    total = problem.like.new_zeros(low, low)
    for factor in potentials:
        own = torch.tensor([i for v in factor.numeric for i in places[v]], dtype=torch.long, device=total.device)
        total[own[:, None], own] += factor.precision[0]
    values, vectors = torch.linalg.eigh(total)
    if low and float(values.min()) < -1e-9 * float(values.max()):
        raise PlanError(
            "sample: the quadratic potentials alone have no positive definite precision; sampling takes ones that have."
        )
    draws = (_normal(total, rows, low, generator) * values.clamp(min=0).sqrt()) @ vectors.mT
    return {v: draws[:, place] for v, place in places.items()}
