"""Running a program: upwards to the evidence, downwards to one point, and by gradient to all marginals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..plan import NONE, Step
from .canonical import Block, Canonical, Trail, arranged, axes, eliminate, multiply, places, solve, without
from .planning import Program

Choose = Callable[[Tensor], Tensor]  # logarithms [rows, choices] -> the index chosen in each row


def grouped(program: Program, parts: Sequence[Canonical], like: Tensor) -> list[Canonical]:
    """The leaves of the tree: the parts of each group multiplied."""
    found = []
    for leaf, group in zip(program.tree.leaves, program.groups, strict=True):
        finite, numeric = _split(leaf.scope, program.blocks)
        factor = (
            _one(finite, numeric, program, like)
            if not group
            else arranged(parts[group[0]], finite, numeric, program.blocks)
        )
        for part in group[1:]:
            factor = multiply(factor, parts[part], finite, numeric, program.blocks)
        found.append(factor)
    return found


def _one(finite: tuple[int, ...], numeric: tuple[int, ...], program: Program, like: Tensor) -> Canonical:
    """The factor that is one everywhere."""
    n = sum(program.blocks[v].length for v in numeric)
    shape = [1, *(program.plan.sizes[v] for v in finite)]
    late = any(block.late for block in program.blocks.values())
    reach = like.new_zeros(*shape, 2, n) if late else None
    return Canonical(
        finite, numeric, like.new_zeros(shape), like.new_zeros(*shape, n), like.new_zeros(*shape, n, n), reach
    )


def _split(scope: Sequence[int], blocks: Mapping[int, Block]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(v for v in scope if v not in blocks), tuple(v for v in scope if v in blocks)


@dataclass(frozen=True, eq=False)
class Upward:
    """What the upward pass leaves.

    Args:
        factors: of the tree, leaves first; the last one's constant is the log evidence.
        trails: for each step that eliminates a numeric variable its finite axes and what `solve` needs.
    """

    factors: list[Canonical]
    trails: dict[int, tuple[tuple[int, ...], Trail]]

    @property
    def total(self) -> Tensor:
        """The log evidence, `[rows or 1]`."""
        return self.factors[-1].constant


def upward(program: Program, leaves: Sequence[Canonical]) -> Upward:
    """Run all steps of the tree."""
    factors = list(leaves)
    trails: dict[int, tuple[tuple[int, ...], Trail]] = {}
    tree, diagonal, names = program.tree, _diagonal(leaves, program), program.plan.graph.names
    for number, step in enumerate(tree.steps):
        gone = [v for v in tree.widest(step) if v not in step.scope]
        first = [v for v in gone if v in program.blocks]
        joint = _joint(program, factors, step, first)
        for v in first:
            trail: Trail = []
            trails[number] = joint.finite, trail
            joint = eliminate(joint, program.blocks[v], v in program.maximised, names[v], diagonal[v], trail)
        factors.append(without(joint, gone, step.maximise) if gone and not first else joint)
    return Upward(factors, trails)


def _joint(program: Program, factors: Sequence[Canonical], step: Step, first: Sequence[int]) -> Canonical:
    """The product that a step starts with, the numeric variable that it removes in front."""
    finite, numeric = _split(program.tree.widest(step), program.blocks)
    numeric = (*first, *(v for v in numeric if v not in first))
    if step.right == NONE:
        return arranged(factors[step.left], finite, numeric, program.blocks)
    return multiply(factors[step.left], factors[step.right], finite, numeric, program.blocks)


def _diagonal(leaves: Sequence[Canonical], program: Program) -> dict[int, float]:
    """For each variable without multipliers the largest number that its precision is a sum of."""
    found = dict.fromkeys(program.blocks, 0.0)
    for leaf in leaves:
        low = 0
        for v in leaf.numeric:
            high = low + program.blocks[v].length
            if not program.blocks[v].dual:
                found[v] += float(leaf.precision.detach().diagonal(dim1=-2, dim2=-1)[..., low:high].abs().max())
            low = high
    return found


@dataclass(frozen=True, eq=False)
class Point:
    """One value of each variable that was eliminated, `[rows]` states and `[rows, hidden]` numbers."""

    states: dict[int, Tensor]
    numbers: dict[int, Tensor]


def downward(program: Program, run: Upward, rows: int, choose: Choose) -> Point:
    """From the root to a state of each finite variable, and to the mean of each numeric one given those.

    Args:
        program, run: a program and its upward pass.
        rows: how many.
        choose: picks among logarithms `[rows, choices]`: the largest, or one at random.
    """
    tree, sizes = program.tree, program.plan.sizes
    states: dict[int, Tensor] = {}
    solved: dict[int, Tensor] = {}
    for number, step in reversed(list(enumerate(tree.steps))):
        widest = tree.widest(step)
        gone = [v for v in widest if v not in step.scope]
        if number in run.trails:
            finite, trail = run.trails[number]
            chosen = []
            for each in trail:
                inverse, cross, head = (_at(x, finite, states, rows, sizes) for x in each)
                chosen.append((inverse, cross, head))
            rest = [solved[v] for v in widest if v in program.blocks and v not in gone]
            solved[gone[0]] = solve(chosen, torch.cat(rest, -1) if rest else trail[0][2].new_zeros(rows, 0))
        elif gone:
            operands = [run.factors[i] for i in (step.left, step.right) if i != NONE]
            logs = [_at(each.constant, each.finite, states, rows, sizes, gone) for each in operands]
            whole = sum(logs[1:], start=logs[0]).expand(rows, *(sizes[v] for v in gone))
            _settle(states, gone, choose(whole.reshape(rows, -1)), sizes)
    numbers = {v: z[:, program.blocks[v].dual :][:, : program.blocks[v].primal] for v, z in solved.items()}
    return Point(states, {v: x for v, x in numbers.items() if x.shape[1]})


def _at(
    values: Tensor,
    finite: tuple[int, ...],
    states: Mapping[int, Tensor],
    rows: int,
    sizes: Sequence[int],
    free: Sequence[int] = (),
) -> Tensor:
    """Values `[rows, *finite, *rest]` at the states chosen so far, `[rows or 1, *free, *rest]`."""
    seen = [v for v in finite if v in states]
    moved = axes(values, finite, (*seen, *free))
    if not seen:
        return moved
    moved = moved.expand(rows, *(sizes[v] for v in seen), *moved.shape[len(seen) + 1 :])
    return moved[(torch.arange(rows, device=values.device), *(states[v] for v in seen))]


def _settle(states: dict[int, Tensor], gone: Sequence[int], chosen: Tensor, sizes: Sequence[int]) -> None:
    for v in reversed(gone):
        states[v] = chosen % sizes[v]
        chosen = chosen // sizes[v]


@dataclass(frozen=True, eq=False)
class Belief:
    """The marginal of some variables.

    Args:
        states: probabilities `[rows, *states]`.
        mean: of the hidden numbers side by side, beyond the centre, `[rows, n]`.
        covariance: of the same, `[rows or 1, n, n]`.
    """

    states: Tensor
    mean: Tensor
    covariance: Tensor


def marginals(
    program: Program, leaves: Sequence[Canonical], reads: Sequence[tuple[int, ...]], rows: int
) -> tuple[Tensor, list[Belief]]:
    """The log evidence `[rows]`, and the marginal of each scope that the program reads."""
    alike = not any(leaf.finite or len(leaf.precision) > 1 for leaf in leaves)  # then all rows have one covariance
    total, found = gradients(program, leaves, rows, alike)
    pairs = zip(program.reading, reads, strict=True)
    return total, [_belief(found[i], leaves[i], scope, program, rows) for i, scope in pairs]


Gradient = tuple[Tensor, Tensor, Tensor]  # in the constant, the shift and the precision of a leaf


def gradients(
    program: Program, leaves: Sequence[Canonical], rows: int, alike: bool = False
) -> tuple[Tensor, dict[int, Gradient]]:
    """The log evidence `[rows]`, and its gradient in the leaves that are read.

    With Z the total, d log Z / dg is the probability of each state, d log Z / dh the mean and d log Z / dK minus half
    the second moment, both times that probability: one backward pass gives them all.

    Args:
        program, leaves, rows: as for `upward`.
        alike: whether to sum the gradient in the precision over the rows.
    """
    leaves, asked = list(leaves), sorted(set(program.reading))
    for i in asked:
        leaves[i] = _watched(leaves[i], rows, alike, program.plan.sizes)
    with torch.enable_grad():
        total = upward(program, leaves).total.expand(rows)
        watched = [each for i in asked for each in (leaves[i].constant, leaves[i].shift, leaves[i].precision)]
        found = torch.autograd.grad(total.sum(), watched, allow_unused=True) if asked else ()
    parts = [torch.zeros_like(w) if g is None else g for g, w in zip(found, watched, strict=True)]
    return total.detach(), {i: (parts[3 * n], parts[3 * n + 1], parts[3 * n + 2]) for n, i in enumerate(asked)}


def _watched(leaf: Canonical, rows: int, alike: bool, sizes: Sequence[int]) -> Canonical:
    """The same factor, with a tensor of its own for every row and state, so that gradients keep them apart."""
    n = leaf.shift.shape[-1]
    grid = [rows, *(sizes[v] for v in leaf.finite)]

    def own(values: Tensor, *shape: int) -> Tensor:
        return values.detach().expand(shape).clone().requires_grad_()

    constant, shift = own(leaf.constant, *grid), own(leaf.shift, *grid, n)
    precision = own(leaf.precision, *([1] if alike else grid), n, n)
    return replace(leaf, constant=constant, shift=shift, precision=precision)


def _belief(gradient: Gradient, leaf: Canonical, scope: Sequence[int], program: Program, rows: int) -> Belief:
    """The marginal of a scope from the gradient in the leaf that holds it."""
    constant, shift, precision = gradient
    place, _ = places(leaf.numeric, program.blocks)
    blocks = program.blocks
    own = [i for v in scope if v in blocks for i in place[v][blocks[v].dual : blocks[v].dual + blocks[v].primal]]
    finite = [v for v in scope if v not in blocks]
    gone = [axis + 1 for axis, v in enumerate(leaf.finite) if v not in finite]
    states = constant.sum(gone) if gone else constant
    states = axes(states, [v for v in leaf.finite if v in finite], finite)
    every = tuple(range(1, 1 + len(leaf.finite)))
    mean = (shift.sum(every) if every else shift)[:, own]
    second = -(precision + precision.mT)[..., own, :][..., own]
    second = second.sum(every) if every else second
    outer = mean.unsqueeze(-1) * mean.unsqueeze(-2)
    if len(second) < rows:
        return Belief(states, mean, (second - outer.sum(0, keepdim=True)) / rows)
    return Belief(states, mean, second - outer)
