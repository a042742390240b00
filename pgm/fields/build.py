"""From a model and what is observed to a random field over what is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log2, prod

import numpy as np
import torch
from torch import Tensor

from ..errors import PlanError
from ..model import Model
from ..structure import ancestral
from ..terms import Local
from .field import Field, Group, Trains

WIDEST = 64  # entries of a table beyond which a factor that is a train of matrices stays one
TOO_WIDE = 2**24  # entries that no table of an approximate engine may have

Hard = Mapping[int, np.ndarray]  # state numbers by variable number, [rows]
Soft = Mapping[int, np.ndarray]  # likelihood vectors by variable number, [rows, states]


@dataclass(frozen=True, eq=False)
class Reduced:
    """A field, and which variables of the model it is about.

    Args:
        field: over the free variables.
        free: the model's number of each of its variables.
    """

    field: Field
    free: tuple[int, ...]


def reduced(
    model: Model,
    hard: Hard,
    soft: Soft,
    rows: int,
    wanted: Sequence[int] | None = None,
    widest: int = WIDEST,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Reduced:
    """The field of what is not observed; differentiable in the model's parameters.

    Args:
        model: a model of finite variables.
        hard: observed state numbers, none missing.
        soft: likelihood vectors.
        rows: how many rows of evidence.
        wanted: the variables that matter; others drop out where they are barren. All when None.
        widest: entries of a table beyond which a noisy or, a cardinality and the like stay trains of matrices.
        dtype, device: of the field; the device is that of the model's parameters by default.

    Raises:
        PlanError: when a table is too large to be made.
    """
    kept = _kept(model, hard, soft, wanted)
    free = tuple(v for v in range(len(model.variables)) if v in kept and v not in hard)
    builder = _Builder(model, hard, free, rows, widest, dtype, device)
    for term, scope in zip(model.terms, model.graph.scopes, strict=True):
        if all(v in kept for v in scope):
            builder.add(term, scope)
    for v, vectors in soft.items():
        builder.weigh(v, safe_log(torch.from_numpy(np.array(vectors)).to(builder.device, torch.float64)).to(dtype))
    return Reduced(replace(builder.field(), ceiling=_ceiling(model, soft)), free)


def _ceiling(model: Model, soft: Soft) -> float:
    """What the log evidence cannot exceed: it is that of a probability times likelihoods where all is conditionals."""
    if len(model.conditionals) < len(model.variables) or model.potentials:
        return inf
    return sum(float(np.log(vectors.max())) for vectors in soft.values() if vectors.max() > 0)


def _kept(model: Model, hard: Hard, soft: Soft, wanted: Sequence[int] | None) -> set[int]:
    """The numbers of the variables that matter: what is barren drops out."""
    if wanted is None or not model.conditionals:
        return set(range(len(model.variables)))
    names, number = model.graph.names, model.graph.numbers
    about = {*wanted, *hard, *soft}
    undirected = [name for name in names if name not in model.conditionals]  # one that is in no term counts its states
    roots = [names[v] for v in about] + undirected + [v.name for term in model.potentials for v in term.scope]
    return {number[name] for name in ancestral(model.graph, list(dict.fromkeys(roots))).names}


class _Builder:
    """Collects factors by their shape and by which of their axes are observed."""

    def __init__(
        self,
        model: Model,
        hard: Hard,
        free: tuple[int, ...],
        rows: int,
        widest: int,
        dtype: torch.dtype,
        device: torch.device | str | None,
    ) -> None:
        held = next(model.parameters(), None)
        self.device = torch.device(device or ("cpu" if held is None else held.device))
        self.dtype, self.rows, self.widest = dtype, rows, widest
        self.place = {v: k for k, v in enumerate(free)}
        self.names = tuple(model.graph.names[v] for v in free)
        self.states = {v: torch.from_numpy(np.array(states)).to(self.device) for v, states in hard.items()}
        self.sizes = torch.tensor([model.variables[v].size for v in free], dtype=torch.long, device=self.device)
        starts = torch.nn.functional.pad(self.sizes.cumsum(0), (1, 0)).tolist()
        self.starts = dict(zip(free, starts, strict=False))
        self.unary: list[tuple[Tensor, Tensor]] = []  # places of states, and log weights [rows or 1, places]
        self.constant = torch.zeros(rows, dtype=torch.float64, device=self.device)  # a sum of very many
        self.tables: dict[tuple[object, ...], list[tuple[Tensor, tuple[int, ...]]]] = defaultdict(list)
        self.trains: dict[tuple[object, ...], list[tuple[tuple[Tensor, ...], tuple[int, ...]]]] = defaultdict(list)

    def add(self, term: Local, scope: tuple[int, ...]) -> None:
        """Count a term in."""
        sizes = tuple(v.size for v in term.scope)
        cores = term.cores() if prod(sizes) > self.widest else None
        if cores is not None:
            self._couple([core.to(self.device, torch.float64) for core in cores], scope)
            return
        if prod(sizes) > TOO_WIDE:
            raise PlanError(
                f"{term!r}: its table would have 2^{log2(prod(sizes)):.0f} entries. Use NoisyOr, NoisyMax, Parity or "
                "Cardinality for many variables."
            )
        table = term.factor().ordered(term.scope).to(self.device, torch.float64)
        observed = tuple(v in self.states for v in scope)
        self.tables[sizes, observed].append((safe_log(table).to(self.dtype), scope))

    def weigh(self, v: int, logs: Tensor) -> None:
        """Add log weights `[rows or 1, states]` of a variable; of an observed one that of its state is a constant."""
        if v in self.states:
            rows = logs.expand(self.rows, -1)
            self.constant = self.constant + rows.gather(1, self.states[v][:, None]).squeeze(1)
        elif v in self.place:
            start = self.starts[v]
            self.unary.append((torch.arange(start, start + logs.shape[1], device=self.device), logs))

    def _couple(self, cores: list[Tensor], scope: tuple[int, ...]) -> None:
        """A train with the matrices of observed variables multiplied into a neighbour."""
        left: Tensor | None = None  # [rows or 1, l, r] to be multiplied from the left
        kept: list[Tensor] = []
        free: list[int] = []
        for core, v, useful in zip(cores, scope, self._useful(cores, scope), strict=True):
            if v in self.states:
                matrix = core.permute(1, 0, 2)[self.states[v]]  # [rows, left, right]
                left = (matrix if left is None else left @ matrix) * useful.unsqueeze(1)
                peak = left.detach().amax((1, 2), keepdim=True).clamp_min(torch.finfo(left.dtype).tiny)
                left = left / peak  # thousands of causes multiply to less than any number
                self.constant = self.constant + peak.log().reshape(-1)
                continue
            whole = core[None] if left is None else torch.einsum("nij,jsk->nisk", left, core)
            kept.append(whole)
            free.append(v)
            left = None
        if not kept:
            assert left is not None
            self.constant = self.constant + safe_log(left.reshape(-1))
            return
        if left is not None:
            kept[-1] = torch.einsum("nisj,njk->nisk", kept[-1].expand(len(left), -1, -1, -1), left)
        if len(kept) == 1:
            self.weigh(free[0], safe_log(kept[0].sum((1, 3))).to(self.dtype))  # [rows or 1, states]; left, right are 1
            return
        cast = tuple(core.to(self.dtype) for core in kept)
        self.trains[tuple(tuple(core.shape) for core in cast)].append((cast, tuple(free)))

    def _useful(self, cores: list[Tensor], scope: tuple[int, ...]) -> list[Tensor]:
        """Which states after each matrix lead to an end that is not zero, as 1 and 0, `[rows or 1, right]`.

        Others are dropped: beside them those that matter, however improbable, would vanish.
        """
        found = [cores[-1].new_ones(1, 1)]
        for core, v in zip(reversed(cores[1:]), reversed(scope[1:]), strict=True):
            open_ = (core.detach() > 0).to(core)
            if v in self.states:
                some = torch.einsum(
                    "nij,nj->ni", open_.permute(1, 0, 2)[self.states[v]], found[-1].expand(self.rows, -1)
                )
            else:
                some = torch.einsum("isj,nj->ni", open_, found[-1])
            found.append((some > 0).to(core))
        return found[::-1]

    def field(self) -> Field:
        """Everything collected so far."""
        groups = [group for key, members in self.tables.items() if (group := self._group(key, members)) is not None]
        trains = []
        for members in self.trains.values():
            cores = tuple(torch.stack(each, 1) for each in zip(*(cores for cores, _ in members), strict=True))
            trains.append(Trains(self._scopes([scope for _, scope in members]), cores))
        unary = torch.zeros(self.rows, int(self.sizes.sum()), dtype=self.dtype, device=self.device)
        if self.unary:
            places = torch.cat([places for places, _ in self.unary])
            logs = torch.cat([logs.expand(self.rows, -1) for _, logs in self.unary], 1)
            unary = unary.index_add(1, places, logs)
        constant = self.constant.to(self.dtype)
        return Field(self.sizes, unary, tuple(groups), tuple(trains), constant, self.names)

    def _scopes(self, scopes: Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor([[self.place[v] for v in scope] for scope in scopes], device=self.device)

    def _group(self, key: tuple[object, ...], members: list[tuple[Tensor, tuple[int, ...]]]) -> Group | None:
        """Tables of one shape with the same axes observed: indexed by what was seen, and by what is left of them."""
        observed = key[1]
        assert isinstance(observed, tuple)
        logs = torch.stack([table for table, _ in members])[None]  # [1, factors, *sizes]
        seen = [axis for axis, is_seen in enumerate(observed) if is_seen]
        left = [axis for axis, is_seen in enumerate(observed) if not is_seen]
        if seen:
            states = [torch.stack([self.states[scope[axis]] for _, scope in members], 1) for axis in seen]
            order = [0, *(axis + 1 for axis in seen), *(axis + 1 for axis in left)]
            factors = torch.arange(len(members), device=self.device)
            logs = logs[0].permute(order)[(factors, *states)]  # [rows, factors, *left]
        scopes = [tuple(scope[axis] for axis in left) for _, scope in members]
        if not left:
            self.constant = self.constant + logs.sum(1)
        elif len(left) == 1:
            for number, (v,) in enumerate(scopes):
                self.weigh(v, logs[:, number])
        else:
            return Group(self._scopes(scopes), logs)
        return None


def safe_log(values: Tensor) -> Tensor:
    """The logarithm, -inf at exact zeros, with a gradient of 0 there instead of NaN."""
    return torch.where(values > 0, torch.where(values > 0, values, 1.0).log(), -torch.inf)
