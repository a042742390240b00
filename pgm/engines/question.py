"""What an engine that draws is asked: the part of the model that matters, sorted by what is to be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..conditionals import Conditional, Deterministic, Tabular
from ..domains import Real
from ..errors import EvidenceError, PlanError
from ..evidence import MISSING, Evidence
from ..gaussians import Gaussian
from ..model import Model
from ..structure import ancestral
from ..terms import Local
from ..variable import Variable
from .joint import Joint, finite_scope

Target = tuple[Variable, ...]


@dataclass(frozen=True, eq=False)
class Question:
    """One row of evidence and what is asked of it.

    Args:
        model: the model.
        targets: the scopes asked for.
        known: what is observed: state numbers `[]` and values `[*event]`, by name.
        likelihoods: vectors over states, by name.
        subject: how error messages begin: the engine.
    """

    model: Model
    targets: tuple[Target, ...]
    known: dict[str, Tensor]
    likelihoods: dict[str, Tensor]
    subject: str

    @cached_property
    def unknown(self) -> dict[str, Variable]:
        """What matters and is not observed, parents before children; what is barren drops out."""
        graph, potentials = self.model.graph, self.model.potentials
        names = [v.name for target in self.targets for v in target] + [v.name for p in potentials for v in p.scope]
        kept = set(ancestral(graph, [*names, *self.known, *self.likelihoods]).names)
        return {name: graph.by_name[name] for name in graph.topological if name in kept and name not in self.known}

    @cached_property
    def certain(self) -> dict[str, Conditional]:
        """Conditionals of numeric variables that are functions of others, by child, parents before children."""
        found = self.model.conditionals
        return {
            name: found[name]
            for name, variable in self.unknown.items()
            if not variable.finite and isinstance(found.get(name), Deterministic)
        }

    @cached_property
    def summed(self) -> tuple[Variable, ...]:
        """The finite variables that are not observed: they are summed exactly."""
        return tuple(variable for variable in self.unknown.values() if variable.finite)

    @cached_property
    def latent(self) -> tuple[Variable, ...]:
        """The numeric variables that are not observed: they are drawn."""
        return tuple(v for name, v in self.unknown.items() if not v.finite and name not in self.certain)

    @cached_property
    def terms(self) -> tuple[Local, ...]:
        """The conditionals and potentials that matter, without those of certain variables."""
        kept = {*self.unknown, *self.known}
        certain = {id(conditional) for conditional in self.certain.values()}
        return tuple(t for t in self.model.terms if id(t) not in certain and all(v.name in kept for v in t.scope))

    @cached_property
    def priors(self) -> dict[str, Conditional]:
        """What each unknown variable is drawn from before evidence counts; parents before children."""
        return {name: self.model.conditionals.get(name) or self._flat(v) for name, v in self.unknown.items()}

    def _flat(self, variable: Variable) -> Conditional:
        """Where draws of a variable without a conditional begin: uniform, or standard normal."""
        if variable.finite:
            return Tabular(variable, [], np.full(variable.size, 1 / variable.size)).to(self.device)
        if not isinstance(variable.domain, Real):
            raise PlanError(
                f"{self.subject}: {variable.name!r} is {variable.domain!r} without a conditional; give it one."
            )
        return Gaussian(variable, torch.zeros(variable.shape), 1.0).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        return _device(self.model)

    def finite_scope(self, term: Local) -> tuple[str, ...]:
        """The summed variables that a term depends on."""
        return finite_scope(term.scope, {v.name for v in self.summed}, self.certain)

    def joint(self, terms: Sequence[Local]) -> Joint:
        """A product of terms with the finite variables summed out."""
        return Joint(terms, self.certain, self.known, self.likelihoods, self.summed, fixed=True)

    def prior_draws(self, n: int) -> dict[str, Tensor]:
        """Ancestral draws of all unknown variables from their priors beside what is known, `[n, *event]` by name."""
        found = {name: value.expand([n, *value.shape]) for name, value in self.known.items()}
        for name, prior in self.priors.items():
            given = [found[parent.name] for parent in prior.given]
            found[name] = prior.draw(*given) if given else prior.draw(shape=(n,))
        return found


def ask(model: Model, targets: Sequence[Sequence[int]], evidence: Evidence, row: int, subject: str) -> Question:
    """The question of one row of evidence.

    Raises:
        EvidenceError: when a value is missing in part.
        PlanError: on evidence for a numeric variable that is computed from others.
    """
    variables = model.graph.variables
    known = {v: torch.tensor(int(states[row])) for v, states in evidence.hard.items() if states[row] != MISSING}
    known |= {v: values[row] for v, values in evidence.real.items() if not bool(torch.isnan(values[row]).all())}
    for v, value in known.items():
        name = variables[v].name
        if bool(torch.isnan(value).any()):
            raise EvidenceError(f"{subject}: {name!r} is missing in part; expected all its numbers, or NaN for all.")
        if not variables[v].finite and isinstance(model.conditionals.get(name), Deterministic):
            raise PlanError(
                f"{subject}: {name!r} is observed, but Deterministic({name}) has no density. Observe something below "
                "it that adds noise, such as a LinearGaussian or Neural child."
            )
    scopes = tuple(tuple(variables[v] for v in scope) for scope in targets)
    check_targets(scopes, subject)
    device = _device(model)
    likelihoods = {
        variables[v].name: torch.from_numpy(weights[row].copy()).to(device) for v, weights in evidence.soft.items()
    }
    observed = {variables[v].name: value.to(device) for v, value in known.items()}
    return Question(model, scopes, observed, likelihoods, subject)


def check_targets(targets: Sequence[Target], subject: str) -> None:
    """Raise a `PlanError` that names the first joint of finite and numeric variables."""
    for target in targets:
        if len({v.finite for v in target}) == 2:
            names = ", ".join(v.name for v in target)
            raise PlanError(
                f"{subject}: ({names}) has finite and numeric variables; ask for them apart, or look at `samples`."
            )


def one_row(evidence: Evidence, subject: str) -> None:
    """Raise an `EvidenceError` when the evidence is a batch."""
    if evidence.batched:
        raise EvidenceError(f"{subject}: evidence has {evidence.rows} rows, expected one; call infer once a row.")


def _device(model: Model) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
