"""The tape: a plan unrolled for one processor into a flat list of multiply-adds.

Structural zeros of the tables are dropped while unrolling, which exploits determinism as compiled circuits do.
The tape depends on the plan and on which parameters are zero, never on their other values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from .compiled import row, unroll
from .plan import NONE, Leaf, Plan

INT = np.int64
GROWING = 1.5  # arrays that double when full are held twice for a moment
STEP_BYTES = 2560  # a step and its operands as Python objects
WALKED = ("maximum", "sample")  # tasks that go from multiply-add to multiply-add
NOTHING = np.zeros((1, 0), dtype=INT)
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Tape:
    """Arrays that the kernels of `pgm.compiled.row` run.

    Entries 0 and 1 are the constants one and zero; the entries of all tensors follow, tree by tree, leaves first.

    Args:
        keys: [entry] row-major index of an entry in its tensor's own axes; kept for walks only.
        leaves, seen, rel: how inputs are gathered; see `row.gather`.
        trees, steps, ptr, left, right, blocks, order: the multiply-adds; see `row.upward`.
        reads, spots, fixed: how answers are read; see `row.read`.
        links, places, main: how the tensors hang together; see `walks.explain_rows`.
        width: length of one row of answers.
        unrolling: bytes taken while unrolling.
    """

    keys: Array
    leaves: Array
    seen: Array
    rel: Array
    trees: Array
    steps: Array
    ptr: Array
    left: Array
    right: Array
    blocks: Array
    order: Array
    reads: Array
    spots: Array
    fixed: Array
    links: Array
    places: Array
    main: int
    width: int
    unrolling: float

    @property
    def entries(self) -> int:
        """How many numbers one row holds."""
        return len(self.ptr) - 1

    @property
    def operations(self) -> int:
        """How many multiply-adds one upward pass takes."""
        dense = np.prod(self.blocks[self.blocks[:, 0] > 0, :4], axis=1).sum() if len(self.blocks) else 0
        return len(self.left) + int(dense)

    @property
    def nbytes(self) -> float:
        """Memory that the tape and the numbers of one row hold."""
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray)) + 16.0 * self.entries

    @property
    def peak_bytes(self) -> float:
        """Memory that unrolling the tape and running one row take at their peak."""
        return self.unrolling + 16.0 * self.entries


@dataclass(frozen=True, eq=False)
class Layout:
    """Where numbers lie: parameters, likelihoods, the columns of evidence and the answers of one row.

    Args:
        scopes: variables of each term, in the order of its axes.
        bases: place of each term's table in the flat array of parameters; the last is that of a constant one.
        columns: column of each observed variable in a row of state numbers.
        soft: place of each soft variable in a row of likelihoods.
        answers: place of each target in a row of answers, and the row's length at the end.
    """

    scopes: tuple[tuple[int, ...], ...]
    bases: tuple[int, ...]
    columns: dict[int, int]
    soft: dict[int, int]
    answers: tuple[int, ...]


def layout_of(plan: Plan) -> Layout:
    """The layout that a plan's query and structure imply."""
    scopes, sizes, query = plan.graph.scopes, plan.sizes, plan.query
    columns = {v: place for place, v in enumerate(sorted(query.observed))}
    lengths = [prod(sizes[v] for v in scope) for scope in scopes]
    widths = [_width(target, sizes, columns) for target in query.targets] if query.task == "marginal" else []
    softs = sorted(query.soft)
    soft = dict(zip(softs, _running([sizes[v] for v in softs]), strict=False))
    return Layout(scopes, tuple(_running(lengths)), columns, soft, tuple(_running(widths)))


def _width(target: Sequence[int], sizes: Sequence[int], columns: Collection[int]) -> int:
    """Numbers that a target's answer takes: all states of a lone variable, of a joint those of its free ones."""
    return sizes[target[0]] if len(target) == 1 else prod(sizes[v] for v in target if v not in columns)


def _running(lengths: Sequence[int]) -> list[int]:
    """Where each piece starts when pieces of these lengths are laid end to end, and the end."""
    return [0, *accumulate(lengths)]


def _free(scope: Sequence[int], columns: dict[int, int]) -> tuple[int, ...]:
    return tuple(v for v in scope if v not in columns)


def make_tape(plan: Plan, layout: Layout, values: Array, limit: int) -> Tape | None:
    """Unroll a plan, or return None when that takes more than `limit` multiply-adds.

    Args:
        plan: the plan.
        layout: its layout.
        values: all parameters in one flat array, a 1 at the end; only whether they are zero matters.
        limit: the most multiply-adds that are worth it.
    """
    tensors = _Tensors(plan, layout)
    walked = plan.query.task in WALKED
    fits, scratch, *arrays, blocks, order = unroll.unroll(*tensors.arrays, values, limit, not walked)
    if not fits:
        return None
    unrolling = GROWING * (sum(array.nbytes for array in arrays) + order.nbytes) + scratch
    unrolling += 3 * values.nbytes + STEP_BYTES * len(tensors.tensors)
    *arrays, order = unroll.prune(*arrays, blocks, order, _ints(tensors.roots))
    starts, keys, ptr, left, right = arrays
    return replace(tensors.tape(starts, keys, ptr, left, right, blocks, order), unrolling=unrolling)


@dataclass(frozen=True)
class _Tensor:
    """One tensor: its kind and scope; the operands of a step; where a leaf's entries lie.

    Args:
        kind, scope: as `unroll.unroll` takes them.
        left, right: operands of a step, numbered over all trees.
        base, strides: of a leaf's own axes in the flat parameters, or in a row of likelihoods when `soft`.
        seen: observed variables of a leaf with their strides.
        evidence: whether the tensor's tree is evidence.
    """

    kind: int
    scope: tuple[int, ...]
    left: int = 0
    right: int = 0
    base: int = 0
    strides: tuple[int, ...] = ()
    seen: tuple[tuple[int, int], ...] = ()
    soft: bool = False
    evidence: bool = True


class _Tensors:
    """The tensors of all trees in one numbering, as arrays for `unroll`."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        self.firsts: list[int] = []
        self.roots: list[int] = []
        count = 0
        for tree in plan.trees:
            self.firsts.append(count)
            count += len(tree.scopes)
            self.roots.append(count - 1)
        self.tensors: list[_Tensor] = []
        for first, tree in zip(self.firsts, plan.trees, strict=True):
            self.tensors.extend(self._leaf(leaf, tree.evidence) for leaf in tree.leaves)
            for step in tree.steps:
                right = first + step.right if step.right != NONE else NONE
                strides = (0,) * len(step.scope)
                self.tensors.append(_Tensor(unroll.STEP, step.scope, first + step.left, right, strides=strides))

    def _leaf(self, leaf: Leaf, evidence: bool) -> _Tensor:
        """A leaf's own strides and those of its observed axes, within the flat parameters."""
        sizes, terms = self.plan.sizes, len(self.layout.scopes)
        if leaf.source == NONE:
            return _Tensor(unroll.FULL, leaf.scope, base=self.layout.bases[-1], strides=(0,) * len(leaf.scope))
        if leaf.source >= terms:
            place = self.layout.soft[leaf.source - terms]
            return _Tensor(unroll.FULL, leaf.scope, base=place, strides=(1,), soft=True, evidence=evidence)
        stride = 1
        own: list[tuple[int, int]] = []
        seen: list[tuple[int, int]] = []
        for v in reversed(self.layout.scopes[leaf.source]):
            (seen if v in self.layout.columns else own).append((v, stride))
            stride *= sizes[v]
        strides = tuple(each for _, each in reversed(own))
        base = self.layout.bases[leaf.source]
        return _Tensor(unroll.TABLE, leaf.scope, 0, 0, base, strides, tuple(seen), evidence=evidence)

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        """The arguments of `unroll.unroll` up to the sizes."""
        sizes, all_ = self.plan.sizes, self.tensors
        seen = [pair for each in all_ for pair in each.seen]
        scopes = [each.scope for each in all_]
        return (
            _ints([each.kind for each in all_]),
            _edges(scopes),
            _flat(scopes),
            _ints([each.left for each in all_]),
            _ints([each.right for each in all_]),
            _ints([each.base for each in all_]),
            _flat([each.strides for each in all_]),
            _edges([each.seen for each in all_]),
            _ints([sizes[v] for v, _ in seen]),
            _ints([stride for _, stride in seen]),
            _ints(sizes),
        )

    def tape(
        self, starts: Array, keys: Array, ptr: Array, left: Array, right: Array, blocks: Array, order: Array
    ) -> Tape:
        """The frozen tape from what unrolling gave."""
        kinds, axis_starts, axes, _, _, _, strides, *_, sizes = self.arrays
        rel = unroll.leaf_places(kinds, starts, axis_starts, axes, strides, sizes, keys)
        reads, spots, fixed = self._reads(starts, keys)
        walked = self.plan.query.task in WALKED
        links, (places, main) = (self._links(), self._places()) if walked else (NOTHING, (NOTHING, NONE))
        return Tape(
            keys=keys if walked else NOTHING[0], leaves=self._leaves(starts), seen=self._seen(), rel=rel,
            trees=self._trees(starts), steps=self._steps(starts, blocks), ptr=ptr, left=left, right=right,
            blocks=blocks, order=order, reads=reads, spots=spots, fixed=fixed, links=links, places=places,
            main=main, width=self.layout.answers[-1], unrolling=0.0,
        )  # fmt: skip

    def _leaves(self, starts: Array) -> Array:
        edges = _edges([each.seen for each in self.tensors])
        rows = [
            (starts[t], starts[t + 1], each.base, each.soft, edges[t], edges[t + 1], each.evidence)
            for t, each in enumerate(self.tensors)
            if each.kind != unroll.STEP
        ]
        return _ints(rows).reshape(-1, 7)

    def _seen(self) -> Array:
        columns = self.layout.columns
        return _ints([(columns[v], stride) for each in self.tensors for v, stride in each.seen]).reshape(-1, 2)

    def _links(self) -> Array:
        rows = [
            (first + number, first + step.left, first + step.right if step.right != NONE else NONE)
            for first, tree in zip(self.firsts, self.plan.trees, strict=True)
            for number, step in enumerate(tree.steps, len(tree.leaves))
        ]
        return _ints(rows).reshape(-1, 3)

    def _places(self) -> tuple[Array, int]:
        """Where the state of each target variable is decoded: in the last tensor that holds it."""
        columns = self.layout.columns
        wanted = dict.fromkeys(v for target in self.plan.query.targets for v in target)
        scopes = [each.scope for each in self.tensors]
        last = {v: t for t, scope in enumerate(scopes) for v in scope}
        rows = []
        for column, v in enumerate(wanted):
            if v not in columns:
                after = scopes[last[v]][scopes[last[v]].index(v) + 1 :]
                rows.append((column, last[v], int(np.prod([self.plan.sizes[u] for u in after])), self.plan.sizes[v]))
        main = max((sum(first <= t for first in self.firsts) - 1 for _, t, _, _ in rows), default=NONE)
        return _ints(rows).reshape(-1, 4), main

    def _trees(self, starts: Array) -> Array:
        rows, step = [], 0
        for root, tree in zip(self.roots, self.plan.trees, strict=True):
            rows.append((step, step + len(tree.steps), starts[root], starts[root + 1], tree.evidence))
            step += len(tree.steps)
        return _ints(rows).reshape(-1, 5)

    def _steps(self, starts: Array, blocks: Array) -> Array:
        rows = []
        for first, tree in zip(self.firsts, self.plan.trees, strict=True):
            wanted = tree.wanted
            for number, step in enumerate(tree.steps, len(tree.leaves)):
                flags = row.MAXIMISE * step.maximise
                if wanted[number]:
                    flags |= row.WANT_LEFT * wanted[step.left]
                    flags |= row.WANT_RIGHT * (step.right != NONE and wanted[step.right])
                t = first + number
                rows.append((starts[t], starts[t + 1], flags, t if blocks[t, 0] else NONE))
        return _ints(rows).reshape(-1, 4)

    def _reads(self, starts: Array, keys: Array) -> tuple[Array, Array, Array]:
        answers, columns = self.layout.answers, self.layout.columns
        trees = zip(self.firsts, self.plan.trees, strict=True)
        found = [(first + each.tensor, each.target) for first, tree in trees for each in tree.reads]
        rows = [(starts[t], starts[t + 1], answers[target], answers[target + 1]) for t, target in found]
        free = [_free(self.plan.query.targets[target], columns) for _, target in found]
        tensors = _ints([t for t, _ in found])
        _, axis_starts, axes, *_, sizes = self.arrays
        spots = unroll.answer_places(tensors, _edges(free), _flat(free), starts, axis_starts, axes, sizes, keys)
        fixed = [
            (columns[target[0]], answers[place])
            for place, target in enumerate(self.plan.query.targets[: len(answers) - 1])
            if len(target) == 1 and target[0] in columns
        ]
        return _ints(rows).reshape(-1, 4), spots, _ints(fixed).reshape(-1, 2)


def _edges(rows: Sequence[Sequence[object]]) -> Array:
    edges = np.zeros(len(rows) + 1, dtype=INT)
    edges[1:] = list(accumulate(map(len, rows)))
    return edges


def _ints(values: Any) -> Array:
    return np.array(values, dtype=INT)


def _flat(rows: Sequence[Sequence[int]]) -> Array:
    return _ints([each for one in rows for each in one])
