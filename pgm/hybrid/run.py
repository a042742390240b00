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


def upward(program: Program, leaves: Sequence[Canonical]) -> list[Canonical]:
    """All factors of the tree, leaves first; the last one's constant is the log evidence."""
    factors, tree = list(leaves), program.tree
    diagonal = _diagonal(leaves, program)
    for step in tree.steps:
        gone = [v for v in tree.widest(step) if v not in step.scope]
        first = [v for v in gone if v in program.blocks]
        joint = _joint(program, factors, step, first)
        if first:
            name = program.plan.graph.names[first[0]]
            joint = eliminate(joint, program.blocks[first[0]], first[0] in program.maximised, name, diagonal[first[0]])
        elif gone:
            joint = without(joint, gone, step.maximise)
        factors.append(joint)
    return factors


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


def downward(program: Program, factors: Sequence[Canonical], rows: int, choose: Choose) -> Point:
    """From the root to a state of each finite variable, and to the mean of each numeric one given those.

    Args:
        program, factors: a program and its upward pass.
        rows: how many.
        choose: picks among logarithms `[rows, choices]`: the largest, or one at random.
    """
    tree = program.tree
    states: dict[int, Tensor] = {}
    solved: dict[int, Tensor] = {}
    for step in reversed(tree.steps):
        gone = [v for v in tree.widest(step) if v not in step.scope]
        if not gone:
            continue
        operands = [step.left] if step.right == NONE else [step.left, step.right]
        chosen = [_at(factors[i], states, rows, program.plan.sizes) for i in operands]
        first = gone[0]
        if first in program.blocks:
            numeric = (first, *(v for v in _split(tree.widest(step), program.blocks)[1] if v != first))
            solved[first] = _solved(chosen, first, numeric, solved, program)
        else:
            logs = sum((axes(each.constant, each.finite, gone) for each in chosen), start=torch.zeros(()))
            shape = [rows, *(program.plan.sizes[v] for v in gone)]
            _settle(states, gone, choose(logs.expand(shape).reshape(rows, -1)), program.plan.sizes)
    numbers = {v: z[:, program.blocks[v].dual :][:, : program.blocks[v].primal] for v, z in solved.items()}
    return Point(states, {v: x for v, x in numbers.items() if x.shape[1]})


def _at(factor: Canonical, states: Mapping[int, Tensor], rows: int, sizes: Sequence[int]) -> Canonical:
    """A factor at the states chosen so far, without their axes; rows stay of length 1 where they make no difference."""
    seen = [v for v in factor.finite if v in states]
    if not seen:
        return factor
    free = [v for v in factor.finite if v not in states]

    def chosen(values: Tensor) -> Tensor:
        moved = axes(values, factor.finite, (*seen, *free))
        moved = moved.expand(rows, *(sizes[v] for v in seen), *moved.shape[len(seen) + 1 :])
        return moved[(torch.arange(rows, device=values.device), *(states[v] for v in seen))]

    reach = None if factor.reach is None else chosen(factor.reach)
    parts = (chosen(factor.constant), chosen(factor.shift), chosen(factor.precision))
    return Canonical(tuple(free), factor.numeric, *parts, reach)


def _settle(states: dict[int, Tensor], gone: Sequence[int], chosen: Tensor, sizes: Sequence[int]) -> None:
    for v in reversed(gone):
        states[v] = chosen % sizes[v]
        chosen = chosen // sizes[v]


def _solved(
    factors: Sequence[Canonical], first: int, numeric: tuple[int, ...], solved: Mapping[int, Tensor], program: Program
) -> Tensor:
    """The coordinates of one variable that make the exponent stationary, given those that come after it."""
    one = arranged(factors[0], (), numeric, program.blocks)
    joint = multiply(one, factors[1], (), numeric, program.blocks) if len(factors) > 1 else one
    trail: Trail = []
    eliminate(joint, program.blocks[first], False, program.plan.graph.names[first], 0.0, trail)
    rest = [solved[v] for v in numeric[1:]]
    return solve(trail, torch.cat(rest, -1) if rest else joint.shift[..., :0])


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
    """The log evidence `[rows]`, and the marginal of each scope that the program reads.

    With Z the total, d log Z / dg is the probability of each state, d log Z / dh the mean and d log Z / dK minus half
    the second moment: one backward pass gives them all.
    """
    alike = not any(leaf.finite or len(leaf.precision) > 1 for leaf in leaves)  # then all rows have one covariance
    leaves, asked = list(leaves), sorted(set(program.reading))
    for i in asked:
        leaves[i] = _watched(leaves[i], rows, alike, program.plan.sizes)
    with torch.enable_grad():
        total = upward(program, leaves)[-1].constant
        total = total.expand(rows)
        watched = [each for i in asked for each in (leaves[i].constant, leaves[i].shift, leaves[i].precision)]
        found = torch.autograd.grad(total.sum(), watched, allow_unused=True) if asked else ()
    parts = [torch.zeros_like(w) if g is None else g for g, w in zip(found, watched, strict=True)]
    gradients = {i: parts[3 * n : 3 * n + 3] for n, i in enumerate(asked)}
    beliefs = [
        _belief(gradients[i], leaves[i], scope, program, rows) for i, scope in zip(program.reading, reads, strict=True)
    ]
    return total.detach(), beliefs


def _watched(leaf: Canonical, rows: int, alike: bool, sizes: Sequence[int]) -> Canonical:
    """The same factor, with a tensor of its own for every row and state, so that gradients keep them apart."""
    n = leaf.shift.shape[-1]
    grid = [rows, *(sizes[v] for v in leaf.finite)]

    def own(values: Tensor, *shape: int) -> Tensor:
        return values.detach().expand(shape).clone().requires_grad_()

    constant, shift = own(leaf.constant, *grid), own(leaf.shift, *grid, n)
    precision = own(leaf.precision, *([1] if alike else grid), n, n)
    return replace(leaf, constant=constant, shift=shift, precision=precision)


def _belief(gradient: Sequence[Tensor], leaf: Canonical, scope: Sequence[int], program: Program, rows: int) -> Belief:
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
