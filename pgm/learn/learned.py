"""What a search for a structure found, and how it got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..graph import Graph, Term
from ..variable import Variable


@dataclass(frozen=True)
class Learned:
    """A structure found by its score.

    Args:
        graph: the best graph seen.
        score: its score, in nats.
        trace: the score after each step of the search; it falls where the search makes a fresh start.
        finished: False when the search was interrupted.
    """

    graph: Graph
    score: float
    trace: tuple[float, ...]
    finished: bool = True

    def __repr__(self) -> str:
        arrows = sum(len(parents) for parents in self.graph.parents.values())
        cut = "" if self.finished else ", interrupted"
        return f"Learned({arrows} arrows, score {self.score:.2f}, {len(self.trace)} steps{cut})"


def directed_graph(variables: Sequence[Variable], parents: Mapping[str, Sequence[str]]) -> Graph:
    """The graph with one conditional a variable.

    Example:
        >>> directed_graph((Variable("rain"), Variable("wet")), {"wet": ["rain"]})
        Graph(directed: 2 variables, 1 arrows)
    """
    names = [variable.name for variable in variables]
    return Graph(tuple(variables), tuple(Term((*parents.get(name, ()), name), name) for name in names))
