"""In which order a problem's variables are eliminated: numeric before finite ones, so that every step stays exact."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ..compiled.elimination import moral_matrix
from ..contraction import Contraction
from ..errors import PlanError
from ..graph import Graph
from ..order import flatten, search_matrix
from ..plan import NONE, Leaf, Plan, Query, Tree, human_bytes
from .canonical import Block

NUMBER_BYTES = 8 * 6  # a number of the precision, and the copies that a step and its gradient make of it


@dataclass(frozen=True)
class Shape:
    """What planning has to know of a problem; it holds no numbers.

    Args:
        graph: the model's structure.
        query: what is asked.
        sources: where each part comes from, as `Leaf.source` says.
        scopes: the variables of each part.
        blocks: the coordinates of each numeric variable that is left.
        reads: scopes that are to lie in one leaf, so that answers can be read there.
        maximised: variables that are maximised instead of integrated or summed.
    """

    graph: Graph
    query: Query
    sources: tuple[int, ...]
    scopes: tuple[tuple[int, ...], ...]
    blocks: tuple[tuple[int, Block], ...]
    reads: tuple[tuple[int, ...], ...] = ()
    maximised: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Program:
    """A plan, and what running it takes beyond the tree.

    Args:
        plan: with one tree.
        groups: for each leaf of the tree the parts that are multiplied to make it; none for a leaf of ones.
        reading: for each scope to be read the leaf that holds it.
        blocks: the coordinates of each numeric variable.
        maximised: variables that are maximised.
        entries: numbers held at once for one row.
    """

    plan: Plan
    groups: tuple[tuple[int, ...], ...]
    reading: tuple[int, ...]
    blocks: Mapping[int, Block]
    maximised: frozenset[int]
    entries: float

    @property
    def tree(self) -> Tree:
        return self.plan.trees[0]

    @property
    def nbytes(self) -> float:
        """Memory that is held between questions."""
        return 200.0 * len(self.tree.scopes)


def compiled(shape: Shape) -> Program:
    """The cheapest program found for a shape."""
    leaves, groups = _grouped(shape)
    blocks = dict(shape.blocks)
    reading = []
    for scope in shape.reads:
        holding = [i for i, leaf in enumerate(leaves) if set(scope) <= set(leaf.scope)]
        if not holding:
            leaves.append(Leaf(NONE, scope))
            groups.append(())
            holding = [len(leaves) - 1]
        reading.append(min(holding, key=lambda i: len(leaves[i].scope)))
    trees = [_tree(leaves, order, shape, blocks) for order in _orders(leaves, shape, blocks)]
    tree = min(trees, key=lambda each: _operations(each, shape.graph.sizes, blocks))
    entries = sum(_entries(scope, shape.graph.sizes, blocks) for scope in tree.scopes)
    numbers = sum(block.length for block in blocks.values())
    widest = max((_length(tree.widest(step), blocks) for step in tree.steps), default=0)
    power = np.log2(max(_operations(tree, shape.graph.sizes, blocks), 1.0))
    text = (
        f"Gaussian elimination of {numbers:,} numbers, at most {widest:,} at a time, 2^{power:.1f} multiply-adds a row"
    )
    plan = Plan(shape.graph, shape.query, (tree,), (), text, NUMBER_BYTES * entries)
    return Program(plan, tuple(groups), tuple(reading), blocks, shape.maximised, entries)


def _grouped(shape: Shape) -> tuple[list[Leaf], list[tuple[int, ...]]]:
    """Parts of the same variables are one leaf."""
    groups: dict[frozenset[int], list[int]] = {}
    for part, scope in enumerate(shape.scopes):
        groups.setdefault(frozenset(scope), []).append(part)
    parts = list(groups.values()) or [[]]
    leaves = [Leaf(shape.sources[group[0]], shape.scopes[group[0]]) if group else Leaf(NONE, ()) for group in parts]
    return leaves, [tuple(group) for group in parts]


def _orders(leaves: Sequence[Leaf], shape: Shape, blocks: Mapping[int, Block]) -> list[list[int]]:
    """Orders worth trying: the greedy one, and where exact relations are observed one from causes to effects."""
    variables = sorted({v for leaf in leaves for v in leaf.scope})
    local = {v: i for i, v in enumerate(variables)}
    stage = {v: _stage(v, shape, blocks) for v in variables}
    matrix = moral_matrix(len(variables), *flatten([[local[v] for v in leaf.scope] for leaf in leaves]))
    weights = np.array([1.0 + blocks[v].length if v in blocks else float(shape.graph.sizes[v]) for v in variables])
    first = np.array([int(v not in blocks) for v in variables], dtype=np.int64)
    found, _ = search_matrix(matrix, weights, first, 0.0)
    greedy = sorted((variables[i] for i in found.tolist()), key=stage.__getitem__)
    late = [v for v in variables if v in blocks and blocks[v].late]
    if not late:
        return [greedy]
    rank = {shape.graph.numbers[name]: i for i, name in enumerate(shape.graph.topological)}
    causal = sorted(greedy, key=lambda v: (stage[v], rank[v] if v in blocks else 0))
    return [causal, _postponed(greedy, {v: _ancestors(v, shape.graph) & set(blocks) for v in late}, shape.graph)]


def _postponed(order: list[int], above: Mapping[int, set[int]], graph: Graph) -> list[int]:
    """The order with variables moved behind their ancestors."""
    kept = [v for v in order if v not in above]
    place = {v: i for i, v in enumerate(kept)}
    after = {v: max((place[a] for a in around if a in place), default=-1) for v, around in above.items()}
    ranks = {graph.numbers[name]: i for i, name in enumerate(graph.topological)}
    return sorted([*kept, *above], key=lambda v: (after.get(v, place.get(v, -1)), v in after, ranks[v] * (v in after)))


def _ancestors(v: int, graph: Graph) -> set[int]:
    found: set[int] = set()
    waiting = list(graph.parents[graph.names[v]])
    while waiting:
        name = waiting.pop()
        if graph.numbers[name] not in found:
            found.add(graph.numbers[name])
            waiting.extend(graph.parents[name])
    return found


def _stage(v: int, shape: Shape, blocks: Mapping[int, Block]) -> int:
    """Numeric variables are integrated, then maximised; then finite ones are summed, then maximised."""
    return 2 * (v not in blocks) + (v in shape.maximised)


def _tree(leaves: Sequence[Leaf], order: Sequence[int], shape: Shape, blocks: Mapping[int, Block]) -> Tree:
    sizes = [1 + blocks[v].length if v in blocks else n for v, n in enumerate(shape.graph.sizes)]
    work = Contraction(leaves, sizes, ())
    summed, largest = (
        frozenset(v for v in order if v not in blocks and (v in shape.maximised) == m) for m in (False, True)
    )
    for v in order:
        maximise = v in shape.maximised
        work.eliminate(v, {v} if v in blocks else largest if maximise else summed, maximise)
    work.finish()
    return Tree(work.leaves, tuple(work.steps), (), True)


def _length(scope: Collection[int], blocks: Mapping[int, Block]) -> int:
    return sum(blocks[v].length for v in scope if v in blocks)


def _entries(scope: Collection[int], sizes: Sequence[int], blocks: Mapping[int, Block]) -> float:
    n = _length(scope, blocks)
    return prod([float(sizes[v]) for v in scope if v not in blocks]) * (1 + n + n * n)


def _operations(tree: Tree, sizes: Sequence[int], blocks: Mapping[int, Block]) -> float:
    """Multiply-adds of one row."""
    total = 0.0
    for step in tree.steps:
        widest = tree.widest(step)
        total += prod([float(sizes[v]) for v in widest if v not in blocks]) * (1.0 + _length(widest, blocks)) ** 3
    return total


def check_memory(program: Program, allowed: float) -> None:
    """Raise a `PlanError` when one row does not fit into the memory allowed."""
    need = NUMBER_BYTES * program.entries
    if need > allowed:
        step = max(
            program.tree.steps, key=lambda s: _entries(program.tree.widest(s), program.plan.sizes, program.blocks)
        )
        names = ", ".join(program.plan.names(program.tree.widest(step))[:8])
        raise PlanError(
            f"plan: would take {human_bytes(need)} (limit {human_bytes(allowed)}): widest clique {{{names}}}. "
            "Observe one of these, or use engine=SVI(), NUTS() or Importance()."
        )
