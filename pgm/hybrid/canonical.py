"""Canonical factors: quadratic forms in the numbers of numeric variables, one for each state of finite ones.

A factor is exp(g + h . z - z' K z / 2). Besides the unknown numbers, z may hold multipliers: noise N(0, S) of a
residual r is the saddle point over u of u . r + u' S u / 2, which stays finite when S is singular or zero. Then K has
-S where the multipliers are, and the rules for multiplying and eliminating stay the same: one form serves for
precisions, for covariances and for exact linear relations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi

import torch
from torch import Tensor

from ..errors import PlanError, ShapeError
from ..semiring import LOG_SUM, Semiring

LOG_TWO_PI = log(2 * pi)
# Exponents of the machine's epsilon (1e-14, 1e-11 and 1e-8 in double precision): the share of
IMPROPER = 0.89  # a precision's diagonal below which what is left of it counts as none,
CERTAIN = 0.7  # the variances met on the way below which what is left of a variance counts as zero,
AGREES = 0.5  # the numbers met on the way by which two that must be equal may differ.


@dataclass(frozen=True)
class Block:
    """The coordinates of one numeric variable, in this order.

    Args:
        dual: multipliers of the numbers that are not observed; as many as those, or none.
        primal: the numbers that are not observed.
        late: multipliers of observed numbers with singular noise; eliminated after everything they depend on.
    """

    dual: int
    primal: int
    late: int

    @property
    def length(self) -> int:
        return self.dual + self.primal + self.late


@dataclass(frozen=True, eq=False)
class Canonical:
    """exp(constant + shift . z - z' precision z / 2), for each row of evidence and each state of the finite scope.

    Any axis of rows or states may have length 1 for what does not depend on it.

    Args:
        finite: variable numbers, one axis each.
        numeric: variable numbers; z is made of their blocks, in this order.
        constant: g, `[rows, *finite]`; -inf where impossible.
        shift: h, `[rows, *finite, n]`.
        precision: K, `[rows, *finite, n, n]`.
        reach: how large the numbers are that the shift and the precision's diagonal are sums of,
            `[rows, *finite, 2, n]`; None where nobody asks.
    """

    finite: tuple[int, ...]
    numeric: tuple[int, ...]
    constant: Tensor
    shift: Tensor
    precision: Tensor
    reach: Tensor | None = None


def table(finite: Sequence[int], logs: Tensor) -> Canonical:
    """A factor of finite variables only, from logarithms `[rows, *finite]`."""
    empty = logs.new_zeros([1] * logs.dim() + [0])
    return Canonical(
        tuple(finite), (), logs, empty, empty.unsqueeze(-1), empty.unsqueeze(-2).expand(*empty.shape[:-1], 2, 0)
    )


def axes(values: Tensor, scope: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """Values `[rows, *scope, *rest]` with the finite axes as wanted, of length 1 for variables that are not there."""
    if tuple(scope) == tuple(wanted):
        return values
    rest = range(len(scope) + 1, values.dim())
    moved = values.permute(0, *(scope.index(v) + 1 for v in wanted if v in scope), *rest)
    return moved[(slice(None), *(slice(None) if v in scope else None for v in wanted))]


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """matrix @ vector for each row and state; a matrix that all rows share is applied to all of them at once."""
    if len(matrix) == 1 < len(vector):
        return (matrix[0] @ vector.movedim(0, -1)).movedim(-1, 0)
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def tolerance(near: Tensor, exponent: float) -> float:
    """A power of the epsilon of a tensor's precision."""
    return float(torch.finfo(near.dtype).eps ** exponent)


def multiply(
    left: Canonical, right: Canonical, finite: Sequence[int], numeric: Sequence[int], blocks: Mapping[int, Block]
) -> Canonical:
    """The product over the union of two scopes, its axes in the order given."""
    one, two = (arranged(each, finite, numeric, blocks) for each in (left, right))
    reach = None if one.reach is None or two.reach is None else one.reach + two.reach
    return Canonical(
        one.finite,
        one.numeric,
        one.constant + two.constant,
        one.shift + two.shift,
        one.precision + two.precision,
        reach,
    )


def arranged(
    factor: Canonical, finite: Sequence[int], numeric: Sequence[int], blocks: Mapping[int, Block]
) -> Canonical:
    """The same factor over a scope that contains its own, axes in the order given."""
    shift, precision, reach = factor.shift, factor.precision, factor.reach
    if factor.numeric != tuple(numeric):
        place, n = places(numeric, blocks)
        where = torch.tensor([i for v in factor.numeric for i in place[v]], dtype=torch.long, device=shift.device)
        shift, precision = embed(shift, where, n), embed(embed(precision, where, n).mT, where, n).mT
        reach = None if reach is None else embed(reach, where, n)
    return Canonical(
        tuple(finite),
        tuple(numeric),
        axes(factor.constant, factor.finite, finite),
        axes(shift, factor.finite, finite),
        axes(precision, factor.finite, finite),
        None if reach is None else axes(reach, factor.finite, finite),
    )


def places(numeric: Sequence[int], blocks: Mapping[int, Block]) -> tuple[dict[int, range], int]:
    """Where the coordinates of each variable lie when blocks stand side by side, and how many there are in all."""
    found, low = {}, 0
    for v in numeric:
        found[v] = range(low, low + blocks[v].length)
        low += blocks[v].length
    return found, low


def embed(values: Tensor, where: Tensor, n: int) -> Tensor:
    """Values along the last axis put to n places, zero elsewhere."""
    return values.new_zeros([*values.shape[:-1], n]).index_copy(-1, where, values)


def without(factor: Canonical, gone: Sequence[int], maximise: bool) -> Canonical:
    """Sum (or maximise) finite variables out of a factor that has no numeric ones left."""
    dims = tuple(axis + 1 for axis, v in enumerate(factor.finite) if v in gone)
    ring = Semiring(logs=True, maximise=True) if maximise else LOG_SUM
    return table([v for v in factor.finite if v not in gone], ring.total(factor.constant, dims))


Trail = list[tuple[Tensor, Tensor, Tensor]]  # inverse, coupling to what comes after, and shift of what was eliminated


def eliminate(
    factor: Canonical, block: Block, maximise: bool, subject: str, diagonal: float, trail: Trail | None = None
) -> Canonical:
    """Integrate (or maximise over) the first numeric variable of a factor.

    Args:
        factor: whose first coordinates are those of the variable.
        block: the variable's coordinates.
        maximise: take the value at the mean instead of the integral.
        subject: the variable's name, for messages.
        diagonal: the largest number that its precision is a sum of.
        trail: where to note what `solve` needs.

    Raises:
        ShapeError: when the precision is not positive definite.

    Reference: Lauritzen (1992); for singular noise Rao (1971), Unified theory of linear estimation.
    """
    paired = block.dual + block.primal
    if paired:
        inverse, log_det = _pivot(factor.precision[..., :paired, :paired], block, subject, diagonal)
        scale = 0.5 * (0.0 if maximise else (block.primal - block.dual) * LOG_TWO_PI - log_det)
        factor = _schur(factor, inverse, scale, trail)
    if block.late:
        factor = _late(factor, block.late, maximise, subject, trail)
    return replace(factor, numeric=factor.numeric[1:])


def solve(trail: Trail, rest: Tensor) -> Tensor:
    """The coordinates that were eliminated where the exponent is stationary, given those that are left, `[rows, n]`."""
    found = rest
    for inverse, cross, head in reversed(trail):
        here = apply(inverse, head - apply(cross, found))
        found = torch.cat([here, found.expand(*here.shape[:-1], found.shape[-1])], -1)
    return found[..., : found.shape[-1] - rest.shape[-1]]


def _pivot(matrix: Tensor, block: Block, subject: str, diagonal: float) -> tuple[Tensor, Tensor]:
    """The inverse of what stands before the square of a variable's coordinates, and log |det|."""
    if block.dual:  # [[-S, B], [B', P]]: det = +-det(1 + S P) for B = 1, so it is never singular
        inverse = torch.linalg.inv(matrix)
        return (inverse + inverse.mT) / 2, torch.linalg.slogdet(matrix).logabsdet
    inverse, log_det, least = _inverse(matrix)
    if not least > tolerance(matrix, IMPROPER) * diagonal:
        raise ShapeError(
            f"{subject!r}: the total precision is not positive definite, so that there is no density; expected "
            "conditionals or quadratic potentials that hold every numeric variable in place."
        )
    return inverse, log_det


def _inverse(matrix: Tensor) -> tuple[Tensor, Tensor, float]:
    """The inverse of positive definite matrices, log det, and the least pivot, which says whether they are."""
    if matrix.shape[-1] == 1:
        return 1 / matrix, matrix[..., 0, 0].log(), float(matrix.detach().min())
    root, failed = torch.linalg.cholesky_ex(matrix)
    steps = root.diagonal(dim1=-2, dim2=-1)
    lower = torch.linalg.solve_triangular(root, torch.eye(matrix.shape[-1]).to(matrix), upper=False)
    least = -1.0 if bool(failed.any()) else float(steps.detach().square().min())
    return lower.mT @ lower, 2 * steps.log().sum(-1), least


def _schur(factor: Canonical, inverse: Tensor, scale: Tensor | float, trail: Trail | None) -> Canonical:
    """What is left once the first coordinates, with this inverse, are where the exponent is stationary."""
    a = inverse.shape[-1]
    cross, head = factor.precision[..., :a, a:], factor.shift[..., :a]
    if trail is not None:
        trail.append((inverse, cross, head))
    gain = inverse @ cross
    solved, lifted = apply(inverse, head), apply(gain.mT, head)
    drop = cross.mT @ gain
    reach = factor.reach
    if reach is not None:
        met = torch.stack(torch.broadcast_tensors(lifted.abs(), drop.diagonal(dim1=-2, dim2=-1).abs()), -2)
        reach = reach[..., a:] + met.detach()
    return Canonical(
        factor.finite,
        factor.numeric,
        factor.constant + 0.5 * (head * solved).sum(-1) + scale,
        factor.shift[..., a:] - lifted,
        factor.precision[..., a:, a:] - drop,
        reach,
    )


def log_density(finite: tuple[int, ...], root: Tensor, subject: str) -> Tensor:
    """The log density at zero of noise N(0, root root') on its support, `[rows, *finite]`."""
    precision = -root @ root.mT
    shift = precision.new_zeros(precision.shape[:-1])
    reach = torch.stack([shift, precision.detach().diagonal(dim1=-2, dim2=-1).abs()], -2)
    noise = Canonical(finite, (), shift.sum(-1), shift, precision, reach)
    return _late(noise, shift.shape[-1], False, subject, None).constant


def _late(factor: Canonical, count: int, maximise: bool, subject: str, trail: Trail | None) -> Canonical:
    """Integrate the multipliers of observed numbers one by one; a variance of zero asks whether the number agrees."""
    every = factor.constant.new_zeros(1)
    for _ in range(count):
        assert factor.reach is not None
        variance, head = -factor.precision[..., :1, :1], factor.shift[..., :1]
        far, wide = factor.reach[..., :1, 0], factor.reach[..., 1, :1]
        certain = variance.detach().squeeze(-1) <= tolerance(wide, CERTAIN) * wide
        wrong = certain & (head.detach().abs() > tolerance(far, AGREES) * far)
        safe = torch.where(certain.unsqueeze(-1), torch.ones_like(variance), variance)
        inverse = torch.where(certain.unsqueeze(-1), torch.zeros_like(variance), -1 / safe)
        density = torch.where(certain.squeeze(-1), 0.0, -0.5 * (safe[..., 0, 0].log() + LOG_TWO_PI))
        factor = _schur(factor, inverse, 0.0 if maximise else density, trail)
        constant = torch.where(wrong.squeeze(-1), torch.full_like(factor.constant, -torch.inf), factor.constant)
        factor = replace(factor, constant=constant)
        every = every + certain.squeeze(-1)
    _check_certain(factor.constant, every, subject)
    return factor


def _check_certain(constant: Tensor, certain: Tensor, subject: str) -> None:
    """Raise where a value has a density in some states and all the mass in others, so that they cannot be compared."""
    possible = ~torch.isneginf(constant.detach())
    least = torch.where(possible, certain, torch.inf)
    most = torch.where(possible, certain, -torch.inf)
    least, most = least.reshape(len(least), -1).amin(1), most.reshape(len(most), -1).amax(1)
    if bool((least < most).any()):
        raise PlanError(
            f"{subject!r}: the value observed is certain in some states and has a density in others, which cannot be "
            "compared; give its noise a positive variance in every state."
        )
