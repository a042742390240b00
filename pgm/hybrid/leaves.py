"""The leaves of a problem: its parts as canonical factors around a point.

The closer the point is to the answer, the fewer digits are lost; what does not depend on it is computed once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .canonical import LOG_TWO_PI, Block, Canonical, apply, embed, log_density, places
from .terms import Relation

Blocks = Mapping[int, Block]
Center = Mapping[int, Tensor]  # by variable number, what the hidden numbers are measured from, [rows, hidden]


@dataclass(frozen=True, eq=False)
class Whitened:
    """A relation whose noise is regular, divided by it: the exponent is minus half the squared length of w.

    Args:
        finite, numeric: its scope.
        matrix, offset: w = matrix @ x + offset, `[rows, *finite, d, hidden]` and `[rows, *finite, d]`.
        scale: the logarithm of the density at w = 0, `[rows, *finite]`.
        precision: of all coordinates of the blocks, `[rows, *finite, n, n]`.
        where: the places of x among the n coordinates.
    """

    finite: tuple[int, ...]
    numeric: tuple[int, ...]
    matrix: Tensor
    offset: Tensor
    scale: Tensor
    precision: Tensor
    where: Tensor

    def around(self, center: Center) -> Canonical:
        """The factor of what the numbers are beyond the centre."""
        w = _residual(self.finite, self.numeric, self.matrix, self.offset, center)
        shift = -apply(self.matrix.mT, w)
        constant = self.scale - 0.5 * w.square().sum(-1)
        return Canonical(self.finite, self.numeric, constant, _wide(shift, self.where, self.precision), self.precision)

    def shifted(self, noise: Tensor) -> Whitened:
        """The same with its noise displaced by draws of a standard normal `[rows, d]`."""
        return replace(self, offset=self.offset - noise)


@dataclass(frozen=True, eq=False)
class Saddle:
    """A relation whose noise is singular: its residual times the child's multipliers.

    Args:
        finite, numeric: its scope, the child included.
        hidden: the variables whose numbers x are in the residual.
        matrix, offset: r = matrix @ x + offset, the residuals of hidden numbers first.
        reach: how large the numbers are that the offset is a sum of.
        root: a square root of the covariance of r.
        precision: of all coordinates of the blocks; minus the covariance at the multipliers.
        where: the places of the multipliers among the coordinates.
    """

    finite: tuple[int, ...]
    numeric: tuple[int, ...]
    hidden: tuple[int, ...]
    matrix: Tensor
    offset: Tensor
    reach: Tensor
    root: Tensor
    precision: Tensor
    where: Tensor

    def around(self, center: Center) -> Canonical:
        """The factor of what the numbers are beyond the centre."""
        r = _residual(self.finite, self.hidden, self.matrix, self.offset, center)
        reach = _residual(self.finite, self.hidden, self.matrix.detach().abs(), self.reach, _sizes(center))
        shift, reach = (_wide(each, self.where, self.precision) for each in (r, reach))
        return with_reach(Canonical(self.finite, self.numeric, 0.0 * r.sum(-1), shift, self.precision), reach)

    def shifted(self, noise: Tensor) -> Saddle:
        """The same with its noise displaced by draws of a standard normal `[rows, d]`."""
        return replace(self, offset=self.offset - apply(self.root, noise))


@dataclass(frozen=True, eq=False)
class Plain:
    """A table, or a quadratic potential, as it is.

    Args:
        factor: of the hidden numbers alone.
        precision: of all coordinates of the blocks.
        where: the places of the numbers among the coordinates.
    """

    factor: Canonical
    precision: Tensor
    where: Tensor

    def around(self, center: Center) -> Canonical:
        """The factor of what the numbers are beyond the centre."""
        if not self.factor.numeric:
            return self.factor
        c = torch.cat([center[v] for v in self.factor.numeric], -1)
        pull = apply(self.factor.precision, c)
        constant = self.factor.constant + ((self.factor.shift - 0.5 * pull) * c).sum(-1)
        shift = _wide(self.factor.shift - pull, self.where, self.precision)
        return replace(self.factor, constant=constant, shift=shift, precision=self.precision)


Part = Whitened | Saddle | Plain


def part_of(found: Canonical | Relation, singular: Collection[int], blocks: Blocks) -> Part:
    """A term in the form that factors around any point are made from.

    Args:
        found: what the term says.
        singular: the children whose noise is singular.
        blocks: the coordinates of each numeric variable.
    """
    if isinstance(found, Canonical):
        where, n = _hidden_places(found.numeric, blocks, found.shift)
        return Plain(found, _square(found.precision, where, n), where)
    matrix = _side_by_side(found)
    if found.child in singular:
        return _saddle(found, matrix, blocks)
    matrix, offset, log_det = _divided(found, matrix)
    scale = -log_det - 0.5 * found.root.shape[-1] * LOG_TWO_PI
    numeric = tuple(found.maps)
    where, n = _hidden_places(numeric, blocks, matrix)
    return Whitened(found.finite, numeric, matrix, offset, scale, _square(matrix.mT @ matrix, where, n), where)


def _divided(found: Relation, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """root^-1 matrix, root^-1 offset and log |det root|."""
    if found.diagonal:
        steps = found.root.diagonal(dim1=-2, dim2=-1)
        return matrix / steps.unsqueeze(-1), found.offset / steps, steps.abs().log().sum(-1)
    inverse = torch.linalg.inv(found.root)
    return inverse @ matrix, apply(inverse, found.offset), torch.linalg.slogdet(found.root).logabsdet


def _saddle(found: Relation, matrix: Tensor, blocks: Blocks) -> Saddle:
    child, hidden = found.child, tuple(found.maps)
    numeric = hidden if child in hidden else (*hidden, child)
    block, (place, n) = blocks[child], places(numeric, blocks)
    multipliers = [*place[child][: block.dual], *place[child][block.dual + block.primal :]]
    numbers, _ = _hidden_places(numeric, blocks, matrix)
    where = torch.tensor(multipliers, dtype=torch.long, device=matrix.device)
    order = found.order
    matrix, root = matrix[..., order, :], found.root[..., order, :]
    covariance = (root @ root.mT).expand(*matrix.shape[:-2], -1, -1)
    zeros = matrix.new_zeros(*matrix.shape[:-2], *[matrix.shape[-1]] * 2)
    whole = torch.cat([torch.cat([-covariance, -matrix], -1), torch.cat([-matrix.mT, zeros], -1)], -2)
    every = torch.cat([where, numbers])
    precision = embed(embed(whole, every, n).mT, every, n).mT
    offset, reach = found.offset[..., order], found.reach[..., order]
    return Saddle(found.finite, numeric, hidden, matrix, offset, reach, root, precision, where)


def leaves(
    parts: Sequence[Part], center: Center, maximised: Collection[int], late: bool, names: Sequence[str]
) -> list[Canonical]:
    """One factor a part; its coordinates are what the hidden numbers are beyond the centre.

    Args:
        parts: the parts of a problem.
        center: a point near the answer.
        maximised: variables whose density is to be maximised, not integrated.
        late: whether exact relations are observed, so that the sizes of numbers have to be known.
        names: of all variables, for messages.
    """
    found = []
    for part in parts:
        factor = part.around(center)
        if isinstance(part, Saddle) and part.numeric[-1] in maximised:
            density = log_density(part.finite, part.root, names[part.numeric[-1]])
            factor = replace(factor, constant=factor.constant + density)
        if late and factor.reach is None:
            factor = with_reach(factor, factor.shift)
        found.append(factor if late else replace(factor, reach=None))
    return found


def with_reach(factor: Canonical, sizes: Tensor) -> Canonical:
    """The factor with its reach: these sizes for the shift, and what its precision has on the diagonal."""
    both = torch.broadcast_tensors(sizes.abs(), factor.precision.diagonal(dim1=-2, dim2=-1).abs())
    return replace(factor, reach=torch.stack(both, -2).detach())


def _residual(finite: Sequence[int], numeric: Sequence[int], matrix: Tensor, offset: Tensor, center: Center) -> Tensor:
    """matrix @ centre + offset."""
    if not numeric:
        return offset
    c = torch.cat([center[v] for v in numeric], -1)
    return offset + apply(matrix, c.reshape(len(c), *[1] * len(finite), -1))


def _sizes(center: Center) -> Center:
    return {v: x.abs() for v, x in center.items()}


def _side_by_side(found: Relation) -> Tensor:
    """All matrices of a relation as one, `[rows, *finite, d, columns]`."""
    batch = torch.broadcast_shapes(found.root.shape[:-2], *(m.shape[:-2] for m in found.maps.values()))
    whole = [m.expand(*batch, *m.shape[-2:]) for m in found.maps.values()]
    if len(whole) == 1:
        return whole[0]
    return torch.cat([*whole, found.root[..., :0].expand(*batch, found.root.shape[-2], 0)], -1)


def _hidden_places(numeric: Collection[int], blocks: Blocks, near: Tensor) -> tuple[Tensor, int]:
    """Where the hidden numbers of variables lie among all coordinates, and how many coordinates there are."""
    place, n = places(tuple(numeric), blocks)
    where = [i for v in numeric for i in place[v][blocks[v].dual :][: blocks[v].primal]]
    return torch.tensor(where, dtype=torch.long, device=near.device), n


def _square(values: Tensor, where: Tensor, n: int) -> Tensor:
    """A matrix with its rows and columns put to n places."""
    return values if len(where) == n else embed(embed(values, where, n).mT, where, n).mT


def _wide(values: Tensor, where: Tensor, precision: Tensor) -> Tensor:
    """A vector put to the places that it has in the precision."""
    n = precision.shape[-1]
    return values if len(where) == n else embed(values, where, n)
