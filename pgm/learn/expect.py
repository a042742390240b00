"""The expected statistics of rows given what is seen of them: the E-step of EM, and plain counting without holes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..ask import posterior
from ..columns import columns
from ..conditionals import Tabular
from ..counts import Tallied
from ..engines.exact import Exact
from ..errors import EvidenceError
from ..evidence import Evidence, patterns
from ..gaussians import GaussianConditional
from ..model import Model
from ..terms import Local
from ..variable import Variable
from .statistics import Counts, Part, Scatter, Tied, learnable

NUMBERS = 2**23  # in the posteriors of one block at most


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


def expectations(model: Model, evidence: Evidence, weights: Tensor) -> list[Expectation]:
    """All blocks of the data, ready to be asked."""
    return [Expectation(model, block) for block in blocks(model, evidence, weights)]


def unseen(model: Model, evidence: Evidence) -> frozenset[str]:
    """The names of the finite variables that no row has a value of."""
    numbers, hard = model.graph.numbers, evidence.hard
    seen = {v for v, states in hard.items() if (states >= 0).any()}
    return frozenset(v.name for v in model.variables if v.finite and numbers[v.name] not in seen)


def blocks(model: Model, evidence: Evidence, weights: Tensor) -> Iterator[Block]:
    """Data as blocks of rows, equal rows counted once."""
    names = model.graph.names
    rows, weights = _distinct(evidence, weights)
    kept = Evidence({v: states[rows] for v, states in evidence.hard.items()}, {}, len(rows), True)
    width = 1 + sum(prod(v.size for v in term.scope if v.finite) for term in model.terms)
    width += sum(prod(v.shape) for v in model.variables if not v.finite)
    at_once = max(1, NUMBERS // width)
    for which, hard, soft in patterns(kept, model.graph.sizes):
        for part in np.array_split(which, -(-len(which) // at_once)):
            yield Block(
                rows[part],
                weights[part],
                {names[v]: torch.from_numpy(states[part]) for v, states in hard.items()},
                {names[v]: torch.from_numpy(vectors[part]) for v, vectors in soft.items()},
                {names[v]: numbers[rows[part]].double() for v, numbers in evidence.real.items()},
            )


def _distinct(evidence: Evidence, weights: Tensor) -> tuple[np.ndarray, Tensor]:
    """The first of all equal rows, and their weights together; rows with numbers are all taken as different."""
    if evidence.real or not evidence.hard:
        return np.arange(evidence.rows), weights
    table = np.stack([evidence.hard[v] for v in sorted(evidence.hard)], axis=1)
    _, first, which = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return first, torch.from_numpy(np.bincount(which.reshape(-1), weights.numpy(), len(first)))


@dataclass(frozen=True, eq=False)
class Expectation:
    """One block of rows, ready to be asked again whenever the parameters of the model have changed.

    Where something finite is missing the question goes to the model's finite terms: a term with numbers becomes, once
    those are seen, a likelihood of its missing variables. One such variable takes it as evidence; several are joined in
    a variable that stands for their joint state.
    """

    model: Model
    block: Block

    @cached_property
    def missing(self) -> frozenset[str]:
        """The finite variables that are not seen."""
        return frozenset(v.name for v in self.model.variables if v.finite and v.name not in self.block.hard)

    @cached_property
    def holes(self) -> tuple[str, ...]:
        """The variables that some row misses."""
        return tuple(v.name for v in self.model.variables if not self.block.seen(v))

    @cached_property
    def ties(self) -> tuple[Tied, ...]:
        """What is learned."""
        return learnable(self.model)

    @cached_property
    def numeric(self) -> tuple[tuple[Local, tuple[Variable, ...]], ...]:
        """The terms with numbers, each with its missing variables."""
        terms = [term for term in self.model.terms if not term.enumerable]
        return tuple((term, self.absent(term)) for term in terms)

    def absent(self, term: Local) -> tuple[Variable, ...]:
        """The finite variables in the scope of a term that are missing, in its order."""
        return tuple(v for v in term.scope if v.name in self.missing)

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
    def run(self) -> tuple[tuple[Part, ...], Tensor]:
        """The expected statistics of what is learned, and the log evidence of each row."""
        likelihoods, logs = self._likelihoods()
        joints: dict[tuple[Variable, ...], Tensor] = {}
        if self.missing:
            joints, found = self._posterior(likelihoods)
            logs = logs + found
        else:
            tables = [term for term in self.model.terms if term.enumerable]
            logs = logs + sum(term.log_prob(*map(self.block.value, term.scope)) for term in tables)
        return tuple(self._part(tie, joints) for tie in self.ties), logs

    def _likelihoods(self) -> tuple[dict[str, Tensor], Tensor]:
        """Log-likelihoods `[rows, states]` by name of a missing variable, and the log of what depends on none."""
        found = {name: vectors.log() for name, vectors in self.block.soft.items()}
        logs = torch.zeros(len(self.block), dtype=torch.float64)
        for term, absent in self.numeric:
            table = self._log_table(term, absent)
            if not absent:
                logs = logs + table
                continue
            name = absent[0].name if len(absent) == 1 else _joint(absent).name
            found[name] = found[name] + table if name in found else table
        return found, logs

    def _log_table(self, term: Local, absent: tuple[Variable, ...]) -> Tensor:
        """log_prob at the rows and every joint state of the missing variables, `[rows, joint states]`; or `[rows]`."""
        values = []
        for variable in term.scope:
            if variable in absent:
                shape = [variable.size if each is variable else 1 for each in absent]
                values.append(torch.arange(variable.size).reshape(1, *shape))
            else:
                value = self.block.value(variable)
                values.append(value.reshape(len(value), *[1] * len(absent), *variable.shape))
        found = term.log_prob(*values).double().cpu()
        found = found.expand(len(self.block), *(v.size for v in absent))
        return found.reshape(len(self.block), -1) if absent else found

    def _posterior(self, likelihoods: Mapping[str, Tensor]) -> tuple[dict[tuple[Variable, ...], Tensor], Tensor]:
        """Posteriors of what each learned family misses, `[rows, joint states]`, and log evidence `[rows]`."""
        number, logs = self.skeleton.graph.numbers, torch.zeros(len(self.block), dtype=torch.float64)
        soft = {}
        for name, likelihood in likelihoods.items():
            top = likelihood.amax(1, keepdim=True)
            top = torch.where(top.isfinite(), top, 0.0)
            soft[number[name]] = (likelihood - top).exp().numpy()
            logs = logs + top.squeeze(1)
        hard = {number[name]: states.numpy() for name, states in self.block.hard.items()}
        wanted = {self.absent(copy): None for tie in self.ties for copy in tie.copies}
        scopes = tuple(tuple(number[v.name] for v in scope) for scope in wanted if scope)
        post = posterior(self.skeleton, scopes, Evidence(hard, soft, len(self.block), True), Exact(), "nan")
        self._require_possible(post.log_evidence)
        joints = {scope: post[tuple(v.name for v in scope)].flatten(1) for scope in wanted if scope}
        return joints, logs + post.log_evidence

    def _require_possible(self, logs: Tensor) -> None:
        bad = torch.isneginf(logs).nonzero()
        if len(bad):
            raise EvidenceError(
                f"fit: row {self.block.rows[int(bad[0])]} has probability 0 in the model to begin with; give it tables "
                "without zeros there, or leave the row out."
            )

    def _part(self, tie: Tied, joints: Mapping[tuple[Variable, ...], Tensor]) -> Part:
        parts = [self._of_term(copy, joints) for copy in tie.copies]
        total = parts[0]
        for part in parts[1:]:
            total = total + part  # type: ignore[operator]  # all of one kind
        return total

    def _of_term(self, term: Local, joints: Mapping[tuple[Variable, ...], Tensor]) -> Part:
        absent = self.absent(term)
        cells = [v for v in term.scope if v.finite]
        seen = [v for v in cells if v not in absent]
        sizes = [v.size for v in seen]
        where = self._cell(seen)
        weights = self.block.weights.unsqueeze(1)
        weights = weights * joints[absent] if absent else weights  # [rows, joint states]
        order = [[*seen, *absent].index(v) for v in cells]
        shape = [v.size for v in (*seen, *absent)]
        if isinstance(term, GaussianConditional):
            parts = _scatter(self._vectors(term), where, weights, prod(sizes))
            return Scatter(*(_placed(tensor, shape, order) for tensor in parts))
        if isinstance(term, Tallied):
            values, cells = self.block.value(term.child), _cells(where, prod(sizes))
            tallies = [term.tally(values[rows], weights[rows]) for rows in cells]
            return Counts(_placed(torch.stack(tallies), shape, order))
        table = torch.zeros(prod(sizes), weights.shape[1], dtype=torch.float64).index_add_(0, where, weights)
        return Counts(_placed(table, shape, order))

    def _cell(self, seen: Sequence[Variable]) -> Tensor:
        """The number of each row's joint state of some variables that are seen, `[rows]`."""
        where = torch.zeros(len(self.block), dtype=torch.long)
        for variable in seen:
            where = where * variable.size + self.block.hard[variable.name]
        return where

    def _vectors(self, term: GaussianConditional) -> Tensor:
        scope = (*term.real, term.child)
        return columns(scope, [self.block.value(v) for v in scope], torch.float64)


def _joint(scope: Sequence[Variable]) -> Variable:
    return Variable(f"({', '.join(v.name for v in scope)})", prod(v.size for v in scope))


def _placed(table: Tensor, shape: Sequence[int], order: Sequence[int]) -> Tensor:
    """`[seen, missing, *rest]` with one axis a variable, in the order of the scope."""
    rest = table.shape[2:]
    spread = table.reshape([*shape, *rest])
    return spread.permute([*order, *range(len(shape), spread.dim())])


def _cells(where: Tensor, cells: int) -> tuple[Tensor, ...]:
    """The rows of each cell, some of none."""
    return where.argsort().split(where.bincount(minlength=cells).tolist())


def _scatter(vectors: Tensor, where: Tensor, weights: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, mean and scatter of the rows of each cell `[cells, missing, ...]`."""
    length, missing = vectors.shape[-1], weights.shape[1]
    weight = torch.zeros(cells, missing, dtype=torch.float64)
    mean = torch.zeros(cells, missing, length, dtype=torch.float64)
    scatter = torch.zeros(cells, missing, length, length, dtype=torch.float64)
    order = where.argsort()
    present, lengths = where[order].unique_consecutive(return_counts=True)
    for cell, rows in zip(present.tolist(), order.split(lengths.tolist()), strict=True):
        found = Scatter.of(vectors[rows], weights[rows].T)
        weight[cell], mean[cell], scatter[cell] = found.weight, found.mean, found.scatter
    return weight, mean, scatter
