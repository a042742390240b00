"""A model: conditionals and potentials over named variables, as one torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from .certain import certain
from .conditionals import Conditional
from .errors import GraphError
from .factor import Factor
from .graph import Graph, Term
from .plates import Piece, Plate, ground, originals
from .potentials import Potential
from .samples import Samples
from .sessions import Sessions
from .terms import Local
from .values import read_all
from .variable import Variable, by_name

WIDE = 2**6  # entries of a table beyond which a train of matrices is answered as a chain of small terms


class Model(nn.Module):
    """p(x) proportional to the product of all conditionals and potentials.

    Args:
        terms: conditionals, potentials and plates of them, in any order.
        variables: the order in which answers list the variables; by default the order of first appearance.
        name: a title for files and pictures.

    Attributes:
        terms: all conditionals and potentials, those in plates once a copy.
        pieces: what was given: each conditional and potential once, and the plates.
        graph: the structure, derived from the scopes.

    Raises:
        GraphError: on two conditionals of one child, a directed cycle, or two variables of one name.

    Example:
        >>> from pgm import Table, Tabular
        >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
        >>> Model(Tabular(rain, [], [0.8, 0.2]), Table([rain, wet], [[9, 1], [1, 9]]))
        Model(2 variables: rain, wet; 1 conditional, 1 potential)
    """

    def __init__(self, *terms: Piece, variables: Sequence[Variable] = (), name: str = "") -> None:
        super().__init__()
        for piece in terms:
            if not isinstance(piece, (Local, Plate)):
                kind = type(self).__name__
                raise GraphError(
                    f"{kind}: {piece!r} is no conditional or potential; give them one by one, {kind}(a, b)."
                )
        self.pieces = terms
        self.shared = nn.ModuleList(originals(terms))
        self.terms = tuple(ground(terms))
        self.name = name
        self.sessions = Sessions()
        found = by_name([*variables, *(v for term in self.terms for v in term.scope)])
        self.graph = Graph(tuple(found.values()), tuple(_term(term) for term in self.terms))

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All variables, in the order in which answers list them."""
        return self.graph.variables

    @cached_property
    def conditionals(self) -> dict[str, Conditional]:
        """The conditionals keyed by the name of their child."""
        return {term.child.name: term for term in self.terms if isinstance(term, Conditional)}

    @property
    def potentials(self) -> tuple[Potential, ...]:
        """The potentials, in the order given."""
        return tuple(term for term in self.terms if isinstance(term, Potential))

    def __getitem__(self, name: str) -> Variable:
        """The variable of that name."""
        self.graph.require([name], type(self).__name__)
        return self.graph.by_name[name]

    def factors(self) -> tuple[Factor, ...]:
        """One factor a term, in the order of the terms, differentiable in the parameters."""
        return tuple(term.factor() for term in self.terms)

    @cached_property
    def finite(self) -> bool:
        """Whether every variable has states, so that every term is a table."""
        return all(variable.finite for variable in self.variables)

    @cached_property
    def wide(self) -> dict[int, Local]:
        """The terms with a large table that are trains of matrices, and small as those, by number."""
        return {number: term for number, term in enumerate(self.terms) if _wide(term)}

    @property
    def plates(self) -> tuple[Plate, ...]:
        """The outermost plates."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Plate))

    def log_prob(self, assignment: Mapping[str, Any] | Samples) -> Tensor:
        """The log of the product of all terms at full assignments; log p(x) when the model is a Bayesian network.

        Args:
            assignment: for each finite variable a label, a list of labels, or an integer tensor of state numbers
                `[*batch]`; for each numeric one a tensor `[*batch, *event]` or what makes one; or `Samples`.

        Returns:
            Tensor of shape `[*batch]`, in nats, not normalised when there are potentials; -inf where impossible.

        Raises:
            GraphError: when a variable has no value.
            EvidenceError: when a value is not in its variable's domain.
            PlanError: when a conditional has no density (`Implicit`).

        Example:
            >>> from pgm import Tabular
            >>> coin = Variable("coin", ["heads", "tails"])
            >>> BayesianNetwork(Tabular(coin, [], [0.5, 0.5])).log_prob({"coin": "heads"})
            tensor(-0.6931, dtype=torch.float64, grad_fn=<AddBackward0>)
        """
        self.graph.require(assignment, "log_prob")
        held = next(chain(self.parameters(), self.buffers()), None)
        device = None if held is None else held.device
        read = read_all(self.variables, dict(assignment), "log_prob")
        values = {name: value.to(device=device) for name, value in read.items()}
        total = torch.zeros((), dtype=torch.float64)
        for term in self.terms:
            total = total + term.log_prob(*(values[variable.name] for variable in term.scope))
        return total

    def do(self, actions: Mapping[str, object]) -> Model:
        """The mutilated model: each variable acted upon loses its parents and takes the given value.

        Args:
            actions: for each variable that is set from outside a label, or for a numeric one a value of its shape.

        Raises:
            GraphError: when a variable is unknown or touched by a potential (an action on it has no agreed meaning).
            EvidenceError: when the value is not in the variable's domain.

        Example:
            >>> from pgm import Tabular
            >>> rain, wet = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"])
            >>> net = BayesianNetwork(Tabular(rain, [], [0.8, 0.2]), Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]))
            >>> net.do({"wet": "yes"}).graph.parents["wet"]
            ()

        Reference: Pearl (2009), Causality, section 3.2.
        """
        self.graph.require(actions, "do")
        for name in actions:
            if any(name in (v.name for v in potential.scope) for potential in self.potentials):
                raise GraphError(f"do: {name!r} is in a potential; actions are defined on conditionals only.")
        kept = [t for t in self.terms if not (isinstance(t, Conditional) and t.child.name in actions)]
        points = [certain(self[name], value) for name, value in actions.items()]
        return type(self)(*kept, *points, variables=self.variables, name=self.name)

    def __repr__(self) -> str:
        names = ", ".join(self.graph.names[:6]) + (", ..." if len(self.variables) > 6 else "")
        counts = [(len(self.conditionals), "conditional"), (len(self.potentials), "potential")]
        terms = ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts if n)
        return f"{type(self).__name__}({len(self.variables)} variables: {names}; {terms})"


class BayesianNetwork(Model):
    """A model of conditionals only, one for each variable: p(x) = prod p(x_i | parents of x_i).

    Args:
        terms: one conditional a variable, in any order.
        variables: the order in which answers list the variables.
        name: a title for files and pictures.

    Raises:
        GraphError: as `Model`, and on a potential or a variable without a conditional.

    Example:
        >>> from pgm import Tabular
        >>> rain = Variable("rain", ["no", "yes"])
        >>> BayesianNetwork(Tabular(rain, [], [0.8, 0.2]))
        BayesianNetwork(1 variables: rain; 1 conditional)
    """

    def __init__(self, *terms: Piece, variables: Sequence[Variable] = (), name: str = "") -> None:
        super().__init__(*terms, variables=variables, name=name)
        if self.potentials:
            raise GraphError(f"BayesianNetwork: {self.potentials[0]!r} is a potential; use Model or MarkovNetwork.")
        for each in self.graph.names:
            if each not in self.conditionals:
                raise GraphError(f"BayesianNetwork: {each!r} has no conditional; add one, or use Model.")


class MarkovNetwork(Model):
    """A model of potentials only: p(x) = prod f_c(x_c) / Z.

    Args:
        terms: the potentials.
        variables: the order in which answers list the variables.
        name: a title for files and pictures.

    Raises:
        GraphError: on a conditional.

    Example:
        >>> from pgm import Table
        >>> a, b = Variable("a"), Variable("b")
        >>> MarkovNetwork(Table([a, b], [[30, 5], [1, 10]]))
        MarkovNetwork(2 variables: a, b; 1 potential)
    """

    def __init__(self, *terms: Piece, variables: Sequence[Variable] = (), name: str = "") -> None:
        super().__init__(*terms, variables=variables, name=name)
        if self.conditionals:
            first = next(iter(self.conditionals.values()))
            raise GraphError(f"MarkovNetwork: {first!r} is a conditional; use Model or BayesianNetwork.")


def _wide(term: Local) -> bool:
    entries = prod(variable.size for variable in term.scope if variable.finite)
    cores = term.cores() if entries > WIDE else None
    return cores is not None and len(cores) > 2 and sum(core.numel() for core in cores) < entries


def _term(term: Local) -> Term:
    child = term.child.name if isinstance(term, Conditional) else None
    return Term(tuple(variable.name for variable in term.scope), child)
