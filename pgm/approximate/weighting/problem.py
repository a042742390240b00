"""What is drawn and what weighs, for rows of evidence in which the same variables are observed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor

from ...conditionals import Conditional, Deterministic
from ...errors import EvidenceError, PlanError
from ...evidence import Evidence
from ...model import Model
from ...structure import ancestral
from ...terms import Local

Scope = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows of evidence with the same variables observed.

    Args:
        model: the model.
        subject: how error messages begin: the engine.
        wanted: the names of the variables asked for.
        rows: their numbers among all rows.
        first: how many rows other problems have before these, so that each row has draws of its own.
        known: what is observed by name, state numbers `[rows]` or values `[rows, *event]`.
        likelihoods: vectors `[rows, states]` by name.
    """

    model: Model
    subject: str
    wanted: tuple[str, ...]
    rows: np.ndarray
    first: int
    known: Mapping[str, Tensor]
    likelihoods: Mapping[str, Tensor]

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        return device_of(self.model)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names of the variables that matter, parents before children; what is barren drops out."""
        graph = self.model.graph
        weighing = [v.name for potential in self.model.potentials for v in potential.scope]
        kept = set(ancestral(graph, dict.fromkeys([*self.wanted, *self.known, *self.likelihoods, *weighing])).names)
        return tuple(name for name in graph.topological if name in kept)

    @cached_property
    def width(self) -> int:
        """How many numbers one draw holds."""
        return max(1, sum(prod(self.model[name].shape) for name in self.order))

    @cached_property
    def drawn(self) -> dict[str, Conditional]:
        """The conditionals of what is not observed, parents before children."""
        found = self.model.conditionals
        for name in self.order:
            if name not in self.known and name not in found:
                raise PlanError(
                    f"{self.subject}: {name!r} has no conditional to draw it from. Use Gibbs() or AIS(), which need "
                    "none."
                )
        return {name: found[name] for name in self.order if name not in self.known}

    @cached_property
    def weighing(self) -> tuple[Local, ...]:
        """The terms that weigh: conditionals of what is observed, and potentials."""
        kept, drawn = set(self.order), {id(term) for term in self.drawn.values()}
        found = [t for t in self.model.terms if id(t) not in drawn and kept.issuperset(v.name for v in t.scope)]
        for term in found:
            require_density(term, self.subject)
        return tuple(found)


def problems(model: Model, wanted: Iterable[str], evidence: Evidence, subject: str) -> Iterator[Problem]:
    """The rows of evidence, those with the same cells missing together.

    Raises:
        EvidenceError: when a vector is missing in part.
    """
    variables, device = model.variables, device_of(model)
    values = {v: torch.tensor(states) for v, states in evidence.hard.items()} | evidence.real
    seen = {v: _seen(variables[v].name, value, subject) for v, value in values.items()}
    pattern = np.stack([*seen.values(), np.zeros(evidence.rows, dtype=bool)], 1)
    kinds, which = np.unique(pattern, axis=0, return_inverse=True)
    first = 0
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero(which.reshape(-1) == number)
        there = [v for v, is_seen in zip(seen, kind, strict=False) if is_seen]
        known = {variables[v].name: values[v][torch.from_numpy(rows)].to(device) for v in there}
        soft = {variables[v].name: torch.from_numpy(each[rows]).to(device) for v, each in evidence.soft.items()}
        yield Problem(model, subject, tuple(wanted), rows, first, known, soft)
        first += len(rows)


def device_of(model: Model) -> torch.device:
    """Where the model's parameters are."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _seen(name: str, value: Tensor, subject: str) -> np.ndarray:
    """Which rows are observed, `[rows]`."""
    if not value.is_floating_point():
        found: np.ndarray = (value >= 0).numpy()
        return found
    missing = torch.isnan(value).reshape(len(value), -1)
    if bool((missing.any(1) & ~missing.all(1)).any()):
        raise EvidenceError(f"{subject}: {name!r} is missing in part; expected all its numbers, or NaN for all.")
    whole: np.ndarray = (~missing.any(1)).cpu().numpy()
    return whole


def require_density(term: Local, subject: str) -> None:
    """Raise a `PlanError` when values of a term that were observed have no density to weigh draws by."""
    if isinstance(term, Deterministic) and not term.child.finite:
        raise PlanError(
            f"{subject}: {term.child.name!r} is observed, but {term.subject} has no density. Observe something below "
            "it that adds noise, such as a LinearGaussian or Neural child."
        )
    if not term.capabilities.has_log_prob:
        raise PlanError(f"{subject}: {term.subject} has no log_prob to weigh draws by. Use Neural with a density.")
