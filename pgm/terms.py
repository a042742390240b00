"""What conditionals and potentials share: a scope, and a factor made from their parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import reduce
from math import inf
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from .errors import GraphError, ShapeError
from .factor import Factor, axes
from .variable import Variable, by_name

# Accepted forms of a table: nested lists, numpy, a tensor, or a dict keyed by labels (one level an axis, or tuples).
TableLike = Sequence[Any] | np.ndarray | Tensor | Mapping[Any, Any] | float
Numbers = Sequence[Any] | np.ndarray | Tensor | float


@dataclass(frozen=True)
class Capabilities:
    """What can be done with a conditional or potential.

    Args:
        enumerable: its scope is finite, so that it is a table, whatever computes its numbers.
        reparameterised: its samples are differentiable in the parameters and the parents.
        has_log_prob: its logarithm can be computed at given values.

    Example:
        >>> from pgm import Gaussian, Real
        >>> Gaussian(Variable("x", Real()), 0.0, 1.0).capabilities
        Capabilities(enumerable=False, reparameterised=True, has_log_prob=True)
    """

    enumerable: bool
    reparameterised: bool
    has_log_prob: bool


class Local(nn.Module, ABC):
    """One local piece of a model: a non-negative function of the variables in its scope.

    A subclass keeps its numbers as module parameters or buffers, and refers to variables by their place in the scope
    only, so that the same piece can be used over other variables (see `renamed`). Values are given in the order of the
    scope: state numbers `[*batch]` for a finite variable, `[*batch, *event]` for a numeric one.
    """

    scope: tuple[Variable, ...]

    def __init__(self, scope: Sequence[Variable], subject: str) -> None:
        super().__init__()
        for variable in scope:
            if not isinstance(variable, Variable):
                raise GraphError(f"{subject}: {variable!r} is no Variable; make one with Variable(name, states).")
        if len(by_name(scope)) < len(scope):
            raise ShapeError(f"{subject}: scope {[v.name for v in scope]} lists a variable twice.")
        self.scope = tuple(scope)

    @property
    @abstractmethod
    def subject(self) -> str:
        """How messages about this piece begin."""

    @property
    def capabilities(self) -> Capabilities:
        """What can be done with it."""
        return Capabilities(self.enumerable, reparameterised=False, has_log_prob=True)

    @property
    def enumerable(self) -> bool:
        """Whether the whole scope is finite."""
        return all(variable.finite for variable in self.scope)

    @abstractmethod
    def log_prob(self, *values: Tensor) -> Tensor:
        """The logarithm at values in the order of the scope, in nats, `[*batch]`."""

    def factor(self) -> Factor:
        """The tensor that exact inference multiplies, differentiable in the parameters; by enumeration of all values.

        Raises:
            GraphError: when a variable of the scope has no states.
        """
        numeric = next((variable for variable in self.scope if not variable.finite), None)
        if numeric is not None:
            raise GraphError(f"{self.subject}: {numeric.name!r} is {numeric.domain!r}, so there is no table of it.")
        grid = torch.meshgrid(*(torch.arange(variable.size) for variable in self.scope), indexing="ij")
        return Factor(self.scope, self.log_prob(*grid).exp())

    def cores(self) -> tuple[Tensor, ...] | None:
        """The table as a train of matrices, one `[left, size, right]` a variable of the scope, where it is one."""
        return None

    def renamed(self, names: Mapping[str, Variable]) -> Self:
        """The same piece over other variables: its parameters are shared, not copied.

        Args:
            names: for each name in the scope the variable that takes its place; the others stay.
        """
        twin = copy(self)  # its dictionaries of parameters, buffers and modules are the same objects
        twin.scope = tuple(names.get(variable.name, variable) for variable in self.scope)
        return twin


def require_finite(scope: Sequence[Variable], subject: str) -> None:
    """Raise a `GraphError` that names the first variable without states."""
    for variable in scope:
        if not variable.finite:
            raise GraphError(
                f"{subject}: {variable.name!r} is {variable.domain!r}, expected a variable with states; for numeric "
                "ones use Gaussian, LinearGaussian, Logistic, Neural and the like."
            )


def read_table(values: TableLike, scope: Sequence[Variable], subject: str, note: str = "") -> Tensor:
    """A float64 tensor of the scope's shape from any accepted form of a table.

    Args:
        values: nested lists, an array, a tensor (which keeps its precision), or a mapping keyed by labels: nested (one
            level an axis) or by tuples of labels.
        scope: the variables, one an axis.
        subject: how error messages begin, such as `Tabular(wet)`.
        note: what to add to the message about a wrong shape.

    Raises:
        ShapeError: naming each axis when the shape is wrong, a label is unknown or missing, or a number is negative or
            not finite.

    Example:
        >>> coin = Variable("coin", ["heads", "tails"])
        >>> read_table({"tails": 0.25, "heads": 0.75}, [coin], "Table(coin)")
        tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    if isinstance(values, Mapping):
        values = _from_labels(values, tuple(scope), subject)
    table = read_floats(values, f"{subject}: table", axes(tuple(scope)))
    expected = tuple(variable.size for variable in scope)
    if tuple(table.shape) != expected:
        raise ShapeError(f"{subject}: table has shape {tuple(table.shape)}, expected {axes(tuple(scope))}{note}.")
    if not bool(torch.isfinite(table).all()) or bool((table < 0).any()):
        where = _first_index(~(table >= 0) | torch.isinf(table))
        raise ShapeError(
            f"{subject}: entry {_labels(where, scope)} is {table[where].item():g}; "
            "expected finite numbers that are not negative."
        )
    return table


def read_numbers(
    values: Numbers, names: Sequence[Sequence[str]], what: str, low: float = -inf, high: float = inf
) -> Tensor:
    """A float64 tensor of finite numbers between two bounds, such as weights or strengths.

    Args:
        values: nested lists, an array or a tensor (which keeps its precision).
        names: what each entry along each axis is called; none for a single number.
        what: how error messages begin, such as `NoisyOr(wet): strengths`.
        low: the least number allowed.
        high: the greatest number allowed.

    Raises:
        ShapeError: when the shape does not fit the names, or a number is not finite or out of bounds.

    Example:
        >>> read_numbers([0.5, 2], [["rain", "wind"]], "Logistic(wet): weights")
        tensor([0.5000, 2.0000], dtype=torch.float64)
    """
    shape = tuple(len(axis) for axis in names)
    expected = f"{shape}" + (" = " + " x ".join(f"[{', '.join(axis)}]" for axis in names) if names else "")
    numbers = read_floats(values, what, expected)
    if tuple(numbers.shape) != shape:
        raise ShapeError(f"{what}: shape {tuple(numbers.shape)}, expected {expected}.")
    wrong = ~(torch.isfinite(numbers) & (numbers >= low) & (numbers <= high))
    if bool(wrong.any()):
        where = _first_index(wrong)
        entry = f" for ({', '.join(axis[i] for axis, i in zip(names, where, strict=True))})" if names else ""
        bounds = "" if (low, high) == (-inf, inf) else f" from {low:g} to {high:g}"
        raise ShapeError(f"{what}: {numbers[where].item():g}{entry}, expected finite numbers{bounds}.")
    return numbers


def read_array(values: Numbers, sizes: Sequence[tuple[int, str]], shared: int, what: str) -> Tensor:
    """A float64 tensor of finite numbers of the given shape; the first `shared` axes may have length 1 instead.

    Args:
        values: nested lists, an array or a tensor (which keeps its precision).
        sizes: the length of each axis, and what it is called.
        shared: how many axes may have length 1, for numbers that all of their entries share.
        what: how error messages begin, such as `Gaussian(x): mean`.

    Raises:
        ShapeError: when the shape does not fit, or a number is not finite.

    Example:
        >>> read_array([[1.0, 2.0]], [(3, "sky"), (2, "wind")], 1, "ConditionalLinearGaussian(wind): mean").shape
        torch.Size([1, 2])
    """
    expected = f"{tuple(n for n, _ in sizes)}" + (f" = [{', '.join(name for _, name in sizes)}]" if sizes else "")
    numbers = read_floats(values, what, expected)
    fits = len(sizes) == numbers.dim() and all(
        length == n or (axis < shared and length == 1)
        for axis, (length, (n, _)) in enumerate(zip(numbers.shape, sizes, strict=True))
    )
    if not fits:
        raise ShapeError(f"{what}: shape {tuple(numbers.shape)}, expected {expected}.")
    wrong = ~torch.isfinite(numbers)
    if bool(wrong.any()):
        raise ShapeError(f"{what}: {numbers[_first_index(wrong)].item():g}, expected finite numbers.")
    return numbers


def read_floats(values: Any, what: str, expected: str) -> Tensor:
    """A fresh tensor of floats: float64, except that a tensor of floats keeps its own precision.

    Raises:
        ShapeError: saying what was expected when it is no array of numbers.
    """
    if isinstance(values, Tensor):
        kept = values.detach() if values.is_floating_point() else values.to(torch.float64)
        return kept.clone(memory_format=torch.contiguous_format)
    try:
        return torch.from_numpy(np.array(values, np.float64, order="C"))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(f"{what} is not an array of numbers ({error}); expected {expected}.") from None


def parameters(*tensors: Tensor) -> list[nn.Parameter]:
    """Tensors as parameters of one precision, the widest of theirs.

    Example:
        >>> [each.dtype for each in parameters(torch.zeros(2, dtype=torch.float64), torch.zeros(1))]
        [torch.float64, torch.float64]
    """
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    return [nn.Parameter(tensor.to(dtype)) for tensor in tensors]


def _first_index(mask: Tensor) -> tuple[int, ...]:
    return tuple(int(i) for i in mask.nonzero()[0])


def _labels(where: Sequence[int], scope: Sequence[Variable]) -> str:
    return "(" + ", ".join(f"{v.name}={v.states[i]}" for v, i in zip(scope, where, strict=False)) + ")"


def _from_labels(values: Any, scope: tuple[Variable, ...], subject: str) -> Any:
    """Nested lists from a mapping keyed by labels; tuple keys stand for several axes at once."""
    if not isinstance(values, Mapping):
        return values.tolist() if isinstance(values, (np.ndarray, Tensor)) else values
    if not scope:
        raise ShapeError(f"{subject}: the table is a mapping deeper than its axes; one level an axis.")
    nested: dict[Any, Any] = {}
    for key, entry in values.items():
        head, *rest = key if isinstance(key, tuple) else (key,)
        if rest:
            nested.setdefault(str(head), {})[tuple(rest) if len(rest) > 1 else rest[0]] = entry
        else:
            nested[str(head)] = entry
    variable = scope[0]
    unknown = [key for key in nested if key not in variable.states]
    missing = [label for label in variable.states if label not in nested]
    if unknown or missing:
        wrong = f"unknown label {unknown[0]!r}" if unknown else f"no entry for {missing[0]!r}"
        raise ShapeError(f"{subject}: {wrong} on axis {variable.name!r}; its states are {list(variable.states)}.")
    return [_from_labels(nested[label], scope[1:], subject) for label in variable.states]
