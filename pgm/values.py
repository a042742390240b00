"""Values of variables as tensors, checked where they come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .domains import Binary, Count, Finite
from .errors import EvidenceError, GraphError
from .variable import Variable


def read_value(variable: Variable, value: Any, subject: str) -> Tensor:
    """Labels or state numbers as an integer tensor `[*batch]`, or numbers as a tensor `[*batch, *event]`.

    Args:
        variable: whose value it is.
        value: a label, a list of labels or integers (state numbers) in an array; for a numeric variable anything torch
            can make a tensor of. A tensor of floats keeps its precision, device and gradient; all else becomes float64.
        subject: how error messages begin.

    Raises:
        EvidenceError: when a state does not exist, the last axes are not the event shape, or a number is outside the
            domain (NaN, which stands for missing, is let through).

    Example:
        >>> read_value(Variable("rain", ["no", "yes"]), "yes", "log_prob")
        tensor(1)
    """
    if isinstance(variable.domain, Finite):
        return _state_numbers(variable, value, subject)
    numbers = _floats(variable, value, subject)
    event = variable.shape
    if tuple(numbers.shape[numbers.dim() - len(event) :]) != event:
        expected = ", ".join(map(str, ("*batch", *event)))
        raise EvidenceError(
            f"{subject}: {variable.name!r} has shape {tuple(numbers.shape)}, expected [{expected}], since its domain "
            f"is {variable.domain!r}."
        )
    _check_domain(variable, numbers, subject)
    return numbers


def read_all(variables: Sequence[Variable], assignment: Mapping[str, Any], subject: str) -> dict[str, Tensor]:
    """The value of every variable by name, none missing, with batch shapes that broadcast.

    Raises:
        GraphError: when a variable has no value.
        EvidenceError: as `read_value`, on NaN, and when two batches do not fit together.
    """
    found: dict[str, Tensor] = {}
    batch: tuple[int, ...] = ()
    for variable in variables:
        if variable.name not in assignment:
            raise GraphError(f"{subject}: no value for {variable.name!r}; every variable needs one.")
        value = found[variable.name] = read_value(variable, assignment[variable.name], subject)
        if value.is_floating_point() and bool(value.isnan().any()):
            raise EvidenceError(f"{subject}: {variable.name!r} is NaN; every variable needs a value.")
        mine = tuple(value.shape[: value.dim() - len(variable.shape)])
        try:
            batch = batch if mine == batch else tuple(torch.broadcast_shapes(batch, mine))  # which is slow
        except RuntimeError:
            raise EvidenceError(
                f"{subject}: {variable.name!r} has batch shape {mine}, those before it {batch}; make them equal, or 1."
            ) from None
    return found


def placed(module: nn.Module, values: Sequence[Tensor]) -> list[Tensor]:
    """The values where the module's parameters are, numbers in their precision too; as they are when it has none."""
    like = _floating(module, "_parameters")
    like = _floating(module, "_buffers") if like is None else like
    if like is None:
        return list(values)
    return [value.to(like) if value.is_floating_point() else value.to(like.device) for value in values]


def _floating(module: nn.Module, kind: str) -> Tensor | None:
    """The first tensor of floats that a module holds; torch's own walk, with names, takes ten times as long."""
    for tensor in module.__dict__[kind].values():
        if tensor is not None and tensor.is_floating_point():
            return tensor
    for child in module._modules.values():
        found = None if child is None else _floating(child, kind)
        if found is not None:
            return found
    return None


def _floats(variable: Variable, value: Any, subject: str) -> Tensor:
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else value.to(torch.float64)
    try:
        return torch.as_tensor(np.array(value, dtype=np.float64))
    except (TypeError, ValueError, RuntimeError) as error:
        raise EvidenceError(f"{subject}: {variable.name!r} is not made of numbers ({error}).") from None


def _check_domain(variable: Variable, numbers: Tensor, subject: str) -> None:
    domain = variable.domain
    if isinstance(domain, Binary):
        wrong = (numbers != 0) & (numbers != 1)
    elif isinstance(domain, Count):
        wrong = (numbers < 0) | (numbers != numbers.floor()) | torch.isinf(numbers)
    else:
        wrong = torch.isinf(numbers)
    wrong = wrong & ~torch.isnan(numbers)
    if bool(wrong.any()):
        raise EvidenceError(f"{subject}: {variable.name!r} has {numbers[wrong][0].item():g}, expected {domain!r}.")


def _state_numbers(variable: Variable, value: Any, subject: str) -> Tensor:
    if isinstance(value, np.ndarray) and value.dtype.kind in "iubf":
        value = torch.as_tensor(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return torch.tensor(_number(variable, value, subject))
    if not isinstance(value, Tensor):
        return torch.tensor([_number(variable, label, subject) for label in value], dtype=torch.long)
    if value.is_floating_point():
        raise EvidenceError(
            f"{subject}: {variable.name!r} is a {value.dtype} tensor, expected labels or integer state numbers."
        )
    numbers = value.long()
    if numbers.numel() and not 0 <= int(numbers.min()) <= int(numbers.max()) < variable.size:
        raise EvidenceError(
            f"{subject}: {variable.name!r} has state numbers {int(numbers.min())} to {int(numbers.max())}, "
            f"expected 0 to {variable.size - 1}; every variable needs a value."
        )
    return numbers


def _number(variable: Variable, label: Any, subject: str) -> int:
    try:
        return variable.number(label)
    except EvidenceError as error:
        raise EvidenceError(f"{subject}: {error}") from None
