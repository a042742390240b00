"""What a picture is of: a graph, the conditionals behind it, and plates folded or laid out in copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from ..conditionals import Conditional
from ..graph import Graph, Structured, Term
from ..model import Model
from ..plates import Piece, Plate, inside, originals
from ..terms import Local
from ..variable import by_name
from .sketch import Plates


@dataclass(frozen=True)
class Subject:
    """What a picture shows.

    Args:
        graph: the variables and terms to draw.
        conditionals: what is known of them, by child; nothing where only a graph was given.
        plates: the variables inside each box, keyed by the text on the box.
        copies: for each variable drawn in a plate the names of its copies in the model.
    """

    graph: Graph
    conditionals: Mapping[str, Conditional] = field(default_factory=dict)
    plates: Plates = field(default_factory=dict)
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def laid_out(model: Structured) -> Subject:
    """Every variable of the model, with each copy in a plate on its own."""
    return Subject(model.graph, model.conditionals if isinstance(model, Model) else {})


def folded(model: Structured) -> Subject:
    """The model as it was written: what is in a plate once, inside a box that says how many copies there are."""
    if not isinstance(model, Model) or not model.plates:
        return laid_out(model)
    terms = originals(model.pieces)
    plates: dict[str, tuple[str, ...]] = {}
    copies: dict[str, tuple[str, ...]] = {}
    _fold(model.pieces, frozenset(), ((),), plates, copies)
    alone = set(chain.from_iterable(copies.values()))
    known = by_name([*(v for term in terms for v in term.scope), *(v for v in model.variables if v.name not in alone)])
    conditionals = {term.child.name: term for term in terms if isinstance(term, Conditional)}
    return Subject(Graph(tuple(known.values()), tuple(map(_term, terms))), conditionals, plates, copies)


def _fold(
    pieces: Sequence[Piece],
    outside: frozenset[str],
    places: Sequence[tuple[str, ...]],
    plates: dict[str, tuple[str, ...]],
    copies: dict[str, tuple[str, ...]],
) -> None:
    """Enter the boxes and copies of these pieces; the inner ones come after, and overrule, the outer ones."""
    for plate in (piece for piece in pieces if isinstance(piece, Plate)):
        others = outside | {v.name for each in originals(p for p in pieces if p is not plate) for v in each.scope}
        copied = tuple(inside(plate, others))
        here = [(*place, label) for place in places for label in plate.labels]
        plates[_fresh(f"{plate.name} × {len(plate)}", plates)] = copied
        copies |= {name: tuple(f"{name}[{','.join(place)}]" for place in here) for name in copied}
        _fold(plate.terms, others, here, plates, copies)


def _fresh(text: str, taken: Mapping[str, object]) -> str:
    """The text, with spaces added until no other box has it."""
    return text if text not in taken else _fresh(f"{text} ", taken)


def _term(term: Local) -> Term:
    return Term(tuple(v.name for v in term.scope), term.child.name if isinstance(term, Conditional) else None)
