"""The graph of a model: derived from the scopes of its terms, never typed twice.

A `Graph` keeps one `Term` for each conditional and potential; the directed, the undirected (moral) and the
factor-graph views are read off those. Questions about a graph are free functions in `pgm.structure`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from .errors import GraphError
from .variable import Variable, by_name, quoted


@dataclass(frozen=True)
class Term:
    """One conditional p(child given the rest of the scope), or one potential (no child).

    Args:
        scope: names of the variables, a child last.
        child: name of the child, or None for a potential.
    """

    scope: tuple[str, ...]
    child: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The parents of the child; empty for a potential."""
        return tuple(name for name in self.scope if name != self.child) if self.child is not None else ()

    @property
    def label(self) -> str:
        """How it is written: `p(child | given)` for a conditional, `f(scope)` for a potential.

        Example:
            >>> Term(("a", "b"), "b").label, Term(("a", "b")).label
            ('p(b | a)', 'f(a, b)')
        """
        if self.child is None:
            return f"f({', '.join(self.scope)})"
        return f"p({self.child}" + (f" | {', '.join(self.given)})" if self.given else ")")


@dataclass(frozen=True)
class Graph:
    """The structure of a model, frozen and hashable.

    Args:
        variables: all variables, in the order in which answers list them.
        terms: one a conditional or potential.

    Raises:
        GraphError: on an unknown or repeated name, two conditionals of one child, or a directed cycle.

    Example:
        >>> rain, wet = Variable("rain"), Variable("wet")
        >>> graph = Graph((rain, wet), (Term(("rain",), "rain"), Term(("rain", "wet"), "wet")))
        >>> graph.kind, graph.parents["wet"]
        ('directed', ('rain',))
    """

    variables: tuple[Variable, ...]
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        names = [variable.name for variable in self.variables]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise GraphError(f"Graph: variable {twice!r} is listed twice; names must differ.")
        for term in self.terms:
            _check_term(term, set(names))
        children = [term.child for term in self.terms if term.child is not None]
        if len(set(children)) < len(children):
            twice = next(child for child in children if children.count(child) > 1)
            raise GraphError(f"Graph: {twice!r} has two conditionals; keep one, or make the other a potential.")
        cycle = _cycle(self.parents)
        if cycle:
            raise GraphError(f"{self._title}: cycle {' -> '.join(cycle)}.")

    @property
    def _title(self) -> str:
        return "BayesianNetwork" if self.kind == "directed" else "Model"

    @cached_property
    def by_name(self) -> dict[str, Variable]:
        """The variables keyed by name."""
        return by_name(self.variables)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the variables, in order."""
        return tuple(variable.name for variable in self.variables)

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The parents of each variable; empty for roots and for variables without a conditional."""
        found: dict[str, tuple[str, ...]] = {variable.name: () for variable in self.variables}
        found.update((term.child, term.given) for term in self.terms if term.child is not None)
        return found

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """The children of each variable, in the order of the variables."""
        found: dict[str, list[str]] = {variable.name: [] for variable in self.variables}
        for child, given in self.parents.items():
            for parent in given:
                found[parent].append(child)
        return {name: tuple(children) for name, children in found.items()}

    @cached_property
    def neighbours(self) -> dict[str, frozenset[str]]:
        """The neighbours of each variable in the undirected (moral) view: those it shares a term with."""
        found: dict[str, set[str]] = {variable.name: set() for variable in self.variables}
        for term in self.terms:
            for name in term.scope:
                found[name].update(term.scope)
        return {name: frozenset(others - {name}) for name, others in found.items()}

    @property
    def kind(self) -> str:
        """'directed' (conditionals only), 'undirected' (potentials only) or 'mixed' (a chain graph)."""
        kinds = {term.child is None for term in self.terms}
        return "mixed" if len(kinds) == 2 else "undirected" if True in kinds else "directed"

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of states of each variable; 1 for those that have none."""
        return tuple(variable.size if variable.finite else 1 for variable in self.variables)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The place of each variable in `variables`, by name."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def scopes(self) -> tuple[tuple[int, ...], ...]:
        """The scope of each term as places in `variables`."""
        return tuple(tuple(self.numbers[name] for name in term.scope) for term in self.terms)

    @cached_property
    def topological(self) -> tuple[str, ...]:
        """The names ordered so that parents come before children."""
        return tuple(_sorted_by_parents(self.parents))

    @property
    def graph(self) -> Graph:
        """Itself, so that whatever asks about structure takes a model or a graph."""
        return self

    def require(self, names: str | Iterable[str], subject: str) -> tuple[str, ...]:
        """One name or several as a tuple, once all are known to be variables of this graph.

        Raises:
            GraphError: naming `subject` and the first name that is no variable here.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        for name in names:
            if name not in self.by_name:
                raise GraphError(f"{subject}: {name!r} is not a variable; there are {quoted(self.names)}.")
        return names

    def __repr__(self) -> str:
        directed = sum(len(parents) for parents in self.parents.values())
        potentials = sum(term.child is None for term in self.terms)
        parts = [f"{len(self.variables)} variables", f"{directed} arrows"]
        return f"Graph({self.kind}: " + ", ".join(parts + [f"{potentials} potentials"] * bool(potentials)) + ")"


class Structured(Protocol):
    """A model or a graph: what questions about structure are asked of."""

    @property
    def graph(self) -> Graph:
        """The structure."""


def _check_term(term: Term, known: set[str]) -> None:
    if len(set(term.scope)) < len(term.scope):
        raise GraphError(f"Graph: scope {list(term.scope)} lists a variable twice.")
    if term.child is not None and (not term.scope or term.scope[-1] != term.child):
        raise GraphError(f"Graph: child {term.child!r} must be last in its scope {list(term.scope)}.")
    for name in term.scope:
        if name not in known:
            raise GraphError(f"Graph: scope {list(term.scope)} names {name!r}, which is not a variable.")


def _sorted_by_parents(parents: dict[str, tuple[str, ...]]) -> list[str]:
    """Kahn's order; shorter than the input exactly when there is a cycle."""
    missing = {child: len(given) for child, given in parents.items()}
    children: dict[str, list[str]] = {name: [] for name in parents}
    for child, given in parents.items():
        for parent in given:
            children[parent].append(child)
    order = [name for name, count in missing.items() if count == 0]
    for name in order:  # grows while it is walked
        for child in children[name]:
            missing[child] -= 1
            if missing[child] == 0:
                order.append(child)
    return order


def _cycle(parents: dict[str, tuple[str, ...]]) -> list[str]:
    """The names along one directed cycle, first name repeated at the end; empty when there is none."""
    left = set(parents) - set(_sorted_by_parents(parents))
    if not left:
        return []
    seen: dict[str, int] = {}
    name = min(left, key=list(parents).index)
    while name not in seen:
        seen[name] = len(seen)
        name = next(parent for parent in parents[name] if parent in left)
    loop = [each for each, place in seen.items() if place >= seen[name]][::-1]  # walked child to parent
    first = loop.index(min(loop, key=list(parents).index))
    return [*loop[first:], *loop[:first], loop[first]]
