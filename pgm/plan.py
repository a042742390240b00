"""Plans: what will be multiplied and summed, in which order, decided from structure alone.

A `Query` says what is asked, a `Plan` how it will be answered: one or more `Tree`s of pairwise contractions.
Both are frozen and know variables by number; a plan prints itself, with names, before anything runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import log2, prod
from typing import Literal, get_args

from .errors import PlanError
from .graph import Graph

Task = Literal["marginal", "log_evidence", "maximum", "sample"]
Scope = tuple[int, ...]
TASKS: tuple[Task, ...] = get_args(Task)
DENSE_BYTES = 8 * 3  # a number, and the copies that a contraction makes of its operands
NONE = -1  # a step without a right operand; a leaf without a term


@dataclass(frozen=True)
class Query:
    """What is asked of a structure; it holds no numbers, so that one plan serves every row of evidence.

    Args:
        task: 'marginal', 'log_evidence', 'maximum' (most probable explanation) or 'sample'.
        targets: scopes asked for, as tuples of variable numbers; for 'maximum' one scope to maximise over.
        observed: variables whose state each row gives.
        soft: variables for which each row gives a likelihood vector.
    """

    task: Task
    targets: tuple[tuple[int, ...], ...] = ()
    observed: frozenset[int] = frozenset()
    soft: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise PlanError(f"Query: task is {self.task!r}, expected one of {', '.join(map(repr, TASKS))}.")


@dataclass(frozen=True)
class Leaf:
    """An input of a tree: a term with its observed axes indexed away, a likelihood vector, or a constant of ones.

    Args:
        source: number of the term; number of terms + v for the likelihood of variable v; -1 for ones.
        scope: the axes left, as variable numbers in the order of the term's scope.
    """

    source: int
    scope: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One contraction: multiply left and right, then sum (or maximise) what is in neither `scope`.

    Args:
        left, right: tensors of the tree, leaves first, then steps in order; right -1 for a plain sum.
        scope: axes of the result: kept in both, then kept from left, then kept from right.
        maximise: whether the axes that vanish are maximised instead of summed.
    """

    left: int
    right: int
    scope: tuple[int, ...]
    maximise: bool = False


@dataclass(frozen=True)
class Read:
    """Where an answer is read: target number `target` in tensor `tensor` of the tree."""

    target: int
    tensor: int


@dataclass(frozen=True)
class Tree:
    """A contraction tree whose last tensor is the root.

    Args:
        leaves: the inputs.
        steps: contractions in the order in which they run.
        reads: answers that the downward pass gives.
        evidence: whether the root's value is a factor of the evidence's probability (each factor occurs once).
    """

    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    reads: tuple[Read, ...]
    evidence: bool

    @cached_property
    def scopes(self) -> tuple[tuple[int, ...], ...]:
        """The axes of every tensor, leaves first."""
        return tuple(leaf.scope for leaf in self.leaves) + tuple(step.scope for step in self.steps)

    @cached_property
    def wanted(self) -> tuple[bool, ...]:
        """For every tensor, whether the downward pass must reach it to answer the reads."""
        flags = [False] * len(self.scopes)
        for read in self.reads:
            flags[read.tensor] = True
        for number, step in enumerate(self.steps, len(self.leaves)):
            below = flags[step.left] or (step.right != NONE and flags[step.right])
            flags[number] = flags[number] or below
        return tuple(flags)

    def widest(self, step: Step) -> tuple[int, ...]:
        """All axes met while a step runs: its clique."""
        right = self.scopes[step.right] if step.right != NONE else ()
        return (*self.scopes[step.left], *(v for v in right if v not in self.scopes[step.left]))


@dataclass(frozen=True, repr=False)
class Plan:
    """How a query will be answered; prints steps, operations, memory and the widest clique.

    Args:
        graph: the structure planned for.
        query: what is asked.
        trees: independent contractions; more than one when groups of targets need different parts of the graph.
        sliced: variables conditioned on, one state combination at a time, to stay within memory.
        executor: what will run the steps, and how large that is.
        bytes_planned: memory that the executor will take at its peak, once that is known.
    """

    graph: Graph
    query: Query
    trees: tuple[Tree, ...]
    sliced: tuple[int, ...] = ()
    executor: str = ""
    bytes_planned: float | None = None
    sizes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", self.graph.sizes)

    @cached_property
    def operations(self) -> float:
        """Multiply-adds of one row on dense tables, both directions, all slices."""
        return self.slices * sum(count for tree in self.trees for _, count in _operations(tree, self.sizes))

    @cached_property
    def entries(self) -> float:
        """Numbers held at once for one row on dense tables: every tensor, and its adjoint where wanted."""
        return max((sum(count for _, count in _entries(tree, self.sizes)) for tree in self.trees), default=0.0)

    def held(self) -> dict[int, float]:
        """Of the `entries`, those in tensors over each variable."""
        trees = [list(_entries(tree, self.sizes)) for tree in self.trees]
        return _by_variable(max(trees, key=lambda found: sum(count for _, count in found), default=[]))

    def work(self) -> dict[int, float]:
        """Of the `operations`, those in cliques that hold each variable."""
        found = _by_variable(each for tree in self.trees for each in _operations(tree, self.sizes))
        return {v: self.slices * count for v, count in found.items()}

    @property
    def peak_bytes(self) -> float:
        """Memory at the peak: the executor's once it is chosen, that of dense tensors before."""
        return self.bytes_planned if self.bytes_planned is not None else DENSE_BYTES * self.entries

    @property
    def slices(self) -> int:
        """How many times the trees run for one row."""
        return prod(self.sizes[v] for v in self.sliced)

    @cached_property
    def clique(self) -> tuple[int, ...]:
        """The widest clique, as variable numbers."""
        cliques = [tree.widest(step) for tree in self.trees for step in tree.steps]
        return max(cliques, key=lambda scope: space(scope, self.sizes), default=())

    def names(self, scope: Iterable[int]) -> tuple[str, ...]:
        """Variable numbers as names."""
        return tuple(self.graph.names[v] for v in scope)

    def __repr__(self) -> str:
        size = f"2^{log2(max(self.operations, 1)):.1f} multiply-adds, {human_bytes(self.peak_bytes)}"
        return f"Plan({self.query.task} of {len(self.query.targets)} targets, {size})"

    def __str__(self) -> str:
        steps = sum(len(tree.steps) for tree in self.trees)
        widest = space(self.clique, self.sizes)
        lines = [
            f"Plan for {self.query.task} of {len(self.query.targets)} targets, {len(self.query.observed)} observed:",
            f"  {steps} steps in {len(self.trees)} tree{'s' * (len(self.trees) != 1)}",
            f"  2^{log2(max(self.operations, 1)):.1f} multiply-adds a row",
            f"  {human_bytes(self.peak_bytes)} at the peak",
            f"  widest clique {widest:.3g} entries: {', '.join(self.names(self.clique)) or 'none'}",
        ]
        if self.executor:
            lines.append(f"  runs as {self.executor}")
        if self.sliced:
            lines.append(f"  {self.slices} slices over {', '.join(self.names(self.sliced))}")
        return "\n".join(lines)

    def table(self, limit: int = 40) -> str:
        """The steps themselves, one a line: the operands, what is removed and the result's axes."""
        return "\n".join(line for tree in self.trees for line in self._lines(tree)[:limit])

    def _lines(self, tree: Tree) -> list[str]:
        lines = []
        for number, step in enumerate(tree.steps, len(tree.leaves)):
            gone = [v for v in tree.widest(step) if v not in step.scope]
            verb = "max" if step.maximise else "sum"
            right = "" if step.right == NONE else f" x #{step.right}"
            result = ", ".join(self.names(step.scope))
            lines.append(f"  #{number} = {verb}[{', '.join(self.names(gone))}] #{step.left}{right} -> [{result}]")
        return lines


def space(scope: Iterable[int], sizes: tuple[int, ...]) -> float:
    """The number of joint states of a scope, as a float (it may be beyond any integer type)."""
    return prod((float(sizes[v]) for v in scope), start=1.0)


def _operations(tree: Tree, sizes: tuple[int, ...]) -> Iterator[tuple[Scope, float]]:
    """The cliques of a tree, and the multiply-adds of each."""
    for number, step in enumerate(tree.steps, len(tree.leaves)):
        wanted, clique = tree.wanted[number], tree.widest(step)
        down = (wanted and tree.wanted[step.left]) + (wanted and step.right != NONE and tree.wanted[step.right])
        yield clique, (1 + down) * space(clique, sizes)


def _entries(tree: Tree, sizes: tuple[int, ...]) -> Iterator[tuple[Scope, float]]:
    """The scopes of the tensors of a tree, and the numbers held for each."""
    for scope, want in zip(tree.scopes, tree.wanted, strict=True):
        yield scope, (1 + want) * space(scope, sizes)


def _by_variable(counts: Iterable[tuple[Scope, float]]) -> dict[int, float]:
    """For each variable the sum over the scopes that hold it."""
    found: dict[int, float] = defaultdict(float)
    for scope, count in counts:
        for v in scope:
            found[v] += count
    return found


def human_bytes(count: float) -> str:
    """Bytes in the largest fitting unit.

    Example:
        >>> human_bytes(3 * 2**20)
        '3.0 MiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.0f} B" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
