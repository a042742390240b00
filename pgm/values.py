"""Values of variables as tensors, checked where they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .domains import Binary, Count, Finite
from .errors import EvidenceError
from .variable import Variable


def read_value(variable: Variable, value: Any, subject: str) -> Tensor:
    """A label or state numbers as an integer tensor `[*batch]`, or numbers as a tensor `[*batch, *event]`.

    Args:
        variable: whose value it is.
        value: a label or an integer tensor; for a numeric variable anything torch can make a tensor of. A tensor of
            floats keeps its precision, device and gradient; everything else becomes float64.
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
    try:
        floats = isinstance(value, Tensor) and value.is_floating_point()
        numbers = value if floats else torch.as_tensor(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise EvidenceError(f"{subject}: {variable.name!r} is not made of numbers ({error}).") from None
    event = variable.shape
    if tuple(numbers.shape[numbers.dim() - len(event) :]) != event:
        expected = ", ".join(map(str, ("*batch", *event)))
        raise EvidenceError(
            f"{subject}: {variable.name!r} has shape {tuple(numbers.shape)}, expected [{expected}], since its domain "
            f"is {variable.domain!r}."
        )
    _check_domain(variable, numbers, subject)
    return numbers


def _check_domain(variable: Variable, numbers: Tensor, subject: str) -> None:
    domain = variable.domain
    if isinstance(domain, Binary):
        wrong = (numbers != 0) & (numbers != 1)
    elif isinstance(domain, Count):
        wrong = (numbers < 0) | (numbers != numbers.floor())
    else:
        wrong = torch.isinf(numbers)
    wrong = wrong & ~torch.isnan(numbers)
    if bool(wrong.any()):
        raise EvidenceError(f"{subject}: {variable.name!r} has {numbers[wrong][0].item():g}, expected {domain!r}.")


def _state_numbers(variable: Variable, value: Any, subject: str) -> Tensor:
    if not isinstance(value, (Tensor, np.ndarray)):
        return torch.tensor(variable.number(value))
    numbers = torch.as_tensor(value)
    if numbers.numel() and not 0 <= int(numbers.min()) <= int(numbers.max()) < variable.size:
        raise EvidenceError(
            f"{subject}: {variable.name!r} has state numbers {int(numbers.min())} to {int(numbers.max())}, "
            f"expected 0 to {variable.size - 1}; every variable needs a value."
        )
    return numbers.long()
