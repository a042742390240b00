"""Plates: copies of a part of a model that share its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .conditionals import Conditional
from .errors import GraphError
from .terms import Local
from .variable import Variable, quoted


class Plate:
    """N copies of some conditionals and potentials, whose parameters all copies share.

    A variable that only terms of the plate mention is copied, as `name[label]`, or `name[outer,inner]` where plates
    are nested; one that is mentioned outside as well stays single and is shared by the copies.

    Args:
        name: what the copies are of, such as "patient".
        copies: how many (then their labels are 0, 1, ...), or a label each.
        terms: conditionals, potentials, and further plates inside this one.

    Raises:
        GraphError: when there is no copy, no term, or a label is repeated.

    Example:
        >>> from pgm import BayesianNetwork, Tabular
        >>> bias, toss = Variable("bias", ["fair", "loaded"]), Variable("toss", ["heads", "tails"])
        >>> tosses = Plate("throw", 3, Tabular(toss, [bias], [[0.5, 0.5], [0.9, 0.1]]))
        >>> BayesianNetwork(Tabular(bias, [], [0.5, 0.5]), tosses).graph.names
        ('bias', 'toss[0]', 'toss[1]', 'toss[2]')

    Reference: Buntine (1994), Operations for learning with graphical models.
    """

    def __init__(self, name: str, copies: int | Sequence[object], *terms: Local | Plate) -> None:
        labels = _labels(name, copies)
        if not labels or len(set(labels)) < len(labels):
            raise GraphError(f"Plate({name}): copies is {copies!r}, expected 1 or more, or labels that differ.")
        for term in terms:
            if not isinstance(term, (Local, Plate)):
                raise GraphError(f"Plate({name}): {term!r} is no conditional, potential or plate.")
        if not terms:
            raise GraphError(f"Plate({name}): there are no terms, expected one or more after the number of copies.")
        self.name, self.labels, self.terms = name, labels, terms

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Plate({self.name} x {len(self)}: {', '.join(map(repr, self.terms))})"


Piece = Local | Plate


def _labels(name: str, copies: int | Sequence[object]) -> tuple[str, ...]:
    if isinstance(copies, int) and not isinstance(copies, bool):
        return tuple(map(str, range(copies)))
    if isinstance(copies, Iterable) and not isinstance(copies, str):
        return tuple(map(str, copies))
    raise GraphError(f"Plate({name}): copies is {copies!r}, expected a whole number or a list of labels.")


def originals(pieces: Iterable[Piece]) -> list[Local]:
    """All conditionals and potentials, those in plates once."""
    found: list[Local] = []
    for piece in pieces:
        found.extend([piece] if isinstance(piece, Local) else originals(piece.terms))
    return found


def ground(pieces: Sequence[Piece]) -> list[Local]:
    """All conditionals and potentials, those in plates once a copy.

    Raises:
        GraphError: when the child of a conditional in a plate is mentioned outside of it.
    """
    return _ground(pieces, frozenset(), {}, ())


def inside(plate: Plate, others: Iterable[str]) -> dict[str, Variable]:
    """The variables that are copied: mentioned in the plate and not among `others`, which are mentioned outside."""
    found = {v.name: v for term in originals(plate.terms) for v in term.scope}
    for name in others:
        found.pop(name, None)
    return found


def _ground(
    pieces: Sequence[Piece], outside: frozenset[str], names: Mapping[str, Variable], labels: tuple[str, ...]
) -> list[Local]:
    found: list[Local] = []
    for piece in pieces:
        if isinstance(piece, Local):
            found.append(piece.renamed(names) if any(v.name in names for v in piece.scope) else piece)
            continue
        others = outside | {v.name for other in originals(p for p in pieces if p is not piece) for v in other.scope}
        copied = inside(piece, others)
        _check_children(piece, copied)
        for label in piece.labels:
            place = (*labels, label)
            twins = {name: Variable(f"{name}[{','.join(place)}]", v.domain) for name, v in copied.items()}
            found.extend(_ground(piece.terms, others, {**names, **twins}, place))
    return found


def _check_children(plate: Plate, copied: Mapping[str, Variable]) -> None:
    for term in originals(plate.terms):
        if isinstance(term, Conditional) and term.child.name not in copied:
            raise GraphError(
                f"Plate({plate.name}): {term.child.name!r} has its conditional in the plate but is mentioned outside; "
                f"what is outside can depend on none of the copies. Copied is {quoted(copied) or 'nothing'}."
            )
