"""Domains: which values a variable may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from numbers import Integral
from types import MappingProxyType

from .errors import GraphError


@dataclass(frozen=True)
class Finite:
    """A domain of finitely many labelled states; a value is a state number, counted from 0.

    Args:
        states: the labels, in order; each is turned into text, and no label may occur twice.

    Raises:
        GraphError: when there is no state or a label is repeated.

    Example:
        >>> Finite(("no", "yes")).size
        2
    """

    states: tuple[str, ...]
    numbers: Mapping[str, int]

    def __init__(self, states: Iterable[object]) -> None:
        labels = tuple(str(label) for label in states)
        numbers = {label: number for number, label in enumerate(labels)}
        if not labels:
            raise GraphError("Finite: a variable needs at least one state; none was given.")
        if len(numbers) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise GraphError(f"Finite: state {twice!r} occurs twice in {labels}; labels must differ.")
        object.__setattr__(self, "states", labels)
        object.__setattr__(self, "numbers", MappingProxyType(numbers))

    @property
    def size(self) -> int:
        return len(self.states)

    @property
    def shape(self) -> tuple[int, ...]:
        """The event shape of a value: a state number is a scalar."""
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Finite) and self.states == other.states

    def __hash__(self) -> int:
        return hash(self.states)

    def __reduce__(self) -> tuple[type[Finite], tuple[tuple[str, ...]]]:
        return Finite, (self.states,)

    def __repr__(self) -> str:
        return f"Finite({self.states!r})"


@dataclass(frozen=True, init=False)
class Numeric:
    """A domain of numbers or arrays of numbers, all of one shape; abstract.

    Args:
        shape: the event shape: none for a single number, a length, or several of them.

    Raises:
        GraphError: when a length is not a positive whole number.
    """

    shape: tuple[int, ...]

    def __init__(self, *shape: int) -> None:
        if any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in shape):
            kind = type(self).__name__
            raise GraphError(f"{kind}: shape is {shape!r}, expected positive whole numbers such as {kind}(28, 28).")
        object.__setattr__(self, "shape", tuple(map(int, shape)))

    @property
    def length(self) -> int:
        """How many numbers one value has."""
        return prod(self.shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"


@dataclass(frozen=True, init=False, repr=False)
class Real(Numeric):
    """Real numbers, or arrays of them.

    Example:
        >>> Real(), Real(3).shape, Real(28, 28).length
        (Real(), (3,), 784)
    """


@dataclass(frozen=True, init=False, repr=False)
class Binary(Numeric):
    """Zeros and ones, or arrays of them, as floating-point numbers.

    A single yes-or-no variable that is to be summed over is `Finite` with two states; this is for pixels.

    Example:
        >>> Binary(784)
        Binary(784)
    """


@dataclass(frozen=True, init=False, repr=False)
class Count(Numeric):
    """Whole numbers from 0 on, or arrays of them, as floating-point numbers.

    Example:
        >>> Count(1000).length
        1000
    """


@dataclass(frozen=True, init=False, repr=False)
class OneHot(Numeric):
    """Choices side by side, a one among zeros along the last axis each, as floating-point numbers; all zeros for none.

    A single choice is `Finite`; this is for many with the same states, such as the ratings of all films by one person.

    Example:
        >>> OneHot(100, 5).length  # 100 films, 1 to 5 stars
        500
    """


Domain = Finite | Numeric
