"""The conditional of a variable that is set from outside."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .conditionals import Conditional, Deterministic, Tabular
from .domains import Real
from .errors import EvidenceError
from .gaussians import Gaussian
from .values import read_value
from .variable import Variable


class Constant(nn.Module):
    """A function of nothing.

    Args:
        value: what it returns, kept as a buffer.

    Example:
        >>> Constant(torch.tensor(3.0))()
        tensor(3.)
    """

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self) -> Tensor:
        return self.value


def certain(variable: Variable, value: Any, subject: str = "do") -> Conditional:
    """A conditional without parents that has all its mass on one value.

    It is a table for a finite variable, a Gaussian of variance 0 for a real one, else a function of nothing.

    Args:
        variable: whose value it is.
        value: a label, or a number or array of the variable's shape.
        subject: how error messages begin.

    Raises:
        EvidenceError: when it is not one value of the variable's domain.

    Example:
        >>> certain(Variable("dose", Real()), 3.0).log_prob(torch.tensor([2.0, 3.0])).detach()
        tensor([-inf, 0.], dtype=torch.float64)
    """
    found = read_value(variable, value, subject)
    if found.shape != variable.shape:
        raise EvidenceError(
            f"{subject}: {variable.name!r} has shape {tuple(found.shape)}, expected one value, shape {variable.shape}."
        )
    if variable.finite:
        return Tabular(variable, [], torch.eye(variable.size, dtype=torch.float64)[found])
    if bool(found.isnan().any()):
        raise EvidenceError(f"{subject}: {variable.name!r} is NaN, expected {variable.domain!r}.")
    if isinstance(variable.domain, Real):
        return Gaussian(variable, found, torch.zeros((), dtype=found.dtype))
    return Deterministic(variable, [], Constant(found.detach()))
