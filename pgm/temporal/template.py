"""A template: a model of one step in time, given the step before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from torch import nn

from ..conditionals import Conditional
from ..errors import GraphError
from ..graph import Graph, Term
from ..model import BayesianNetwork, Model
from ..terms import Local
from ..variable import Variable, by_name, quoted

MARK = "[t-1]"


def before(variable: Variable) -> Variable:
    """The same variable one step earlier, for use in the `step` of a `Template`.

    Example:
        >>> before(Variable("weather", ["dry", "wet"])).name
        'weather[t-1]'
    """
    return Variable(variable.name + MARK, variable.domain)


def looks_back(variable: Variable) -> bool:
    """Whether it stands for a variable one step earlier."""
    return variable.name.endswith(MARK)


def now(variable: Variable) -> Variable:
    """The variable that `before` was called with; one that does not look back is itself."""
    return Variable(variable.name.removesuffix(MARK), variable.domain) if looks_back(variable) else variable


class Template(nn.Module):
    """A dynamic Bayesian network: p(x_0) prod_t p(x_t given x_t-1), the same terms at every step.

    Hidden Markov models, linear dynamical systems, factorial and input-output models, and recurrent networks are
    templates. With potentials among the terms the product is not normalised (a conditional random field).

    Args:
        initial: terms of the first step. A variable whose step conditional does not look back needs none here: the
            same conditional serves the first step.
        step: terms of every later step, over variables of that step and, through `before`, of the one before it. A
            variable without conditional or potential is an input: it is observed at each step.
        name: a title for files and pictures.

    Attributes:
        first: the terms of the first step.
        later: the terms of every later step.
        variables: those of one step.
        carried: those that the next step looks back at.

    Raises:
        GraphError: when a step looks back at a variable that has no conditional for the first step, or the graph of a
            step is not acyclic.

    Example:
        >>> from pgm import Tabular
        >>> sky, wet = Variable("sky", ["clear", "grey"]), Variable("wet", ["no", "yes"])
        >>> change = Tabular(sky, [before(sky)], [[0.9, 0.1], [0.4, 0.6]])
        >>> weather = Template([Tabular(sky, [], [0.8, 0.2])], [change, Tabular(wet, [sky], [[0.9, 0.1], [0.3, 0.7]])])
        >>> weather
        Template(2 variables a step: sky, wet; carries sky)
        >>> weather.unroll(2).graph.parents
        {'sky[0]': (), 'wet[0]': ('sky[0]',), 'sky[1]': ('sky[0]',), 'wet[1]': ('sky[1]',)}

    Reference: Dean and Kanazawa (1989), A model for reasoning about persistence and causation; Murphy (2002), Dynamic
    Bayesian networks.
    """

    def __init__(self, initial: Iterable[Local], step: Iterable[Local], name: str = "") -> None:
        super().__init__()
        starts, steps = tuple(initial), tuple(step)
        for term in (*starts, *steps):
            if not isinstance(term, Local):
                raise GraphError(f"Template: {term!r} is no conditional or potential.")
        self.shared = nn.ModuleList(dict.fromkeys((*starts, *steps)))
        self.name = name
        self.first = (*starts, *_serving_first(starts, steps))
        self.later = steps
        scope = [v for term in (*steps, *starts) for v in term.scope]
        self.variables = tuple(by_name(map(now, scope)).values())
        self.carried = tuple(by_name(now(v) for v in scope if looks_back(v)).values())
        self._check(starts)

    def _check(self, starts: tuple[Local, ...]) -> None:
        for term in starts:
            if any(map(looks_back, term.scope)):
                raise GraphError(f"Template: {term!r} is an initial term, but there is no step before the first one.")
        for term in self.later:
            if isinstance(term, Conditional) and looks_back(term.child):
                raise GraphError(f"Template: {term!r} is about the step before; make it one of {term.child.name!r}.")
        begun, later = (children(terms) for terms in (self.first, self.later))
        for name in later:
            if name not in begun:
                raise GraphError(f"Template: {name!r} looks back and has no conditional in `initial`; give it one.")
        for name in begun:
            if name not in later:
                raise GraphError(f"Template: {name!r} has a conditional in `initial` and none in `step`; give it one.")
        if not self.later:
            raise GraphError("Template: `step` has no terms, expected one or more.")
        _ = self.order, self.first_order  # a cycle is found here

    @cached_property
    def graph(self) -> Graph:
        """The structure of one step: its variables, and those of the step before that it looks back at."""
        return _graph((*map(before, self.carried), *self.variables), self.later)

    @cached_property
    def order(self) -> tuple[Variable, ...]:
        """The variables of a later step, parents before children."""
        return tuple(v for name in self.graph.topological if not looks_back(v := self.graph.by_name[name]))

    @cached_property
    def first_order(self) -> tuple[Variable, ...]:
        """The variables of the first step, parents before children."""
        graph = _graph(self.variables, self.first)
        return tuple(graph.by_name[name] for name in graph.topological)

    @cached_property
    def directed(self) -> bool:
        """Whether all terms are conditionals."""
        return all(isinstance(term, Conditional) for term in (*self.first, *self.later))

    @cached_property
    def inputs(self) -> tuple[Variable, ...]:
        """The variables that no term is about: they have to be observed at each step."""
        known = children(self.later).keys() | {
            v.name for t in (*self.first, *self.later) if not isinstance(t, Conditional) for v in map(now, t.scope)
        }
        return tuple(v for v in self.variables if v.name not in known)

    def unroll(self, steps: int) -> Model:
        """An ordinary model of that many steps, with variables `name[0]`, `name[1]`, ...; its parameters are shared.

        Args:
            steps: how many, 1 or more.

        Returns:
            a `BayesianNetwork`, or a `Model` when there are inputs or potentials.
        """
        if steps < 1:
            raise GraphError(f"unroll: steps is {steps}, expected 1 or more.")
        terms = [
            term.renamed({v.name: _at(v, t) for v in term.scope})
            for t in range(steps)
            for term in (self.later if t else self.first)
        ]
        kind = BayesianNetwork if self.directed and not self.inputs else Model
        return kind(*terms, variables=[_at(v, t) for t in range(steps) for v in self.variables], name=self.name)

    def __getitem__(self, name: str) -> Variable:
        """The variable of that name."""
        found = next((v for v in self.variables if v.name == name), None)
        if found is None:
            raise GraphError(
                f"Template: {name!r} is not a variable; there are {quoted(v.name for v in self.variables)}."
            )
        return found

    def __repr__(self) -> str:
        names = ", ".join(v.name for v in self.variables[:6]) + (", ..." if len(self.variables) > 6 else "")
        carried = ", ".join(v.name for v in self.carried) or "nothing"
        return f"Template({len(self.variables)} variables a step: {names}; carries {carried})"


def children(terms: Sequence[Local]) -> dict[str, Conditional]:
    """The conditionals keyed by the name of their child."""
    return {term.child.name: term for term in terms if isinstance(term, Conditional)}


def _serving_first(starts: Sequence[Local], steps: Sequence[Local]) -> list[Local]:
    """The step terms that also belong to the first step: they do not look back, and nothing stands in their place."""
    begun = children(starts)
    return [
        term
        for term in steps
        if not any(map(looks_back, term.scope)) and not (isinstance(term, Conditional) and term.child.name in begun)
    ]


def _graph(variables: Sequence[Variable], terms: Sequence[Local]) -> Graph:
    found = [
        Term(tuple(v.name for v in term.scope), term.child.name if isinstance(term, Conditional) else None)
        for term in terms
    ]
    return Graph(tuple(variables), tuple(found))


def _at(variable: Variable, step: int) -> Variable:
    """The variable at that step, or one step earlier when it looks back."""
    return Variable(f"{now(variable).name}[{step - looks_back(variable)}]", variable.domain)
