"""A variable: a name and the values it may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .domains import Domain, Finite, Numeric
from .errors import EvidenceError, GraphError


@dataclass(frozen=True)
class Variable:
    """A named random variable: with labelled states, or numeric.

    Args:
        name: any non-empty text; it is used in every message, answer and picture.
        domain: the labels, or their number n (then they are '0' ... 'n-1'), or a `Finite`; or `Real`, `Binary` or
            `Count` with an event shape.

    Raises:
        GraphError: when the name is empty, or the labels are none or repeated.

    Example:
        >>> rain = Variable("rain", ["no", "yes"])
        >>> rain.states, rain.size, rain.number("yes")
        (('no', 'yes'), 2, 1)
        >>> from pgm import Real
        >>> Variable("position", Real(2)).shape
        (2,)
    """

    name: str
    domain: Domain

    def __init__(self, name: str, domain: Domain | Sequence[object] | int = 2) -> None:
        if not isinstance(name, str) or not name:
            raise GraphError(f"Variable: the name is {name!r}, expected non-empty text.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "domain", _domain(name, domain))

    @property
    def finite(self) -> bool:
        """Whether the variable has labelled states."""
        return isinstance(self.domain, Finite)

    @property
    def states(self) -> tuple[str, ...]:
        """The labels, in order."""
        return self._labelled.states

    @property
    def numbers(self) -> Mapping[str, int]:
        """The place of each label among the states."""
        return self._labelled.numbers

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self._labelled.states)

    @property
    def shape(self) -> tuple[int, ...]:
        """The event shape of a value; () for a single number and for a state number."""
        return self.domain.shape

    @property
    def _labelled(self) -> Finite:
        if not isinstance(self.domain, Finite):
            raise GraphError(f"{self.name!r} is {self.domain!r}: it has numbers, not states.")
        return self.domain

    def number(self, label: object) -> int:
        """The place of a label among the states, counted from 0; labels are compared as text."""
        numbers = self.numbers
        found = numbers.get(label) if isinstance(label, str) else None
        if found is None:
            found = numbers.get(str(label))
        if found is None:
            raise EvidenceError(f"{self.name!r} is {label!r}; its states are {quoted(self.states)}.")
        return found

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Variable({self.name!r}, {list(self.states) if self.finite else self.domain!r})"


def _domain(name: str, domain: Domain | Sequence[object] | int) -> Domain:
    if isinstance(domain, (Finite, Numeric)):
        return domain
    if isinstance(domain, str):
        raise GraphError(f"Variable({name}): states are the text {domain!r}, expected a list of labels or a number.")
    if not isinstance(domain, (int, Iterable)):
        raise GraphError(
            f"Variable({name}): states are {domain!r}, expected a list of labels, their number, or Real() or such."
        )
    try:
        return Finite(range(domain) if isinstance(domain, int) else domain)
    except GraphError as error:
        raise GraphError(f"Variable({name}): {error}") from None


def quoted(names: Iterable[str], limit: int = 8) -> str:
    """Names in quotes, separated by commas; beyond `limit` of them the rest are counted.

    Example:
        >>> quoted(["a", "b", "c"], limit=2)
        "'a', 'b' and 1 more"
    """
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def title(kind: str, variables: Iterable[object]) -> str:
    """How messages name a term: its kind and the names of its variables, whatever was given for them.

    Example:
        >>> title("Table", [Variable("rain"), "wet"])
        'Table(rain, wet)'
    """
    return f"{kind}({shortened(each.name if isinstance(each, Variable) else str(each) for each in variables)})"


def shortened(names: Iterable[str], limit: int = 12) -> str:
    """Names separated by commas; beyond `limit` of them the rest are counted.

    Example:
        >>> shortened(["a", "b", "c"], limit=2)
        'a, b and 1 more'
    """
    names = list(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def sequence(variables: Sequence[Variable] | Variable, subject: str, what: str) -> tuple[Variable, ...]:
    """Variables as a tuple.

    Raises:
        GraphError: when a lone variable or a name is given for a list of variables.

    Example:
        >>> sequence([Variable("rain", ["no", "yes"])], "Table", "scope")
        (Variable('rain', ['no', 'yes']),)
    """
    if isinstance(variables, (Variable, str)):
        raise GraphError(f"{subject}: {what} is {variables!r}, expected a list of variables.")
    return tuple(variables)


def by_name(variables: Iterable[Variable]) -> dict[str, Variable]:
    """Variables keyed by their names.

    Raises:
        GraphError: when two different variables share a name.
    """
    found: dict[str, Variable] = {}
    for variable in variables:
        known = found.setdefault(variable.name, variable)
        if known != variable:
            raise GraphError(
                f"variable {variable.name!r} is given with {_described(known)} and with {_described(variable)}; "
                "use one Variable object for both."
            )
    return found


def _described(variable: Variable) -> str:
    return f"states {quoted(variable.states)}" if variable.finite else f"domain {variable.domain!r}"
