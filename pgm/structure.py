"""Questions about a graph alone: separation, blankets, ancestors, the moral view.

A potential counts as an observed common child of its scope: multiplying by f(a, b) is observing a two-state child
whose chance of being on is proportional to f. So one search answers for directed, undirected and mixed graphs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .errors import GraphError
from .graph import Graph, Structured, Term

Names = str | Iterable[str]
Step = tuple[str, bool]  # a variable, and whether the trail arrives at it with an arrowhead


@dataclass(frozen=True)
class Separation:
    """The answer of `d_separated`: true when the variables are separated, else with an active path as witness.

    Args:
        a: names on one side.
        b: names on the other side.
        given: names of the observed variables.
        path: names along a shortest active path from a to b; empty when separated.
        arrows: the link after each name of the path but the last: `->`, `<-`, or `--` through a potential.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    given: tuple[str, ...]
    path: tuple[str, ...] = ()
    arrows: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.path

    def __repr__(self) -> str:
        bar = f" given {', '.join(self.given)}" if self.given else ""
        if self:
            return f"Separation({', '.join(self.a)} and {', '.join(self.b)} are separated{bar})"
        trail = "".join(f"{name} {arrow} " for name, arrow in zip(self.path, self.arrows, strict=False))
        return f"Separation({trail}{self.path[-1]} is active{bar})"


def d_separated(model: Structured, a: Names, b: Names, given: Names = ()) -> Separation:
    """Whether the graph alone makes a and b independent given observed variables.

    A path is active when each variable on it lets it through: one where two arrowheads meet (a collider) must have
    an observed variable or a potential at or below it, any other must not be observed.

    Args:
        model: a model or a graph of any kind; a potential acts as an observed common child of its scope.
        a: one name or several.
        b: one name or several.
        given: names of the observed variables.

    Raises:
        GraphError: on an unknown name, or one that occurs in two of a, b and given.

    Example:
        >>> from pgm.variable import Variable
        >>> tub, lung, either = (Variable(name) for name in ["tub", "lung", "either"])
        >>> terms = (Term(("tub",), "tub"), Term(("lung",), "lung"), Term(("tub", "lung", "either"), "either"))
        >>> graph = Graph((tub, lung, either), terms)
        >>> bool(d_separated(graph, "tub", "lung"))
        True
        >>> d_separated(graph, "tub", "lung", given="either")
        Separation(tub -> either <- lung is active given either)

    Reference: Pearl (1988), section 3.3; Shachter (1998), Bayes-ball.
    """
    graph = model.graph
    one, other, observed = (tuple(dict.fromkeys(_names(graph, side, "d_separated"))) for side in (a, b, given))
    for name in (*one, *other):
        if (name in one) + (name in other) + (name in observed) > 1:
            raise GraphError(f"d_separated: {name!r} occurs twice; a, b and given must not overlap.")
    path, arrows = _active_path(graph, one, other, observed)
    return Separation(one, other, observed, path, arrows)


def markov_blanket(model: Structured, names: Names) -> tuple[str, ...]:
    """The least set that separates variables from all others: those they share a term with, in the graph's order.

    Args:
        model: a model or a graph, of any kind.
        names: one name or several.

    Raises:
        GraphError: on an unknown name.

    Example:
        >>> from pgm.variable import Variable
        >>> a, b, c = (Variable(name) for name in "abc")
        >>> markov_blanket(Graph((a, b, c), (Term(("a", "b", "c"), "c"),)), "a")
        ('b', 'c')

    Reference: Pearl (1988), section 3.2.
    """
    graph = model.graph
    inside = set(_names(graph, names, "markov_blanket"))
    around = {other for name in inside for other in graph.neighbours[name]} - inside
    return tuple(name for name in graph.names if name in around)


def ancestral(model: Structured, names: Names) -> Graph:
    """The smallest sub-graph whose terms alone give the same distribution of the named variables.

    In a directed graph: the variables and their ancestors. A potential counts as an observed common child, so one
    that weighs on the variables or on their descendants brings in its scope and the ancestors of that.

    Args:
        model: a model or a graph, of any kind.
        names: one name or several.

    Raises:
        GraphError: on an unknown name.

    Example:
        >>> from pgm.variable import Variable
        >>> a, b, c = (Variable(name) for name in "abc")
        >>> chain = Graph((a, b, c), (Term(("a",), "a"), Term(("a", "b"), "b"), Term(("b", "c"), "c")))
        >>> ancestral(chain, "b").names
        ('a', 'b')

    Reference: Lauritzen (1996), Graphical Models, section 2.1.
    """
    graph = model.graph
    waiting = list(_names(graph, names, "ancestral"))
    weighed = _weighed(graph)
    links = _links(graph)
    kept: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting.extend(other for other, arrow in links[name] if arrow != "->" or other in weighed)
    variables = tuple(variable for variable in graph.variables if variable.name in kept)
    return Graph(variables, tuple(term for term in graph.terms if term.scope and kept.issuperset(term.scope)))


def moral(model: Structured) -> Graph:
    """The undirected view: each conditional becomes a potential of the same scope, so that parents are married.

    Example:
        >>> from pgm.variable import Variable
        >>> a, b, c = (Variable(name) for name in "abc")
        >>> sorted(moral(Graph((a, b, c), (Term(("a", "b", "c"), "c"),))).neighbours["a"])
        ['b', 'c']

    Reference: Lauritzen and Spiegelhalter (1988).
    """
    return Graph(model.graph.variables, tuple(Term(term.scope) for term in model.graph.terms))


def _names(graph: Graph, names: Names, subject: str) -> tuple[str, ...]:
    return graph.require(names, subject)


def _links(graph: Graph) -> dict[str, list[tuple[str, str]]]:
    """For each variable the others it is linked to, each with the arrow that leads there."""
    found: dict[str, dict[tuple[str, str], None]] = {name: {} for name in graph.names}
    for term in graph.terms:
        for parent in term.given:
            found[parent][term.scope[-1], "->"] = None
            found[term.scope[-1]][parent, "<-"] = None
        if term.child is None:
            for name in term.scope:
                found[name].update(dict.fromkeys((other, "--") for other in term.scope if other != name))
    return {name: list(links) for name, links in found.items()}


def _weighed(graph: Graph, observed: Iterable[str] = ()) -> set[str]:
    """The variables that have an observed one or a potential at or below them."""
    found: set[str] = set()
    waiting = [*observed, *(name for term in graph.terms if term.child is None for name in term.scope)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.parents[name])
    return found


def _active_path(
    graph: Graph, a: tuple[str, ...], b: tuple[str, ...], given: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and arrows along a shortest active path, by breadth-first search; both empty when there is none."""
    links, observed, opened = _links(graph), set(given), _weighed(graph, given)
    came: dict[Step, tuple[Step, str] | None] = {(name, False): None for name in a}
    queue = deque(came)
    while queue:
        step = queue.popleft()
        for other, arrow in links[step[0]]:
            after = (other, arrow == "->")
            meets = step[1] and arrow == "<-"  # two arrowheads meet: a collider
            lets_through = step[0] in opened if meets else step[0] not in observed
            if not lets_through or after in came:
                continue
            came[after] = (step, arrow)
            if other in b:
                return _trail(came, after)
            queue.append(after)
    return (), ()


def _trail(came: dict[Step, tuple[Step, str] | None], end: Step) -> tuple[tuple[str, ...], tuple[str, ...]]:
    def backwards() -> Iterator[tuple[Step, str]]:
        step = came[end]
        while step is not None:
            yield step
            step = came[step[0]]

    steps = list(backwards())[::-1]
    return (*(step[0] for step, _ in steps), end[0]), tuple(arrow for _, arrow in steps)
