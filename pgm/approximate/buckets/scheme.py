"""Which tables meet in which mini-bucket, decided from structure alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

Scope = tuple[int, ...]
Fits = Callable[[Scope], bool]
MOST_ENTRIES = 40  # as a power of two
ROOT = -1  # the parent of a mini-bucket whose message is a number


@dataclass(frozen=True)
class Mini:
    """A mini-bucket: tables that are multiplied before the first variable of their joint scope is eliminated.

    Args:
        scope: variables by place in the order, ascending; the first is eliminated.
        sources: numbers of tables; those of messages follow those of the given tables.
    """

    scope: Scope
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Scheme:
    """All mini-buckets, those of the variable that is eliminated first to begin with.

    Args:
        sizes: the number of states at each place of the order.
        scopes: those of the tables, then of the messages, one a mini-bucket.
        minis: the mini-buckets.
        buckets: the numbers of the mini-buckets of each variable.
        held: variables that are held at a state instead of being eliminated.
    """

    sizes: tuple[int, ...]
    scopes: tuple[Scope, ...]
    minis: tuple[Mini, ...]
    buckets: tuple[tuple[int, ...], ...]
    held: frozenset[int] = frozenset()

    @property
    def tables(self) -> int:
        """How many tables there are before the messages."""
        return len(self.scopes) - len(self.minis)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The mini-bucket that takes the message of each one, -1 where that is a number."""
        taker = {source: number for number, mini in enumerate(self.minis) for source in mini.sources}
        return tuple(taker.get(self.tables + number, ROOT) for number in range(len(self.minis)))

    @property
    def exact(self) -> bool:
        """Whether nothing was cut apart or held."""
        return not self.held and all(len(bucket) == 1 for bucket in self.buckets)

    @property
    def i_bound(self) -> int:
        """The most variables of a message."""
        return max((len(mini.scope) - 1 for mini in self.minis), default=0)

    def shared(self, bucket: tuple[int, ...]) -> Scope:
        """What all mini-buckets of a variable have in common."""
        common = set(self.minis[bucket[0]].scope).intersection(*(self.minis[m].scope for m in bucket))
        return tuple(sorted(common))

    @cached_property
    def numbers(self) -> float:
        """How many numbers one row takes: messages there and back of both bounds, and the widest bucket with copies."""
        messages = sum(self.space(scope) for scope in self.scopes[self.tables :])
        widest = max((sum(self.space(self.minis[m].scope) for m in bucket) for bucket in self.buckets), default=0.0)
        return 4.0 * messages + 4.0 * widest

    def space(self, scope: Scope) -> float:
        """The number of joint states of a scope."""
        return prod((float(self.sizes[v]) for v in scope), start=1.0)


def scheme_of(sizes: tuple[int, ...], scopes: Sequence[Scope], fits: Fits, hold: bool = False) -> Scheme:
    """Mini-buckets whose scopes fit, as few in each bucket as a greedy choice finds.

    Args:
        sizes: the number of states of each variable, first eliminated first.
        scopes: of the tables, ascending.
        fits: whether a joint scope is small enough; a table that is too wide by itself stays by itself.
        hold: whether a variable whose tables do not fit together is held at a state instead of cutting its bucket.

    Reference: Dechter and Rish (2003), Mini-buckets: a general scheme for bounded inference.
    """
    known, minis, buckets = list(scopes), list[Mini](), list[tuple[int, ...]]()
    held: set[int] = set()
    waiting: list[list[int]] = [[] for _ in sizes]
    for number, scope in enumerate(scopes):
        waiting[scope[0]].append(number)
    for variable, sources in enumerate(waiting):
        parts = _parts(sources, known, fits)
        if hold and len(parts) > 1:
            held.add(variable)
            parts = [Mini(known[source], (source,)) for source in sources]
        buckets.append(tuple(range(len(minis), len(minis) + len(parts))))
        for part in parts:
            minis.append(part)
            known.append(part.scope[1:])
            if part.scope[1:]:
                waiting[part.scope[1]].append(len(known) - 1)
    return Scheme(tuple(sizes), tuple(known), tuple(minis), tuple(buckets), frozenset(held))


def _parts(sources: Sequence[int], scopes: Sequence[Scope], fits: Fits) -> list[Mini]:
    """The widest tables first, each into the first mini-bucket where it fits."""
    parts: list[Mini] = []
    for source in sorted(sources, key=lambda source: -len(scopes[source])):
        scope = scopes[source]
        for number, part in enumerate(parts):
            union = tuple(sorted({*part.scope, *scope}))
            if len(union) == len(part.scope) or fits(union):
                parts[number] = Mini(union, (*part.sources, source))
                break
        else:
            parts.append(Mini(scope, (source,)))
    return parts


def largest(sizes: tuple[int, ...], scopes: Sequence[Scope], numbers: float) -> Scheme:
    """The scheme with the widest mini-buckets, by powers of two of their entries, that takes no more than `numbers`."""

    def at(power: int) -> Scheme:
        return scheme_of(sizes, scopes, lambda scope: prod(float(sizes[v]) for v in scope) <= 2.0**power)

    power = bisect_left(range(MOST_ENTRIES), True, key=lambda power: at(power).numbers > numbers)
    return at(max(power - 1, 0))


def widths(scheme: Scheme) -> Fits:
    """What fits in a scheme: scopes no larger than the largest joint scope in it."""
    most = max(scheme.space(mini.scope) for mini in scheme.minis)
    return lambda scope: scheme.space(scope) <= most
