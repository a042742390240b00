"""From what an engine says of a field to the posterior, the explanation or the samples of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import PlanError
from ..evidence import Evidence, check_possible, patterns
from ..explanation import Explanation
from ..model import Model
from ..posterior import Answers, Beyond, Posterior
from ..samples import Samples
from .build import WIDEST, Hard, Reduced, Soft, reduced
from .field import Field

AT_ONCE = 2**23  # numbers in the messages, or the states, of the rows that are worked on together

Scope = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Solved:
    """What an engine says of a field.

    Args:
        marginals: probabilities of all states of all variables, `[rows, states]`.
        log_evidence: the logarithm of the sum over all joint states, or what stands for it, `[rows]`; -inf where there
            is none, NaN where the engine does not say.
        joint: the probabilities of a scope of two variables or more, `[rows, *sizes]`; raises a `PlanError` where the
            engine has none.
        diagnostics: how far to trust it, by name, one entry a row each.
        errors: standard errors of the marginals, `[rows, states]`, where the engine knows them.
        joint_errors: those of a joint, like `joint`.
        samples: state numbers of draws behind the answers, `[rows, draws, variables]`.
    """

    marginals: Tensor
    log_evidence: Tensor
    joint: Callable[[Scope], Tensor]
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    errors: Tensor | None = None
    joint_errors: Callable[[Scope], Tensor] | None = None
    samples: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Best:
    """The best joint states that an engine found in a field.

    Args:
        states: state numbers, `[rows, variables]`.
        bound: no joint states weigh more, `[rows]`, in nats; inf where nothing is known.
        diagnostics: one entry a row each, by name.
    """

    states: Tensor
    bound: Tensor
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What fields an engine wants.

    Args:
        engine: its name, for messages.
        widest: entries of a table beyond which wide factors stay trains of matrices.
        dtype, device: of the numbers; the device is that of the model's parameters by default.
        copies: how many times over it holds a row, as chains or draws; fewer rows are then worked on together.
    """

    engine: str
    widest: int = WIDEST
    dtype: torch.dtype = torch.float64
    device: torch.device | str | None = None
    copies: int = 1


@torch.no_grad()
def answered(
    settings: Settings,
    model: Model,
    targets: tuple[Scope, ...],
    evidence: Evidence,
    impossible: str,
    solve: Callable[[Field], Solved],
) -> Posterior:
    """The posterior of targets by variable number.

    Args:
        settings, solve: what fields the engine wants, and its work on one of them.
        model, targets, evidence, impossible: as for an engine's `answer`.

    Raises:
        EvidenceError: when a row has probability 0, unless told otherwise.
        PlanError: when the model has numeric variables.
    """
    record = _record(settings, model, targets)
    flat, totals = np.full((evidence.rows, record.places[-1]), np.nan), np.full(evidence.rows, -np.inf)
    errors, samples, notes = None, None, _Notes(evidence.rows)
    for rows, hard, soft in _batches(settings, model, evidence):
        asked = _field(settings, model, hard, soft, len(rows), sum(targets, ()))
        found = solve(asked.field) if asked.free else nothing_to_sum(asked.field)
        totals[rows] = found.log_evidence.double().cpu().numpy()
        notes.add(rows, found.diagnostics)
        told = (asked, targets, hard, model.graph.sizes)
        flat[rows] = _told(*told, found.marginals, found.joint, 1.0)
        if found.errors is not None and found.joint_errors is not None:
            errors = errors if errors is not None else np.full_like(flat, np.nan)
            errors[rows] = _told(*told, found.errors, found.joint_errors, 0.0)
        if found.samples is not None and not evidence.batched:
            samples = _samples(model, asked, hard, found.samples[0], asked.free)
    check_possible(np.nan_to_num(totals, neginf=-np.inf), evidence, model.variables, impossible, settings.engine)
    flat[np.isneginf(totals)] = np.nan
    if evidence.batched:
        return Posterior(record, flat, totals, Beyond(diagnostics=notes.found, errors=errors))
    beyond = Beyond({}, samples, notes.row(0), None if errors is None else errors[0])
    return Posterior(record, flat[0], totals[0], beyond)


def evidence_of(
    settings: Settings, model: Model, evidence: Evidence, log_evidence: Callable[[Field], Tensor]
) -> Tensor:
    """The log evidence of each row, `[*batch]`, differentiable in the model's parameters where the engine's is.

    Without gradients it takes the shortest way: what is barren drops out.

    Args:
        settings, model, evidence: as for `answered`.
        log_evidence: of a field, `[rows]`.
    """
    live = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in model.parameters())
    found, order = [], []
    for rows, hard, soft in _batches(settings, model, evidence):
        asked = _field(settings, model, hard, soft, len(rows), None if live else ())
        assert asked.field.constant is not None
        found.append(log_evidence(asked.field) if asked.free else asked.field.constant)
        order.append(rows)
    if not found:
        return torch.zeros(0, dtype=torch.float64)
    total = torch.cat(found)[torch.from_numpy(np.argsort(np.concatenate(order)))].double()
    return total if evidence.batched else total[0]


@torch.no_grad()
def explained(
    settings: Settings,
    model: Model,
    wanted: Scope,
    evidence: Evidence,
    k: int,
    solve: Callable[[Field], Best],
) -> Explanation:
    """The best joint states that an engine finds, with its bound on how good any could be.

    Raises:
        EvidenceError: when no joint state has positive probability.
        PlanError: when more than one is asked for, or only some of the unobserved variables are.
    """
    name, free = settings.engine, set(range(len(model.variables))) - set(evidence.hard)
    if k > 1:
        raise PlanError(f"{name}: k is {k}; it finds one explanation. Exact() finds more.")
    if left := free - set(wanted):
        others = ", ".join(model.graph.names[v] for v in sorted(left)[:6])
        raise PlanError(f"{name}: {others} would be summed out; it maximises over all variables. Exact() does both.")
    states = np.full((evidence.rows, 1, len(wanted)), -1, dtype=np.int64)
    logs, bounds, notes = np.full(evidence.rows, -np.inf), np.full(evidence.rows, np.inf), _Notes(evidence.rows)
    for rows, hard, soft in _batches(settings, model, evidence):
        asked = _field(settings, model, hard, soft, len(rows), None)
        found = solve(asked.field) if asked.free else nothing_to_choose(asked.field)
        weights = asked.field.log_weight(found.states)
        logs[rows], bounds[rows] = weights.double().cpu().numpy(), found.bound.double().cpu().numpy()
        notes.add(rows, found.diagnostics)
        for column, v in enumerate(wanted):
            states[rows, 0, column] = hard[v] if v in hard else found.states[:, asked.free.index(v)].cpu().numpy()
    check_possible(bounds, evidence, model.variables, "raise", name)
    states[np.isneginf(logs)] = -1
    variables = tuple(model.variables[v] for v in wanted)
    if evidence.batched:
        found_logs, bound = torch.from_numpy(logs)[:, None], torch.from_numpy(bounds)
        return Explanation(variables, torch.from_numpy(states), found_logs, {}, bound, notes.found)
    bound = torch.tensor(bounds[0])
    return Explanation(variables, torch.from_numpy(states[0]), torch.from_numpy(logs), {}, bound, notes.row(0))


@torch.no_grad()
def drawn(
    settings: Settings, model: Model, wanted: Scope, evidence: Evidence, draw: Callable[[Field], Tensor]
) -> Samples:
    """Joint samples of variables by number given one row of evidence, from an engine's draws `[draws, variables]`."""
    _, hard, soft = next(_batches(settings, model, evidence))
    asked = _field(settings, model, hard, soft, 1, wanted)
    states = draw(asked.field)
    return _samples(model, asked, hard, states, wanted)


def _field(
    settings: Settings, model: Model, hard: Hard, soft: Soft, rows: int, wanted: Sequence[int] | None
) -> Reduced:
    """The field that an engine wants of some rows."""
    return reduced(model, hard, soft, rows, wanted, settings.widest, settings.dtype, settings.device)


def nothing_to_sum(field: Field) -> Solved:
    """What is said of a field without variables: everything was observed."""
    assert field.constant is not None

    def none(scope: Scope) -> Tensor:
        raise AssertionError(f"no variables {scope} in {field!r}")

    return Solved(field.unary, field.constant, none, {}, field.unary, none)  # certain: the errors are empty as well


def nothing_to_choose(field: Field) -> Best:
    """The same of the best joint states."""
    assert field.constant is not None
    return Best(torch.zeros(field.rows, 0, dtype=torch.long), field.constant)


def _batches(
    settings: Settings, model: Model, evidence: Evidence
) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray], dict[int, np.ndarray]]]:
    """Rows with the same cells missing, as many as are worked on together."""
    if not model.finite:
        numeric = next(v.name for v in model.variables if not v.finite)
        raise PlanError(
            f"{settings.engine}: {numeric!r} is numeric; this engine works on variables with states. Use Exact(), "
            "LikelihoodWeighting(), Importance(), SVI() or NUTS()."
        )
    width = sum(sum(v.size for v in term.scope) for term in model.terms) + sum(model.graph.sizes)
    count = max(1, AT_ONCE // max(width * settings.copies, 1))
    for rows, hard, soft in patterns(evidence, model.graph.sizes):
        for start in range(0, len(rows), count):
            some = rows[start : start + count]
            yield some, {v: hard[v][some] for v in hard}, {v: soft[v][some] for v in soft}


def _record(settings: Settings, model: Model, targets: tuple[Scope, ...]) -> Answers:
    """The names of the answers and their places in a row."""
    named = tuple(tuple(model.variables[v] for v in scope) for scope in targets)
    places = accumulate(prod(model.graph.sizes[v] for v in scope) for scope in targets)
    return Answers(named, (0, *places), None, settings.engine)


def _told(
    asked: Reduced,
    targets: Sequence[Scope],
    hard: Hard,
    sizes: Sequence[int],
    marginals: Tensor,
    joint: Callable[[Scope], Tensor],
    certain: float,
) -> np.ndarray:
    """What is said of all targets, end to end, `[rows, entries]`."""
    each = [_placed(asked, scope, hard, sizes, marginals, joint, certain) for scope in targets]
    return np.concatenate([np.zeros((asked.field.rows, 0)), *each], 1)


def _placed(
    asked: Reduced,
    scope: Scope,
    hard: Hard,
    sizes: Sequence[int],
    marginals: Tensor,
    joint: Callable[[Scope], Tensor],
    certain: float,
) -> np.ndarray:
    """What is said of a target `[rows, entries]`, zeros beside observed states; `certain` where all are observed."""
    rows = asked.field.rows
    place = {v: k for k, v in enumerate(asked.free)}
    left = [v for v in scope if v not in hard]
    if len(left) > 1:
        found = joint(tuple(place[v] for v in left))
    elif left:
        start = int(asked.field.starts[place[left[0]]])
        found = marginals[:, start : start + sizes[left[0]]]
    else:
        found = torch.full((rows,), certain)
    whole = np.zeros((rows, *(sizes[v] for v in scope)))
    order = [v for v in scope if v in hard]
    axes = [scope.index(v) + 1 for v in order]
    view = np.moveaxis(whole, axes, range(1, 1 + len(axes)))  # [rows, *observed, *left]
    view[(np.arange(rows), *(hard[v] for v in order))] = found.double().cpu().numpy()
    return whole.reshape(rows, -1)


def _samples(model: Model, asked: Reduced, hard: Hard, states: Tensor, wanted: Scope) -> Samples:
    """Draws `[draws, variables]` of the free variables as samples of the wanted ones."""
    place = {v: k for k, v in enumerate(asked.free)}
    columns = [
        torch.full((len(states),), int(hard[v][0])) if v in hard else states[:, place[v]].long().cpu() for v in wanted
    ]
    return Samples(tuple(model.variables[v] for v in wanted), tuple(columns), len(states))


class _Notes:
    """Diagnostics of all rows, collected from batches of them."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.found: dict[str, list[Any]] = {}

    def add(self, rows: np.ndarray, notes: Mapping[str, Sequence[Any]]) -> None:
        """Take in the diagnostics of some rows."""
        for name, values in notes.items():
            listed = values.tolist() if isinstance(values, Tensor) else list(values)
            column = self.found.setdefault(name, [None] * self.rows)
            for row, value in zip(rows.tolist(), listed, strict=True):
                column[row] = value

    def row(self, number: int) -> dict[str, Any]:
        """The diagnostics of one row."""
        return {name: column[number] for name, column in self.found.items()}
