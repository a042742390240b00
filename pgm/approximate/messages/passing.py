"""Messages between factors and variables: one flat array a row, no loop over factors, zeros that stay zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...errors import PlanError, ShapeError
from ...fields.field import Field, Group, Trains
from .soft import soft_along, span
from .wide import train_joint, train_messages

FAINT, WIDE = 100.0, 10.0  # nats, and how many times the widest ratio of a factor, that a message may matter


@dataclass(frozen=True, eq=False)
class Passing:
    """The equations of message passing on a field; a fixed point of `step` is a solution.

    With log weights t_i of variable i and t_f of factor f, powers r_f and temperature T,

        b_i(x_i) = t_i(x_i) + sum_f r_f m_fi(x_i)            the belief of variable i
        n_if(x_i) = b_i(x_i) - m_fi(x_i)                     what it says to factor f
        m_fi(x_i) = S over x_f without x_i of [t_f(x_f) / r_f + sum_{j != i} n_jf(x_j)]
        b_f(x_f) = t_f(x_f) / r_f + sum_j n_jf(x_j)          the belief of factor f

    where S is T log sum exp(. / T), the maximum at T = 0. Temperature 1 and powers 1 are belief propagation,
    temperature 0 is max-product; powers from a distribution over spanning trees are the tree-reweighted equations.
    All messages m lie end to end, `[rows, entries]`, in logs, normalised to S = 0: part by part of `field.parts`, in
    each axis by axis, then factor by factor, state by state. For any messages
    sum_i b_i(x_i) + sum_f r_f [b_f(x_f) - sum_{i in f} b_i(x_i)] is the log weight of x: messages move weight around.

    Args:
        field: the field.
        temperature: T, 0 or more.
        powers: r_f, in the order of the factors in `field.parts`, `[factors]`; all 1 when None.

    Raises:
        PlanError: when there are wide factors and a temperature or a power is not 1: see `unrolled`.

    Example:
        >>> pair = Group(torch.tensor([[0, 1]]), torch.tensor([[[[2.0, 0.0], [0.0, 0.0]]]]))
        >>> passing = Passing(Field(torch.tensor([2, 2]), torch.zeros(1, 4), (pair,)))
        >>> messages = passing.step(passing.start())
        >>> passing.marginals(messages)
        tensor([[0.8075, 0.1925, 0.8075, 0.1925]])
        >>> passing.log_partition(messages).exp()  # e^2 + 3
        tensor([10.3891])

    Reference: Yedidia, Freeman and Weiss (2005), Constructing free-energy approximations and generalized belief
    propagation algorithms; Wainwright, Jaakkola and Willsky (2005), A new class of upper bounds on the log partition
    function; Wiegerinck and Heskes (2003), Fractional belief propagation.
    """

    field: Field
    temperature: float = 1.0
    powers: Tensor | None = None

    def __post_init__(self) -> None:
        if self.powers is not None and self.powers.shape != (self.field.factors,):
            raise ShapeError(
                f"Passing: powers have shape {tuple(self.powers.shape)}, expected ({self.field.factors},), one a "
                "factor."
            )
        tables = self.field.factors - sum(len(trains) for trains in self.field.trains)
        plain = self.powers is None or bool((self.powers[tables:] == 1.0).all())
        if self.field.trains and not (self.temperature == 1.0 and plain):
            raise PlanError(
                f"Passing: {self.field.trains[0]!r} is wide, which needs temperature 1 and powers 1, not temperature "
                f"{self.temperature}. Use unrolled(field, engine)."
            )

    @cached_property
    def segments(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Where the messages of each part to each of its axes begin and end."""
        found, start = [], 0
        for part in self.field.parts:
            ends = []
            for size in part.sizes:
                ends.append((start, start + len(part) * size))
                start = ends[-1][1]
            found.append(tuple(ends))
        return tuple(found)

    @cached_property
    def places(self) -> Tensor:
        """Which state of all states end to end each entry of the messages is about, `[entries]`."""
        starts = self.field.starts
        found = [
            (starts[part.scopes[:, axis], None] + torch.arange(size, device=starts.device)).reshape(-1)
            for part in self.field.parts
            for axis, size in enumerate(part.sizes)
        ]
        return torch.cat(found) if found else starts.new_zeros(0)

    @cached_property
    def _entry_powers(self) -> Tensor | None:
        """The power of the factor of each entry, `[entries]`."""
        if self.powers is None or not self.field.factors:
            return None
        lengths = [len(part) for part in self.field.parts]
        each = zip(self.field.parts, self.powers.split(lengths), strict=True)
        return torch.cat([powers.repeat_interleave(size) for part, powers in each for size in part.sizes])

    @cached_property
    def by_size(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Variables with the same number of states: their numbers `[variables]` and places `[variables, states]`."""
        field = self.field
        found = [(torch.nonzero(field.sizes == size).squeeze(1), int(size)) for size in field.sizes.unique()]
        ranges = [(v, torch.arange(size, device=field.device)) for v, size in found]
        return tuple((v, field.starts[v, None] + states) for v, states in ranges)

    @cached_property
    def _faint(self) -> float:
        return faint(self.field, self.temperature or 1.0)

    def start(self) -> Tensor:
        """Messages that say nothing, `[rows, entries]`."""
        flat = self.field.unary.new_zeros(self.field.rows, len(self.places))
        return self._joined([[self.normalised(m) for m in axes] for axes in self.split(flat)])

    def split(self, messages: Tensor) -> list[list[Tensor]]:
        """The messages of each part along each axis, `[rows, factors, size]`."""
        return [
            [
                messages[:, low:high].unflatten(1, (len(part), size))
                for (low, high), size in zip(ends, part.sizes, strict=True)
            ]
            for part, ends in zip(self.field.parts, self.segments, strict=True)
        ]

    def step(self, messages: Tensor, damping: float = 0.0) -> Tensor:
        """All messages anew from all old ones: (1 - damping) of the new logs plus damping of the old ones."""
        fresh = [[self.normalised(m) for m in axes] for axes in self._outgoing(messages)]
        found = self._joined(fresh)
        if damping == 0.0:
            return found
        mixed = found + damping * (messages - found)
        settled = torch.isneginf(found) | torch.isneginf(messages)  # what is impossible is not approached by halves
        mixed = torch.where(settled, found, torch.where(settled, 0.0, mixed))
        return self._joined([[self.normalised(m) for m in axes] for axes in self.split(mixed)])

    def beliefs(self, messages: Tensor) -> Tensor:
        """b_i, not normalised, `[rows, states]`."""
        total, blocked = self._gathered(messages)
        return torch.where(blocked > 0, -torch.inf, total)

    def marginals(self, messages: Tensor) -> Tensor:
        """exp(b_i / T), normalised, `[rows, states]`; at temperature 0 exp(b_i): max-marginals. NaN if all is zero."""
        beliefs = self.beliefs(messages) / (self.temperature or 1.0)
        found = torch.empty_like(beliefs)
        for _, places in self.by_size:
            found = found.index_copy(1, places.reshape(-1), beliefs[:, places].softmax(-1).flatten(1))
        return found

    def arriving(self, messages: Tensor) -> Tensor:
        """n_if, what variables say to factors, in the layout of the messages."""
        total, blocked = self._gathered(messages)
        gone = torch.isneginf(messages)
        cavity = total[:, self.places] - torch.where(gone, 0.0, messages)
        return torch.where(blocked[:, self.places] > gone, -torch.inf, cavity)

    def factor_beliefs(self, messages: Tensor) -> tuple[Tensor, ...]:
        """b_f of the factors that are tables, not normalised, `[rows, factors, *sizes]` for each group."""
        groups = self.split(self.arriving(messages))[: len(self.field.groups)]
        first = 0
        found = []
        for group, arriving in zip(self.field.groups, groups, strict=True):
            table = self._tables(group, first)
            for axis, message in enumerate(arriving):
                table = table + _along(message, axis, len(arriving))
            found.append(table)
            first += len(group)
        return tuple(found)

    def joint(self, messages: Tensor, scope: Sequence[int]) -> Tensor:
        """The probabilities of variables that share a factor, `[rows, *sizes]`, from that factor's belief.

        Raises:
            PlanError: when no factor has them all.
        """
        part, number, axes = self._home(scope)
        order = sorted(axes)
        arriving = self.split(self.arriving(messages))[part]
        found = self.field.parts[part]
        if isinstance(found, Trains):
            weights = train_joint(found, arriving, number, order)
        else:
            weights = self.factor_beliefs(messages)[part][:, number] / (self.temperature or 1.0)
            others = [axis + 1 for axis in range(weights.dim() - 1) if axis not in order]
            weights = weights.flatten(1).softmax(1).reshape(weights.shape)
            weights = weights.sum(others) if others else weights
        weights = weights / weights.flatten(1).sum(1).reshape(-1, *[1] * len(order))
        return weights.permute(0, *(order.index(axis) + 1 for axis in axes))

    def _home(self, scope: Sequence[int]) -> tuple[int, int, list[int]]:
        """The smallest factor that has all of these variables: its part, its number there and the axes of each."""
        found: list[tuple[int, int, int]] = []
        for place, part in enumerate(self.field.parts):
            has = torch.stack([(part.scopes == v).any(1) for v in scope]).all(0)
            if bool(has.any()):
                found.append((part.scopes.shape[1], place, int(has.long().argmax())))
        if not found:
            names = self.field.names
            asked = ", ".join(names[v] for v in scope) if names else f"the variables numbered {tuple(scope)}"
            raise PlanError(
                f"message passing: no factor has all of {asked}, so there is no belief about them together. Ask for "
                "variables that share a factor, or use Exact() or Gibbs()."
            )
        _, place, number = min(found)
        members = self.field.parts[place].scopes[number].tolist()
        return place, number, [members.index(v) for v in scope]

    def log_partition(self, messages: Tensor) -> Tensor:
        """The Bethe approximation of T log sum_x exp(log weight(x) / T), with powers r_f its generalisation, `[rows]`.

        log Z = sum_i S(b_i) + sum_f r_f [S(b_f) - sum_{i in f} S(b_i)], which at a fixed point is the expected log
        weight plus T (sum_f r_f H_f + sum_i (1 - sum_{f on i} r_f) H_i), and exact on trees. Its derivative by the
        messages is 0 there, so that its gradient in the field with messages held fixed is the whole gradient.
        """
        beliefs = self.beliefs(messages)
        peaks = beliefs.new_zeros(self.field.rows, self.field.variables)
        for variables, places in self.by_size:
            peaks = peaks.index_copy(1, variables, self._soft(beliefs[:, places]))
        assert self.field.constant is not None
        possible = ~torch.isneginf(peaks).any(1)
        known = torch.where(torch.isneginf(peaks), 0.0, peaks)
        total, first = self.field.constant + known.sum(1), 0
        arriving = self.split(self.arriving(messages))
        for part, incoming, outgoing in zip(self.field.parts, arriving, self._outgoing(messages), strict=True):
            whole = self._soft(outgoing[0] + incoming[0])  # [rows, factors]
            possible = possible & ~torch.isneginf(whole).any(1)
            gain = torch.where(torch.isneginf(whole), 0.0, whole) - known[:, part.scopes].sum(-1)
            total = total + (gain if self.powers is None else gain * self.powers[first : first + len(part)]).sum(1)
            first += len(part)
        return torch.where(possible, total, -torch.inf)

    def residual(self, old: Tensor, new: Tensor) -> Tensor:
        """The largest change of a message, `[rows]`: max |d - e| / (4 + max(d, e)), d and e nats below its best state.

        Where two states are about even that is the change in probability; but it also sees what goes on far below,
        which may decide what messages that contradict one another leave open. Nats are logs over the temperature.
        """
        scale, worst = self.temperature or 1.0, old.new_zeros(self.field.rows)
        for before, after in zip(self.split(old / scale), self.split(new / scale), strict=True):
            for one, two in zip(before, after, strict=True):
                d, e = (_below(each).clamp_max(self._faint) for each in (one, two))
                change = (d - e).abs() / (4.0 + torch.maximum(d, e))
                worst = torch.maximum(worst, change.flatten(1).amax(1))
        return worst

    def normalised(self, message: Tensor) -> Tensor:
        """A log message with S = 0 over its last axis; all -inf stays so."""
        peak = self._soft(message).unsqueeze(-1)
        return message - torch.where(torch.isneginf(peak), 0.0, peak)

    def _soft(self, logs: Tensor) -> Tensor:
        return soft_maximum(logs, self.temperature).squeeze(-1)

    def _joined(self, messages: list[list[Tensor]]) -> Tensor:
        flat = [message.flatten(1) for axes in messages for message in axes]
        return torch.cat(flat, 1) if flat else self.field.unary.new_zeros(self.field.rows, 0)

    def _gathered(self, messages: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of what is finite about each state, and how much says that it is impossible, `[rows, states]`."""
        unary = self.field.unary
        gone, never = torch.isneginf(messages), torch.isneginf(unary)
        finite = torch.where(gone, 0.0, messages)
        finite = finite if self._entry_powers is None else finite * self._entry_powers
        total = torch.where(never, 0.0, unary).index_add(1, self.places, finite)
        return total, never.to(unary.dtype).index_add(1, self.places, gone.to(unary.dtype))

    def _outgoing(self, messages: Tensor) -> list[list[Tensor]]:
        """m_fi, not normalised, of each part along each axis."""
        found, first = [], 0
        for part, arriving in zip(self.field.parts, self.split(self.arriving(messages)), strict=True):
            if isinstance(part, Trains):
                found.append(train_messages(part, arriving))
            else:
                tables = self._tables(part, first)
                found.append([_without(tables, arriving, axis, self.temperature) for axis in range(len(arriving))])
            first += len(part)
        return found

    def _tables(self, group: Group, first: int) -> Tensor:
        """t_f / r_f of a group whose first factor has this number."""
        if self.powers is None:
            return group.logs
        powers = self.powers[first : first + len(group)]
        return group.logs / powers.reshape(-1, *[1] * len(group.sizes))


def faint(field: Field, temperature: float = 1.0) -> float:
    """How many nats below the best state of a message others count as equally bad when it changes.

    It is far beyond what single factors say. Where there are zeros, messages around a loop may become surer for ever.
    """
    logs = [field.unary, *(g.logs.flatten(2) for g in field.groups)]
    logs += [core.log().flatten(2) for trains in field.trains for core in trains.cores]
    widest = max(float(span(each.detach()).max()) for each in logs if each.numel()) if field.variables else 0.0
    return FAINT + WIDE * widest / temperature


def _below(logs: Tensor) -> Tensor:
    """How far below the largest along the last axis; inf where all are -inf."""
    top = logs.amax(-1, keepdim=True)
    return torch.where(torch.isneginf(top), 0.0, top) - logs


def soft_maximum(logs: Tensor, temperature: float) -> Tensor:
    """T log sum exp(logs / T) over the last axis, which is kept, the maximum at T = 0; -inf where all is -inf.

    Example:
        >>> soft_maximum(torch.tensor([0.0, 0.0, -torch.inf]), 0.5)
        tensor([0.3466])
    """
    return soft_along(logs, -1, temperature)


def _along(message: Tensor, axis: int, arity: int) -> Tensor:
    """A message `[rows, factors, size]` along one axis of tables `[rows, factors, *sizes]`."""
    return message.reshape(*message.shape[:2], *(message.shape[2] if k == axis else 1 for k in range(arity)))


def _without(tables: Tensor, arriving: Sequence[Tensor], axis: int, temperature: float) -> Tensor:
    """S over all axes but one of the tables plus what arrives along those: `[rows, factors, size]`."""
    arity = len(arriving)
    for other in reversed(range(arity)):
        if other != axis:
            tables = soft_along(tables + _along(arriving[other], other, arity), other + 2, temperature)
    return tables.reshape(*arriving[axis].shape)
