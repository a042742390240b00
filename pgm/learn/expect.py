"""What rows say about the finite variables that they do not show: the E-step of EM, or nothing to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..conditionals import Tabular
from ..engines.exact import Exact
from ..errors import EvidenceError
from ..evidence import MISSING, Evidence, patterns
from ..finite import posterior
from ..gaussians import GaussianConditional
from ..model import Model
from ..terms import Local
from ..variable import Variable
from .count import Beliefs, Scope, absent
from .statistics import learnable

NUMBERS = 2**23  # in the posteriors of one block at most


class Expectation(Protocol):
    """Some rows, ready to be asked again whenever the parameters of the model have changed."""

    @property
    def holes(self) -> tuple[str, ...]:
        """The variables that some row misses."""

    def run(self) -> tuple[Beliefs, Tensor]:
        """What is known of the rows, and the log evidence of each."""


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that miss the same variables, each with its weight.

    Args:
        rows: which rows of the data these are (of equal rows the first).
        weights: how much each row counts, `[rows]`.
        hard: state numbers by name, none missing, `[rows]`.
        soft: likelihoods by name, one-hot where a cell is seen and 1 where it is not, `[rows, states]`.
        real: numbers by name, none missing, `[rows, *event]`.
    """

    rows: np.ndarray
    weights: Tensor
    hard: Mapping[str, Tensor]
    soft: Mapping[str, Tensor]
    real: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.rows)

    def seen(self, variable: Variable) -> bool:
        """Whether all rows have a value of the variable."""
        return variable.name in self.hard or variable.name in self.real

    def value(self, variable: Variable) -> Tensor:
        """The values of a variable that is seen."""
        return self.hard[variable.name] if variable.finite else self.real[variable.name]


def unseen(model: Model, evidence: Evidence) -> frozenset[str]:
    """The names of the variables that no row has a value of."""
    seen = {v for v, states in evidence.hard.items() if (states >= 0).any()}
    seen |= {v for v, numbers in evidence.real.items() if not bool(numbers.isnan().all())}
    return frozenset(name for name, v in model.graph.numbers.items() if v not in seen)


def blocks(model: Model, evidence: Evidence, weights: Tensor) -> Iterator[Block]:
    """Data as blocks of rows, equal rows counted once."""
    names = model.graph.names
    rows, weights = _distinct(evidence, weights)
    kept = Evidence({v: states[rows] for v, states in evidence.hard.items()}, {}, len(rows), True)
    numbers_seen = sum(prod(v.shape) for v in model.variables if not v.finite)
    for which, hard, soft in patterns(kept, model.graph.sizes):
        seen = {names[v] for v in hard}
        at_once = max(1, NUMBERS // (numbers_seen + sum(_numbers_held(term, seen) for term in model.terms)))
        for part in np.array_split(which, -(-len(which) // at_once)):
            yield Block(
                rows[part],
                weights[part],
                {names[v]: torch.from_numpy(states[part]) for v, states in hard.items()},
                {names[v]: torch.from_numpy(vectors[part]) for v, vectors in soft.items()},
                {names[v]: numbers[rows[part]].double() for v, numbers in evidence.real.items()},
            )


def _numbers_held(term: Local, seen: Set[str]) -> int:
    """How many numbers a row takes: a joint posterior, and for regressions a residual in each joint state not seen."""
    states = prod(v.size for v in term.scope if v.finite and v.name not in seen)
    return states * (1 + prod(term.child.shape)) if isinstance(term, GaussianConditional) else states


def _distinct(evidence: Evidence, weights: Tensor) -> tuple[np.ndarray, Tensor]:
    """The first of all equal rows, and their weights together; rows with numbers are all taken as different."""
    if evidence.real or not evidence.hard:
        return np.arange(evidence.rows), weights
    _, first, which = np.unique(_keys(evidence), return_index=True, return_inverse=True)
    return first, torch.from_numpy(np.bincount(which, weights.numpy(), len(first)))


def _keys(evidence: Evidence) -> np.ndarray:
    """A number for each row, the same for equal rows."""
    keys, bound = np.zeros(evidence.rows, dtype=np.int64), 1
    for states in evidence.hard.values():
        size = int(states.max(initial=MISSING)) + 2
        if bound * size >= 2**62:
            keys, bound = np.unique(keys, return_inverse=True)[1], evidence.rows
        keys, bound = keys * size + states + 1, bound * size
    return keys


@dataclass(frozen=True, eq=False)
class FiniteExpectation:
    """One block of rows in which all numbers are seen.

    Where something finite is missing the question goes to the model's finite terms: a term with numbers becomes, once
    those are seen, a likelihood of its missing variables. One such variable takes it as evidence; several are joined in
    a variable that stands for their joint state.
    """

    model: Model
    block: Block

    @cached_property
    def holes(self) -> tuple[str, ...]:
        """The variables that some row misses."""
        return tuple(v.name for v in self.model.variables if not self.block.seen(v))

    @cached_property
    def numeric(self) -> tuple[tuple[Local, tuple[Variable, ...]], ...]:
        """The terms with numbers, each with its missing variables."""
        terms = [term for term in self.model.terms if not term.enumerable]
        return tuple((term, absent(term, self.block.hard)) for term in terms)

    @cached_property
    def skeleton(self) -> Model:
        """The finite terms, and the joint states that likelihoods of several variables are of."""
        terms = [term for term in self.model.terms if term.enumerable]
        joints = {scope: _joint(scope) for _, scope in self.numeric if len(scope) > 1}
        made = [
            Tabular(joint, scope, torch.eye(joint.size, dtype=torch.float64).reshape(*(v.size for v in scope), -1))
            for scope, joint in joints.items()
        ]
        return Model(*terms, *made, variables=[v for v in self.model.variables if v.finite])

    @torch.no_grad()
    def run(self) -> tuple[Beliefs, Tensor]:
        """What is known of the rows, and the log evidence of each."""
        likelihoods, logs = self._likelihoods()
        states: dict[Scope, Tensor] = {}
        if self.holes:
            states, found = self._posterior(likelihoods)
            logs = logs + found
        else:
            tables = [term for term in self.model.terms if term.enumerable]
            logs = logs + sum(term.log_prob(*map(self.block.value, term.scope)).double().cpu() for term in tables)
        return Beliefs(self.block.weights, {**self.block.hard, **self.block.real}, states), logs

    def _likelihoods(self) -> tuple[dict[str, Tensor], Tensor]:
        """Log-likelihoods `[rows, states]` by name of a missing variable, and the log of what depends on none."""
        found = {name: vectors.log() for name, vectors in self.block.soft.items()}
        logs = torch.zeros(len(self.block), dtype=torch.float64)
        for term, scope in self.numeric:
            table = self._log_table(term, scope)
            if not scope:
                logs = logs + table
                continue
            name = scope[0].name if len(scope) == 1 else _joint(scope).name
            found[name] = found[name] + table if name in found else table
        return found, logs

    def _log_table(self, term: Local, missing: Scope) -> Tensor:
        """log_prob at the rows and every joint state of the missing variables, `[rows, joint states]`; or `[rows]`."""
        values = []
        for variable in term.scope:
            if variable in missing:
                shape = [variable.size if each is variable else 1 for each in missing]
                values.append(torch.arange(variable.size).reshape(1, *shape))
            else:
                value = self.block.value(variable)
                values.append(value.reshape(len(value), *[1] * len(missing), *variable.shape))
        found = term.log_prob(*values).double().cpu()
        found = found.expand(len(self.block), *(v.size for v in missing))
        return found.reshape(len(self.block), -1) if missing else found

    def _posterior(self, likelihoods: Mapping[str, Tensor]) -> tuple[dict[Scope, Tensor], Tensor]:
        """Posteriors of what each learned family misses, `[rows, joint states]`, and log evidence `[rows]`."""
        number, logs = self.skeleton.graph.numbers, torch.zeros(len(self.block), dtype=torch.float64)
        soft = {}
        for name, likelihood in likelihoods.items():
            top = likelihood.amax(1, keepdim=True)
            top = torch.where(top.isfinite(), top, 0.0)
            soft[number[name]] = (likelihood - top).exp().numpy()
            logs = logs + top.squeeze(1)
        hard = {number[name]: states.numpy() for name, states in self.block.hard.items()}
        families = (absent(copy, self.block.hard) for tie in learnable(self.model) for copy in tie.copies)
        wanted = [scope for scope in dict.fromkeys(families) if scope]
        scopes = tuple(tuple(number[v.name] for v in scope) for scope in wanted)
        post = posterior(self.skeleton, scopes, Evidence(hard, soft, len(self.block), True), Exact(), "nan")
        require_possible(post.log_evidence, self.block.rows)
        joints = {scope: post[tuple(v.name for v in scope)].flatten(1) for scope in wanted}
        return joints, logs + post.log_evidence


def require_possible(logs: Tensor, rows: np.ndarray) -> None:
    """Raise an `EvidenceError` that names the first row of probability 0."""
    bad = torch.isneginf(logs).nonzero()
    if len(bad):
        raise EvidenceError(
            f"fit: row {rows[int(bad[0])]} has probability 0 in the model to begin with; give it tables without zeros "
            "there, or leave the row out."
        )


def _joint(scope: Sequence[Variable]) -> Variable:
    return Variable(f"({', '.join(v.name for v in scope)})", prod(v.size for v in scope))
