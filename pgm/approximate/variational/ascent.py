"""Coordinate ascent on the mean field bound, over classes of clusters, for rows and starts side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from .family import Alike, Family, Meeting

SOFT = (10.0, 30.0, 100.0, 1e3, 1e4)  # what an impossible joint state costs at first, in nats
HARD = 1e300  # and in the end; still finite, so that 0 times it is 0
NOTHING = 1e-12  # probabilities below are 0 where anything is impossible: HARD times them is still decisive
BROKEN = -1e10  # an expectation below is of something impossible


@dataclass(frozen=True, eq=False)
class Beliefs:
    """One member of the family for each start and row.

    Args:
        flat: probabilities of the states of all pieces, `[starts, rows, states]`.
        entropy: of each class of clusters, `[starts, rows, classes]`, in nats.
    """

    flat: Tensor
    entropy: Tensor


class Ascent:
    """The updates of one family.

    Args:
        family: over a field whose rows are all possible as far as is known.
        penalty: what an impossible joint state costs, in nats.
    """

    def __init__(self, family: Family, penalty: float = HARD) -> None:
        self.family, self.field = family, family.field
        self.hard = any(bool(group.logs.isneginf().any()) for group in self.field.groups)
        self.hard = self.hard or bool(self.field.unary.isneginf().any())
        self.logs = [group.logs.clamp_min(-penalty) for group in self.field.groups]
        self.unary = self.field.unary.clamp_min(-HARD)

    def sweep(self, beliefs: Beliefs) -> Beliefs:
        """Every cluster once: q_C(x_C) proportional to exp E[log p(x) given x_C], which raises the bound."""
        flat, entropy = beliefs.flat.clone(), beliefs.entropy.clone()
        for number, alike in enumerate(self.family.classes):
            found, entropy[:, :, number] = self._solved(alike, self.logits(alike, flat))
            flat[:, :, alike.places] = found
        return Beliefs(flat, entropy)

    def bound(self, beliefs: Beliefs) -> Tensor:
        """E[log weight] + entropy, at most log Z: `[starts, rows]`; -inf where q has an impossible joint state."""
        flat, field = beliefs.flat, self.field
        assert field.constant is not None
        worst = (flat * self.unary).amin(-1)
        total = field.constant + (flat * self.unary).sum(-1)
        for meet in self.family.factors:
            each = (self._expected(meet, flat) * flat[:, :, meet.places]).sum(-1)  # [starts, rows, factors]
            worst, total = torch.minimum(worst, each.amin(-1)), total + each.sum(-1)
        return torch.where(worst < BROKEN, -torch.inf, total + beliefs.entropy.sum(-1))

    def logits(self, alike: Alike, flat: Tensor) -> Tensor:
        """E[log p(x) given the states of each piece] of a class, `[starts, rows, clusters, width]`."""
        around = self.unary[:, alike.places.flatten()].expand(len(flat), -1, -1)
        for meet in alike.meetings:
            around = around.index_add(2, meet.places.flatten(), self._expected(meet, flat).flatten(2))
        return around.unflatten(2, alike.places.shape)

    def _expected(self, meet: Meeting, flat: Tensor) -> Tensor:
        """E[log f given the state along one axis], `[starts, rows, factors, size]`."""
        table = self.logs[meet.group]
        table = (table if table.shape[1] == 1 else table[:, meet.factors]).movedim(meet.axis + 2, 2).unsqueeze(0)
        for places in reversed(meet.others):
            table = torch.einsum("nrf...s,nrfs->nrf...", table, flat[:, :, places])
        return table

    def _solved(self, alike: Alike, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The best distribution of each cluster given the others, and their entropy, `[starts, rows]`."""
        if alike.shape.single:
            found = self._cut(logits.softmax(-1))
            return found, -torch.xlogy(found, found).sum((2, 3))
        shapes = alike.shape.tables
        pieces = logits.flatten(0, 2).split(alike.shape.widths, -1)
        tables = [piece.reshape(-1, *shape) for piece, shape in zip(pieces, shapes, strict=True)]
        total, each = alike.shape.solve(tables)
        found = torch.cat([self._cut(table.flatten(1)) for table in each], 1).reshape(logits.shape)
        return found, (total.reshape(logits.shape[:3]) - (found * logits).sum(-1)).sum(-1)

    def _cut(self, probabilities: Tensor) -> Tensor:
        if not self.hard:
            return probabilities
        kept = torch.where(probabilities < NOTHING, 0.0, probabilities)
        return kept / kept.sum(-1, keepdim=True)


def started(family: Family, singles: Tensor) -> Beliefs:
    """The member of a family in which variables are independent, with probabilities `[starts, rows, states]`."""
    starts, sizes = family.field.starts, family.field.sizes
    flat = singles.new_ones(*singles.shape[:2], int(starts[-1]))
    flat[..., : singles.shape[2]] = singles
    numbers = defaultdict(list)  # of the wider pieces, by their sizes
    for number, scope in enumerate(family.scopes, family.singles):
        numbers[tuple(sizes[list(scope)].tolist())].append(number)
    for shape, members in numbers.items():
        scopes = torch.tensor([family.scopes[number - family.singles] for number in members], device=flat.device)
        joint = singles.new_ones(*singles.shape[:2], len(members), 1)
        for axis, size in enumerate(shape):
            own = singles[:, :, starts[scopes[:, axis], None] + torch.arange(size, device=flat.device)]
            joint = (joint.unsqueeze(-1) * own.unsqueeze(-2)).flatten(3)
        flat[:, :, starts[members][:, None] + torch.arange(joint.shape[3], device=flat.device)] = joint
    return Beliefs(flat, singles.new_zeros(*singles.shape[:2], len(family.classes)))
