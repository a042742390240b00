"""The tape: a plan unrolled for one processor into a flat list of multiply-adds.

Structural zeros of the tables are dropped while unrolling, which exploits determinism as compiled circuits do.
The tape depends on the plan and on which parameters are zero, never on their other values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from . import kernels, unroll
from .plan import NONE, Leaf, Plan
from .relevance import structure_of

INT = np.int64


@dataclass(frozen=True, eq=False)
class Tape:
    """Arrays that the kernels of `pgm.kernels` run.

    Entries 0 and 1 are the constants one and zero; then come the entries of all tensors, tree by tree, leaves before steps.

    Args:
        keys: [entry] row-major index of an entry in its tensor's own axes.
        starts: [tensor + 1] first entry of each tensor.
        leaves, seen, rel: how inputs are gathered; see `kernels.gather`.
        trees, steps, ptr, left, right, blocks, order: the multiply-adds; see `kernels.upward`.
        reads, spots, fixed: how answers are read; see `kernels.read`.
        links, places, main: how the tensors hang together; see `walks.explain_rows`.
        width: length of one row of answers.
    """

    keys: np.ndarray
    starts: np.ndarray
    leaves: np.ndarray
    seen: np.ndarray
    rel: np.ndarray
    trees: np.ndarray
    steps: np.ndarray
    ptr: np.ndarray
    left: np.ndarray
    right: np.ndarray
    blocks: np.ndarray
    order: np.ndarray
    reads: np.ndarray
    spots: np.ndarray
    fixed: np.ndarray
    links: np.ndarray
    places: np.ndarray
    main: int
    width: int

    @property
    def entries(self) -> int:
        """How many numbers one row holds."""
        return len(self.keys)

    @property
    def operations(self) -> int:
        """How many multiply-adds one upward pass takes."""
        dense = np.prod(self.blocks[self.blocks[:, 0] > 0, :4], axis=1).sum() if len(self.blocks) else 0
        return len(self.left) + int(dense)

    @property
    def nbytes(self) -> int:
        """Bytes of the tape itself."""
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))


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
    scopes, sizes, query = structure_of(plan.graph).scopes, plan.sizes, plan.query
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
    return [0, *np.cumsum(lengths, dtype=INT).tolist()]


def _free(scope: Sequence[int], columns: dict[int, int]) -> tuple[int, ...]:
    return tuple(v for v in scope if v not in columns)


def make_tape(plan: Plan, layout: Layout, values: np.ndarray, limit: int) -> Tape | None:
    """Unroll a plan, or return None when that takes more than `limit` multiply-adds.

    Args:
        plan: the plan.
        layout: its layout.
        values: all parameters in one flat array, a 1 at the end; only whether they are zero matters.
        limit: the most multiply-adds that are worth it.
    """
    tensors = _Tensors(plan, layout)
    walked = plan.query.task in ("maximum", "sample")  # walks go from multiply-add to multiply-add
    fits, *arrays, blocks, order = unroll.unroll(*tensors.arrays(), values, limit, not walked)
    if not fits:
        return None
    *arrays, order = unroll.prune(*arrays, blocks, order, np.array(tensors.roots, dtype=INT))
    return tensors.tape(*arrays, blocks, order)


class _Tensors:
    """The tensors of all trees in one numbering, as arrays for `unroll`."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        self.firsts, self.roots, count = [], [], 0
        for tree in plan.trees:
            self.firsts.append(count)
            count += len(tree.scopes)
            self.roots.append(count - 1)
        self.kinds, self.lefts, self.rights, self.bases = [], [], [], []
        self.scopes, self.strides, self.seen = [], [], []
        for first, tree in zip(self.firsts, plan.trees, strict=True):
            for leaf in tree.leaves:
                self._leaf(leaf)
            for step in tree.steps:
                right = first + step.right if step.right != NONE else NONE
                self._add(unroll.STEP, step.scope, first + step.left, right, 0, (0,) * len(step.scope), ())

    def _add(self, kind, scope, left, right, base, strides, seen) -> None:  # type: ignore[no-untyped-def]
        self.kinds.append(kind)
        self.scopes.append(scope)
        self.lefts.append(left)
        self.rights.append(right)
        self.bases.append(base)
        self.strides.append(strides)
        self.seen.append(seen)

    def _leaf(self, leaf: Leaf) -> None:
        """A leaf's own strides and those of its observed axes, within the flat parameters."""
        sizes, terms = self.plan.sizes, len(self.layout.scopes)
        if leaf.source == NONE:
            self._add(unroll.FULL, leaf.scope, 0, 0, self.layout.bases[-1], (0,) * len(leaf.scope), ())
            return
        if leaf.source >= terms:
            self._add(unroll.FULL, leaf.scope, 0, 0, self.layout.soft[leaf.source - terms], (1,), ())
            return
        stride, own, seen = 1, [], []
        for v in reversed(self.layout.scopes[leaf.source]):
            (seen if v in self.layout.columns else own).append((v, stride))
            stride *= sizes[v]
        strides = tuple(s for _, s in reversed(own))
        self._add(unroll.TABLE, leaf.scope, 0, 0, self.layout.bases[leaf.source], strides, tuple(seen))

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arguments of `unroll.unroll` up to the sizes."""
        sizes = self.plan.sizes
        seen = [pair for each in self.seen for pair in each]
        return (
            np.array(self.kinds, dtype=INT),
            _edges(self.scopes),
            _flat(self.scopes),
            np.array(self.lefts, dtype=INT),
            np.array(self.rights, dtype=INT),
            np.array(self.bases, dtype=INT),
            _flat(self.strides),
            _edges(self.seen),
            np.array([sizes[v] for v, _ in seen], dtype=INT),
            np.array([stride for _, stride in seen], dtype=INT),
            np.array(sizes, dtype=INT),
        )

    def tape(self, starts, keys, ptr, left, right, blocks, order) -> Tape:  # type: ignore[no-untyped-def]
        """The frozen tape from what unrolling gave."""
        reads, spots, fixed = self._reads(starts, keys)
        columns = self.layout.columns
        seen = [(columns[v], stride) for each in self.seen for v, stride in each]
        edges = _edges(self.seen)
        leaves = [t for t, kind in enumerate(self.kinds) if kind != unroll.STEP]
        soft = [self.kinds[t] == unroll.FULL and self.strides[t] == (1,) for t in leaves]
        table = np.column_stack(
            [starts[leaves], starts[[t + 1 for t in leaves]], np.array(self.bases, dtype=INT)[leaves], soft,
             edges[leaves], edges[[t + 1 for t in leaves]]]
        ) if leaves else np.zeros((0, 6), dtype=INT)  # fmt: skip
        sizes = self.plan.sizes
        rel = np.zeros(len(keys), dtype=INT)
        for t in leaves:
            own = np.array([sizes[v] for v in self.scopes[t]], dtype=INT)
            place = unroll.leaf_places(keys[starts[t] : starts[t + 1]], own, np.array(self.strides[t], dtype=INT))
            rel[starts[t] : starts[t + 1]] = place
        return Tape(
            keys, starts, table.astype(INT), np.array(seen, dtype=INT).reshape(-1, 2), rel, self._trees(starts),
            self._steps(starts, blocks), ptr, left, right, blocks, order, reads, spots, fixed, self._links(), *self._places(),
            self.layout.answers[-1],
        )  # fmt: skip

    def _links(self) -> np.ndarray:
        rows = [
            (first + number, first + step.left, first + step.right if step.right != NONE else NONE)
            for first, tree in zip(self.firsts, self.plan.trees, strict=True)
            for number, step in enumerate(tree.steps, len(tree.leaves))
        ]
        return np.array(rows, dtype=INT).reshape(-1, 3)

    def _places(self) -> tuple[np.ndarray, int]:
        """Where the state of each target variable is decoded: in the last tensor that holds it."""
        columns = self.layout.columns
        wanted = dict.fromkeys(v for target in self.plan.query.targets for v in target)
        last = {v: t for t, scope in enumerate(self.scopes) for v in scope}
        rows = []
        for column, v in enumerate(wanted):
            if v not in columns:
                after = self.scopes[last[v]][self.scopes[last[v]].index(v) + 1 :]
                rows.append((column, last[v], int(np.prod([self.plan.sizes[u] for u in after])), self.plan.sizes[v]))
        main = max((sum(first <= t for first in self.firsts) - 1 for _, t, _, _ in rows), default=NONE)
        return np.array(rows, dtype=INT).reshape(-1, 4), main

    def _trees(self, starts: np.ndarray) -> np.ndarray:
        rows, step = [], 0
        for root, tree in zip(self.roots, self.plan.trees, strict=True):
            rows.append((step, step + len(tree.steps), starts[root], starts[root + 1], tree.evidence))
            step += len(tree.steps)
        return np.array(rows, dtype=INT).reshape(-1, 5)

    def _steps(self, starts: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        rows = []
        for first, tree in zip(self.firsts, self.plan.trees, strict=True):
            wanted = tree.wanted
            for number, step in enumerate(tree.steps, len(tree.leaves)):
                flags = kernels.MAXIMISE * step.maximise
                if wanted[number]:
                    flags |= kernels.WANT_LEFT * wanted[step.left]
                    flags |= kernels.WANT_RIGHT * (step.right != NONE and wanted[step.right])
                t = first + number
                rows.append((starts[t], starts[t + 1], flags, t if blocks[t, 0] else NONE))
        return np.array(rows, dtype=INT).reshape(-1, 4)

    def _reads(self, starts: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        reads, spots = [], [np.zeros(0, dtype=INT)]
        answers, columns, sizes = self.layout.answers, self.layout.columns, np.array(self.plan.sizes, dtype=INT)
        for first, tree in zip(self.firsts, self.plan.trees, strict=True):
            for each in tree.reads:
                t = first + each.tensor
                target = _free(self.plan.query.targets[each.target], columns)
                scope = np.array(self.scopes[t], dtype=INT)
                mine = keys[starts[t] : starts[t + 1]]
                none = np.zeros(len(scope), dtype=np.bool_)
                spots.append(unroll.project(mine, scope, sizes, np.array(target, dtype=INT), none))
                reads.append((starts[t], starts[t + 1], answers[each.target], answers[each.target + 1]))
        fixed = [
            (columns[target[0]], answers[place])
            for place, target in enumerate(self.plan.query.targets[: len(answers) - 1])
            if len(target) == 1 and target[0] in columns
        ]
        return (np.array(reads, dtype=INT).reshape(-1, 4), np.concatenate(spots),
                np.array(fixed, dtype=INT).reshape(-1, 2))  # fmt: skip


def _edges(rows: Sequence[Sequence[object]]) -> np.ndarray:
    edges = np.zeros(len(rows) + 1, dtype=INT)
    np.cumsum([len(row) for row in rows], out=edges[1:])
    return edges


def _flat(rows: Sequence[Sequence[int]]) -> np.ndarray:
    return np.array([each for row in rows for each in row], dtype=INT)
