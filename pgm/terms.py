"""What conditionals and potentials share: a scope, and a factor made from their parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .errors import GraphError, ShapeError
from .factor import Factor, axes
from .variable import Variable, by_name

# Accepted forms of a table: nested lists, numpy, a tensor, or a dict keyed by labels (one level an axis, or tuples).
TableLike = Sequence[Any] | np.ndarray | Tensor | Mapping[Any, Any] | float
Numbers = Sequence[Any] | np.ndarray | Tensor | float


class Local(nn.Module, ABC):
    """One local piece of a model: a non-negative function of the variables in its scope.

    A subclass keeps its numbers as module parameters or buffers and says in `factor` what tensor they make.
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

    @abstractmethod
    def factor(self) -> Factor:
        """The tensor that exact inference multiplies, differentiable in the parameters."""


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
    table = _floats(values, f"{subject}: table", axes(tuple(scope)))
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
    numbers = _floats(values, what, expected)
    if tuple(numbers.shape) != shape:
        raise ShapeError(f"{what}: shape {tuple(numbers.shape)}, expected {expected}.")
    wrong = ~(torch.isfinite(numbers) & (numbers >= low) & (numbers <= high))
    if bool(wrong.any()):
        where = _first_index(wrong)
        entry = f" for ({', '.join(axis[i] for axis, i in zip(names, where, strict=True))})" if names else ""
        bounds = "" if (low, high) == (-inf, inf) else f" from {low:g} to {high:g}"
        raise ShapeError(f"{what}: {numbers[where].item():g}{entry}, expected finite numbers{bounds}.")
    return numbers


def _floats(values: Any, what: str, expected: str) -> Tensor:
    """A fresh tensor of floats: float64, except that a tensor of floats keeps its own precision."""
    if isinstance(values, Tensor):
        kept = values.detach() if values.is_floating_point() else values.to(torch.float64)
        return kept.clone(memory_format=torch.contiguous_format)
    try:
        return torch.from_numpy(np.array(values, np.float64, order="C"))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeError(f"{what} is not an array of numbers ({error}); expected {expected}.") from None


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
