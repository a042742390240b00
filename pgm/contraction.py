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
        self.spaces = [prod([sizes[v] for v in scope]) for scope in self.scopes]
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
        bucket = sorted(self.holders.get(variable, ()), key=self.spaces.__getitem__, reverse=True)
        while len(bucket) > 1:
            left, right = bucket.pop(), bucket.pop()
            result = self.multiply(left, right, together, maximise)
            if variable not in self.scopes[result]:
                return
            bucket.append(result)
            bucket.sort(key=self.spaces.__getitem__, reverse=True)
        for tensor in bucket:
            self._step(tensor, NONE, self._alone(tensor, together), maximise)

    def multiply(self, left: int, right: int, together: Collection[int], maximise: bool) -> int:
        """Contract two tensors; what only one of them holds, and nobody else, is removed first."""
        left, right = self._trimmed(left, together, maximise), self._trimmed(right, together, maximise)
        theirs, holders = self.scopes[right], self.holders
        gone = {v for v in self.scopes[left] if len(holders[v]) == 2 and v in theirs and v in together}
        return self._step(left, right, gone, maximise)

    def finish(self) -> int:
        """Multiply whatever is left into one root and return it."""
        root, *rest = sorted(self.live, key=self.spaces.__getitem__)
        for tensor in rest:
            root = self._step(root, tensor, set(), False)
        return root

    def _alone(self, tensor: int, together: Collection[int]) -> set[int]:
        """The removable variables that no other tensor holds."""
        return {v for v in self.scopes[tensor] if len(self.holders[v]) == 1 and v in together}

    def _trimmed(self, tensor: int, together: Collection[int], maximise: bool) -> int:
        alone = self._alone(tensor, together)
        return self._step(tensor, NONE, alone, maximise) if alone else tensor

    def _step(self, left: int, right: int, gone: set[int], maximise: bool) -> int:
        mine, theirs = self.scopes[left], self.scopes[right] if right != NONE else ()
        only_left = tuple([v for v in mine if v not in theirs and v not in gone])
        only_right = tuple([v for v in theirs if v not in mine and v not in gone])
        sizes = self.sizes
        if right != NONE and prod([sizes[v] for v in only_left]) > prod([sizes[v] for v in only_right]):
            # The longer of the two goes last, where it is contiguous.
            left, right, mine, theirs, only_left, only_right = right, left, theirs, mine, only_right, only_left
        both = tuple([v for v in mine if v in theirs and v not in gone])
        result = len(self.scopes)
        self.scopes.append(both + only_left + only_right)
        self.spaces.append(prod([sizes[v] for v in self.scopes[result]]))
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
    rank = [(space, -tensor) for tensor, space in enumerate(work.spaces)]
    found = []
    for number, target in targets:
        candidates = [t for t in holding[target[0]] if len(target) == 1 or set(target) <= set(work.scopes[t])]
        found.append(Read(number, min(candidates, key=rank.__getitem__)))
    return tuple(found)
