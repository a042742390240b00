"""From an elimination order to a contraction tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from .plan import NONE, Leaf, Read, Step, Tree


class Contraction:
    """The steps of one tree while it is being built; used once, then frozen by `tree`."""

    def __init__(self, leaves: Sequence[Leaf], sizes: Sequence[int], kept: Collection[int]) -> None:
        self.leaves = tuple(leaves)
        self.sizes = sizes
        self.kept = frozenset(kept)
        self.scopes = [leaf.scope for leaf in leaves]
        self.steps: list[Step] = []
        self.live = dict.fromkeys(range(len(leaves)))
        self.holders: dict[int, set[int]] = {}
        for tensor, scope in enumerate(self.scopes):
            for variable in scope:
                self.holders.setdefault(variable, set()).add(tensor)

    def eliminate(self, variable: int, together: Collection[int], maximise: bool) -> None:
        """Remove a variable: contract all tensors that hold it, smallest first.

        Others of `together` that end up in one tensor alone go in the same step.
        """
        bucket = sorted(self.holders.get(variable, ()), key=self._size, reverse=True)
        while len(bucket) > 1:
            left, right = bucket.pop(), bucket.pop()
            result = self.multiply(left, right, together, maximise)
            if variable not in self.scopes[result]:
                return
            bucket.append(result)
            bucket.sort(key=self._size, reverse=True)
        for tensor in bucket:
            self._step(tensor, NONE, self._alone((tensor,), together), maximise)

    def multiply(self, left: int, right: int, together: Collection[int], maximise: bool) -> int:
        """Contract two tensors; what only one of them holds, and nobody else, is removed first."""
        left, right = (self._trimmed(each, other, together, maximise) for each, other in ((left, right), (right, left)))
        return self._step(left, right, self._alone((left, right), together), maximise)

    def finish(self) -> int:
        """Multiply whatever is left into one root and return it."""
        root, *rest = sorted(self.live, key=self._size)
        for tensor in rest:
            root = self._step(root, tensor, set(), False)
        return root

    def _size(self, tensor: int) -> int:
        return prod(self.sizes[v] for v in self.scopes[tensor])

    def _apart(self, tensor: int, other: int) -> int:
        """The joint states of the axes that one tensor has and another has not."""
        return prod(self.sizes[v] for v in self.scopes[tensor] if v not in self.scopes[other])

    def _alone(self, tensors: tuple[int, ...], together: Collection[int]) -> set[int]:
        """The removable variables that no tensor but these holds."""
        found = set()
        for tensor in tensors:
            for v in self.scopes[tensor]:
                if v in together and self.holders[v].issubset(tensors):
                    found.add(v)
        return found

    def _trimmed(self, tensor: int, other: int, together: Collection[int], maximise: bool) -> int:
        alone = self._alone((tensor,), together)
        return self._step(tensor, NONE, alone, maximise) if alone else tensor

    def _step(self, left: int, right: int, gone: set[int], maximise: bool) -> int:
        if right != NONE and self._apart(left, right) > self._apart(right, left):
            left, right = right, left  # the longer of the two goes last, where it is contiguous
        mine, theirs = self.scopes[left], self.scopes[right] if right != NONE else ()
        both = tuple(v for v in mine if v in theirs and v not in gone)
        only_left = tuple(v for v in mine if v not in theirs and v not in gone)
        only_right = tuple(v for v in theirs if v not in mine and v not in gone)
        result = len(self.scopes)
        self.scopes.append(both + only_left + only_right)
        self.steps.append(Step(left, right, self.scopes[result], maximise and bool(gone)))
        for tensor in (left, right) if right != NONE else (left,):
            del self.live[tensor]
            for v in self.scopes[tensor]:
                self.holders[v].discard(tensor)
        self.live[result] = None
        for v in self.scopes[result]:
            self.holders[v].add(result)
        return result


def contract(
    leaves: Sequence[Leaf],
    sizes: Sequence[int],
    order: Sequence[int],
    *,
    kept: Collection[int] = (),
    maximised: Collection[int] = (),
    targets: Sequence[tuple[int, tuple[int, ...]]] = (),
    evidence: bool = True,
) -> Tree:
    """The tree that eliminates variables in the given order.

    Args:
        leaves: the inputs, at least one.
        sizes: number of states of each variable.
        order: variables to eliminate, first one first.
        kept: variables left in the root.
        maximised: variables that are maximised instead of summed; they come last in the order.
        targets: (number, scope) of the answers to be read in this tree.
        evidence: as in `Tree`.
    """
    work = Contraction(leaves, sizes, kept)
    summed = frozenset(order) - frozenset(maximised) - work.kept
    largest = frozenset(maximised) - work.kept
    for variable in order:
        if variable not in work.kept:
            work.eliminate(variable, largest if variable in largest else summed, variable in largest)
    work.finish()
    return Tree(work.leaves, tuple(work.steps), _reads(work, targets), evidence)


def _reads(work: Contraction, targets: Sequence[tuple[int, tuple[int, ...]]]) -> tuple[Read, ...]:
    """Each target is read in the smallest tensor that holds all of it; the one nearest the root among equals."""
    holding: dict[int, list[int]] = {}
    for tensor, scope in enumerate(work.scopes):
        for variable in scope:
            holding.setdefault(variable, []).append(tensor)
    rank = [(work._size(tensor), -tensor) for tensor in range(len(work.scopes))]
    found = []
    for number, target in targets:
        candidates = [t for t in holding[target[0]] if len(target) == 1 or set(target) <= set(work.scopes[t])]
        found.append(Read(number, min(candidates, key=rank.__getitem__)))
    return tuple(found)
