"""The leaves of a problem: its parts as canonical factors around a point."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from .canonical import LOG_TWO_PI, Block, Canonical, eliminate, embed, places
from .problem import Problem
from .terms import Relation

Center = Mapping[int, Tensor]  # by variable number, what the hidden numbers are measured from, [rows, hidden]


def leaves(
    problem: Problem, center: Center, maximised: Collection[int] = (), noise: Mapping[int, Tensor] | None = None
) -> list[Canonical]:
    """One factor a part; its coordinates are what the hidden numbers are beyond the centre.

    Args:
        problem: the parts.
        center: a point near the answer: the closer, the fewer digits are lost.
        maximised: variables whose density is to be maximised, not integrated.
        noise: for each child standard Gaussian noise `[rows, d]` that its residual is shifted by, to draw samples.
    """
    late = any(block.late for block in problem.blocks.values())
    found = []
    for part in problem.parts:
        if isinstance(part, Relation):
            factor = _relation(part, problem, center, noise)
            if part.child in problem.singular and part.child in maximised:
                factor = _with_density(factor, part, problem)
        else:
            factor = _moved(part, center, problem.blocks) if part.numeric else part
        found.append(factor if late else replace(factor, reach=None))
    return found


def _moved(factor: Canonical, center: Center, blocks: Mapping[int, Block]) -> Canonical:
    """A quadratic potential around a centre."""
    c = torch.cat([center[v] for v in factor.numeric], -1)
    pull = (factor.precision @ c.unsqueeze(-1)).squeeze(-1)
    constant = factor.constant + ((factor.shift - 0.5 * pull) * c).sum(-1)
    return _placed(factor, constant, factor.shift - pull, factor.precision, blocks)


def _relation(part: Relation, problem: Problem, center: Center, noise: Mapping[int, Tensor] | None) -> Canonical:
    offset, reach, ones = part.offset, part.reach, [1] * len(part.finite)
    for v, matrix in part.maps.items():
        c = center[v].reshape(len(center[v]), *ones, -1, 1)
        offset = offset + (matrix @ c).squeeze(-1)
        reach = reach + (matrix.detach().abs() @ c.abs()).squeeze(-1)
    if noise is not None:
        e = noise[part.child].reshape(-1, *ones, part.root.shape[-1], 1)
        offset = offset - (part.root @ e).squeeze(-1)
    matrix = _side_by_side(part)
    if part.child in problem.singular:
        return _saddle(part, matrix, offset, reach, problem)
    return _information(part, matrix, offset, problem.blocks)


def _side_by_side(part: Relation) -> Tensor:
    """All matrices of a relation as one, `[rows, *finite, d, columns]`."""
    none = part.root[..., :0]
    batch = torch.broadcast_shapes(none.shape[:-2], *(m.shape[:-2] for m in part.maps.values()))
    return torch.cat([m.expand(*batch, *m.shape[-2:]) for m in (*part.maps.values(), none)], -1)


def _information(part: Relation, matrix: Tensor, offset: Tensor, blocks: Mapping[int, Block]) -> Canonical:
    """Regular noise: the exponent is minus half the squared length of root^-1 r."""
    inverse = torch.linalg.inv(part.root)
    spread, white = inverse @ matrix, (inverse @ offset.unsqueeze(-1)).squeeze(-1)
    log_det = torch.linalg.slogdet(part.root).logabsdet
    constant = -0.5 * white.square().sum(-1) - log_det - 0.5 * offset.shape[-1] * LOG_TWO_PI
    shift = -(spread.mT @ white.unsqueeze(-1)).squeeze(-1)
    factor = Canonical(part.finite, tuple(part.maps), constant, shift, spread.mT @ spread)
    return _placed(factor, constant, shift, factor.precision, blocks)


def _placed(
    factor: Canonical, constant: Tensor, shift: Tensor, precision: Tensor, blocks: Mapping[int, Block]
) -> Canonical:
    """A factor of hidden numbers alone, with room for the multipliers in the blocks of its variables."""
    reach = torch.stack(torch.broadcast_tensors(shift.abs(), precision.diagonal(dim1=-2, dim2=-1).abs()), -2).detach()
    found = Canonical(factor.finite, factor.numeric, constant, shift, precision, reach)
    where, n = _hidden_places(factor.numeric, blocks)
    return found if len(where) == n else _embedded(found, where, n)


def _hidden_places(numeric: Collection[int], blocks: Mapping[int, Block]) -> tuple[list[int], int]:
    """Where the hidden numbers of variables lie among all coordinates, and how many coordinates there are."""
    place, n = places(tuple(numeric), blocks)
    return [i for v in numeric for i in place[v][blocks[v].dual : blocks[v].dual + blocks[v].primal]], n


def _embedded(factor: Canonical, where: list[int], n: int) -> Canonical:
    index = torch.tensor(where, dtype=torch.long, device=factor.shift.device)
    precision = embed(embed(factor.precision, index, n).mT, index, n).mT
    assert factor.reach is not None
    shift, reach = embed(factor.shift, index, n), embed(factor.reach, index, n)
    return replace(factor, shift=shift, precision=precision, reach=reach)


def _saddle(part: Relation, matrix: Tensor, offset: Tensor, reach: Tensor, problem: Problem) -> Canonical:
    """Singular noise: the residual times the child's multipliers, which have minus its covariance as precision."""
    child, hidden = part.child, problem.case.hidden[part.child]
    d, width = offset.shape[-1], matrix.shape[-1]
    order = [*hidden, *(i for i in range(d) if i not in hidden)]  # the multipliers of hidden numbers come first
    numeric = (*part.maps, *((child,) if child not in part.maps else ()))
    place, n = places(numeric, problem.blocks)
    block = problem.blocks[child]
    where = [*place[child][: block.dual], *place[child][block.dual + block.primal :]]
    where += [i for v in part.maps for i in place[v][problem.blocks[v].dual :][: problem.blocks[v].primal]]
    covariance = (part.root @ part.root.mT)[..., order, :][..., order].expand(*matrix.shape[:-2], d, d)
    rows = matrix[..., order, :]
    zeros = matrix.new_zeros(*matrix.shape[:-2], width, width)
    precision = torch.cat([torch.cat([-covariance, -rows], -1), torch.cat([-rows.mT, zeros], -1)], -2)
    nothing = offset.new_zeros(*offset.shape[:-1], width)
    shift = torch.cat([offset[..., order], nothing], -1)
    sizes = torch.cat([reach[..., order], nothing.expand(*reach.shape[:-1], width)], -1)
    diagonal = precision.diagonal(dim1=-2, dim2=-1).abs()
    both = torch.stack(torch.broadcast_tensors(sizes, diagonal), -2).detach()
    constant = offset.new_zeros(offset.shape[:-1])
    return _embedded(Canonical(part.finite, numeric, constant, shift, precision, both), where, n)


def _with_density(factor: Canonical, part: Relation, problem: Problem) -> Canonical:
    """A saddle point times the density of its noise at zero, on the noise's support."""
    precision = -part.root @ part.root.mT
    shift = precision.new_zeros(precision.shape[:-1])
    reach = torch.stack([shift, precision.detach().diagonal(dim1=-2, dim2=-1).abs()], -2)
    noise = Canonical(part.finite, (part.child,), shift.sum(-1), shift, precision, reach)
    density = eliminate(noise, Block(0, 0, shift.shape[-1]), False, problem.name(part.child), 0.0)
    return replace(factor, constant=factor.constant + density.constant)
