"""A model's conditionals and potentials sorted into nested plates, each one once, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from ..conditionals import Conditional
from ..graph import Graph, Term
from ..plates import Piece, Plate, inside, originals
from ..potentials import Potential
from ..terms import Local
from ..variable import Variable


@dataclass(frozen=True, eq=False)
class Block:
    """What lies in one plate and in none inside it; or outside of all plates.

    Args:
        plates: the plates around it, the outermost first.
        variables: those of this block, parents before children.
        conditionals: by the name of the child.
        potentials: those given in this block.
        blocks: one a plate inside this one.
    """

    plates: tuple[Plate, ...]
    variables: tuple[Variable, ...]
    conditionals: Mapping[str, Conditional]
    potentials: tuple[Potential, ...]
    blocks: tuple[Block, ...]

    @cached_property
    def walk(self) -> tuple[Block, ...]:
        """This block and all inside it."""
        return (self, *(each for block in self.blocks for each in block.walk))


def sort(pieces: Sequence[Piece], variables: Sequence[Variable]) -> Block:
    """The blocks of a model.

    Args:
        pieces: what the model was made of.
        variables: all of the model's variables; those that no term mentions are put outside of all plates.

    Example:
        >>> from pgm import Tabular
        >>> bias, toss = Variable("bias"), Variable("toss")
        >>> throws = Plate("throw", 2, Tabular(toss, [bias], [[0.5, 0.5], [0.9, 0.1]]))
        >>> [block.variables for block in sort([throws, Tabular(bias, [], [0.5, 0.5])], [bias]).walk]
        [(Variable('bias', ['0', '1']),), (Variable('toss', ['0', '1']),)]
    """
    root = _block((), pieces, frozenset())
    known = {name for block in root.walk for v in block.variables for name in copies(v, block.plates)}
    alone = tuple(v for v in variables if v.name not in known)
    return replace(root, variables=(*alone, *root.variables))


def copies(variable: Variable, plates: Sequence[Plate]) -> list[str]:
    """The names of a variable's copies, the innermost plate varying fastest; its own name outside of plates.

    Example:
        >>> from pgm import Table
        >>> x = Variable("x")
        >>> copies(x, [Plate("row", 2, Table([x], [1, 1]))])
        ['x[0]', 'x[1]']
    """
    if not plates:
        return [variable.name]
    return [f"{variable.name}[{','.join(place)}]" for place in product(*(plate.labels for plate in plates))]


def _block(plates: tuple[Plate, ...], pieces: Sequence[Piece], outside: frozenset[str]) -> Block:
    here, blocks = {v.name: v for v in _scopes(pieces)}, []
    for plate in pieces:
        if isinstance(plate, Plate):
            others = outside | {v.name for v in _scopes(p for p in pieces if p is not plate)}
            blocks.append(_block((*plates, plate), plate.terms, others))
            here = {name: v for name, v in here.items() if name not in inside(plate, others)}
    own = [v for name, v in here.items() if name not in outside]
    terms = [piece for piece in pieces if isinstance(piece, Local)]
    conditionals = {term.child.name: term for term in terms if isinstance(term, Conditional)}
    potentials = tuple(term for term in terms if isinstance(term, Potential))
    return Block(plates, _ordered(own, conditionals.values()), conditionals, potentials, tuple(blocks))


def _scopes(pieces: Iterable[Piece]) -> list[Variable]:
    return [v for term in originals(pieces) for v in term.scope]


def _ordered(variables: Sequence[Variable], conditionals: Iterable[Conditional]) -> tuple[Variable, ...]:
    """Parents before children."""
    known = {v.name for v in variables}
    terms = [Term(tuple(v.name for v in c.scope if v.name in known), c.child.name) for c in conditionals]
    graph = Graph(tuple(variables), tuple(terms))
    return tuple(graph.by_name[name] for name in graph.topological)
