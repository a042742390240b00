"""Parent divorcing: a wide term that is a train of matrices becomes a chain of small terms over hidden helpers."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .causes import Causes
from .conditionals import TableConditional
from .factor import Factor
from .model import Model
from .potentials import TablePotential
from .terms import Local
from .variable import Variable

Scope = tuple[Variable, ...]
Quiet = frozenset[int]  # numbers of the wide conditionals of which it is known that no cause had an effect
NONE: Quiet = frozenset()


@dataclass(frozen=True, eq=False)
class Chain:
    """A wide term as a train of matrices.

    Args:
        term: the wide term.
        order: its variables but the child, by place in its scope, in the order of the matrices.
        quiet: whether it is known that no cause had an effect, so that nothing is carried along.
        scopes: of the links.
    """

    term: Local
    order: tuple[int, ...]
    quiet: bool
    scopes: tuple[Scope, ...]

    def factors(self) -> list[Factor]:
        """One factor a link."""
        links = _links(self.term, self.order, self.quiet)
        shapes = ([variable.size for variable in scope] for scope in self.scopes)
        tables = (link.reshape(shape) for link, shape in zip(links, shapes, strict=True))
        return list(map(Factor, self.scopes, tables))

    def pieces(self) -> list[Local]:
        """One term a link."""
        kind = Link if isinstance(self.term, Causes) and not self.quiet else Weight
        return [kind(scope, self, place) for place, scope in enumerate(self.scopes)]

    @property
    def helpers(self) -> list[str]:
        """The names of what is carried along."""
        return [] if self.quiet else [scope[0].name for scope in self.scopes[1:]]

    def deterministic(self) -> bool:
        """Whether the variables leave no choice of what is carried along."""
        return all(bool(((link > 0).sum(-1) <= 1).all()) for link in _links(self.term, self.order, self.quiet)[:-1])


class Link(TableConditional):
    """What is carried on, or in the end the child, given what was carried so far and one cause.

    Args:
        scope: in that order, what is carried on last.
        chain: what it belongs to.
        place: which of the links it is.
    """

    def __init__(self, scope: Scope, chain: Chain, place: int) -> None:
        super().__init__(scope[-1], scope[:-1])
        self.chain, self.place, self.whole = chain, place, chain.term

    def factor(self) -> Factor:
        return self.chain.factors()[self.place]


class Weight(TablePotential):
    """The weight of what was carried so far, one variable and, but in the end, what is carried on.

    Args:
        scope: in that order; the variable alone where nothing is carried along.
        chain: what it belongs to.
        place: which of the links it is.
    """

    def __init__(self, scope: Scope, chain: Chain, place: int) -> None:
        super().__init__(scope)
        self.chain, self.place, self.whole = chain, place, chain.term

    def factor(self) -> Factor:
        return self.chain.factors()[self.place]


class Divorced(Model):
    """A model with each wide term as a chain; helpers come after all variables of the original, whose numbers stay.

    Args:
        model: the original, whose parameters it shares.
        quiet: numbers of the wide conditionals of which it is known that no cause had an effect.
    """

    nbytes = 0.0  # it holds no numbers of its own

    def __init__(self, model: Model, quiet: Quiet) -> None:
        names = set(model.graph.names)
        chains = {number: _chain(model, number, number in quiet, names) for number in model.wide}
        parts = [chains.get(number, term) for number, term in enumerate(model.terms)]
        pieces = [piece for part in parts for piece in (part.pieces() if isinstance(part, Chain) else [part])]
        super().__init__(*pieces, variables=model.variables, name=model.name)
        self.parts = tuple(parts)

    def factors(self) -> tuple[Factor, ...]:
        """One factor a term; each wide one computes its matrices once."""
        each = (part.factors() if isinstance(part, Chain) else [part.factor()] for part in self.parts)
        return tuple(factor for some in each for factor in some)

    def determined(self, known: Set[str]) -> tuple[int, ...]:
        """The numbers of the helpers that are functions of known variables.

        A sum over those has one term, so that a search for the best states may take their maximum, in any order.
        """
        number, chains = self.graph.numbers, (part for part in self.parts if isinstance(part, Chain))
        sure = (c for c in chains if known >= {v.name for v in c.term.scope} and c.deterministic())
        return tuple(number[name] for chain in sure for name in chain.helpers)


def divorced(model: Model, quiet: Quiet = NONE) -> Model:
    """The model, or where it has wide terms the same distribution with a chain of small terms for each of them.

    A table of 2^n numbers f(x) = C_1[x_1] ... C_n[x_n] is a sum over the states h_i that are carried along,
    sum_h C_1[x_1, h_1] C_2[h_1, x_2, h_2] ... C_n[h_(n - 1), x_n], and each matrix is a term of three variables. Where
    nothing is carried along, because the effect is known to be absent, each matrix is a term of its own variable.

    Args:
        model: any model; its parameters are shared, so that it may be fitted, and it keeps what is made.
        quiet: numbers of the wide conditionals of which it is known that no cause had an effect.

    Example:
        >>> from pgm import BayesianNetwork, NoisyOr, Tabular
        >>> causes, effect = [Variable(f"x{k}") for k in range(30)], Variable("effect")
        >>> roots = [Tabular(x, [], [0.9, 0.1]) for x in causes]
        >>> divorced(BayesianNetwork(*roots, NoisyOr(effect, causes, [0.5] * 30)))
        Divorced(60 variables: x0, x1, x2, x3, x4, x5, ...; 60 conditionals)

    Reference: Olesen et al. (1989), A MUNIN network for the median nerve; Heckerman (1990), A tractable inference
    algorithm for diagnosing multiple diseases; Diez and Galan (2003), Efficient computation for the noisy MAX.
    """
    if not model.wide:
        return model
    found: Divorced = model.sessions.get((Divorced, quiet), lambda: Divorced(model, quiet))
    return found


def kinds(model: Model, hard: Mapping[int, np.ndarray], rows: np.ndarray) -> Iterator[tuple[np.ndarray, Quiet]]:
    """Row numbers, grouped by the wide conditionals of which it is known there that no cause had an effect.

    Args:
        model: the original.
        hard: state numbers by variable, none missing in these rows.
        rows: row numbers.
    """
    seen = effects(model, hard)
    if not seen:
        yield rows, NONE
        return
    silent = np.stack([hard[child][rows] == rest for _, child, rest in seen], axis=1)
    found, which = np.unique(silent, axis=0, return_inverse=True)
    for kind, chosen in enumerate(found):
        quiet = frozenset(number for (number, _, _), is_silent in zip(seen, chosen, strict=True) if is_silent)
        yield rows[which.reshape(-1) == kind], quiet


def effects(model: Model, observed: Container[int]) -> list[tuple[int, int, int]]:
    """The wide conditionals whose child is observed: number, number of the child, and its state without any cause."""
    wide = [(n, model.graph.scopes[n][-1], term) for n, term in model.wide.items() if isinstance(term, Causes)]
    return [(number, child, term.rest) for number, child, term in wide if child in observed]


def _chain(model: Model, number: int, quiet: bool, names: set[str]) -> Chain:
    """The chain of a wide term; chains that run side by side stay narrow when all have one order of the variables."""
    term, scope = model.terms[number], model.graph.scopes[number]
    count = len(scope) - isinstance(term, Causes)
    order = tuple(sorted(range(count), key=lambda place: scope[place]))
    links = _links(term, order, quiet)
    variables = [term.scope[place] for place in order]
    scopes = [(v,) for v in variables] if quiet else _scopes(term, variables, links, names)
    return Chain(term, order, quiet, tuple(scopes))


def _links(term: Local, order: Sequence[int], quiet: bool) -> tuple[Tensor, ...]:
    """The matrices, `[so far, variable, then]`; a conditional's last one leads on to its child."""
    if not isinstance(term, Causes):
        cores = term.cores()  # the same in any order
        assert cores is not None
        return cores
    *others, cause, child = term.cores_in(order)
    if quiet:
        return tuple(core[:1, :, :1] for core in (*others, cause))
    return (*others, torch.tensordot(cause, child.squeeze(-1), 1))


def _scopes(term: Local, variables: Sequence[Variable], links: Sequence[Tensor], names: set[str]) -> list[Scope]:
    """The scopes of links over new helpers, whose names are added to those that are taken."""
    title = f"{term.subject if isinstance(term, Causes) else type(term).__name__} after"
    helpers = [
        Variable(_free(f"{title} {v.name}", names), link.shape[2])
        for v, link in zip(variables, links[:-1], strict=False)
    ]
    before: list[Scope] = [(), *((helper,) for helper in helpers)]
    end = term.scope[-1:] if isinstance(term, Causes) else ()
    after: list[Scope] = [*((helper,) for helper in helpers), end]
    return [(*one, v, *other) for one, v, other in zip(before, variables, after, strict=True)]


def _free(name: str, names: set[str]) -> str:
    """A name like this one that is not taken; now it is."""
    while name in names:
        name += "'"
    names.add(name)
    return name
