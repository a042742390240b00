"""Exponential moving averages of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pgm.errors import PlanError


class Average:
    """The moving average of the parameters of modules, average <- decay * average + (1 - decay) * parameter.

    The decay is smaller during the first steps, (1 + steps) / (10 + steps), so that the start is forgotten soon.

    Args:
        modules: whose parameters, by name.
        decay: from 0 to below 1.

    Raises:
        PlanError: on another decay.

    Example:
        >>> line = nn.Linear(1, 1, bias=False)
        >>> average = Average({"line": line}, 0.9)
        >>> with torch.no_grad():
        ...     _ = line.weight.fill_(1.0)
        >>> average.update()
        >>> with average.used():
        ...     line.weight.item() == 1.0
        False

    Reference: Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        if not 0 <= decay < 1:
            raise PlanError(f"fit: average is {decay!r}, expected a decay from 0 to below 1, such as 0.999.")
        named = {f"{name}.{key}": p for name, module in modules.items() for key, p in module.named_parameters()}
        self.names = list(named)
        self._live: list[Tensor] = list(named.values())
        self.decay, self.steps = decay, 0
        self.values = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, self._live, 1 - decay)
        self.steps += 1

    @contextmanager
    def used(self) -> Iterator[None]:
        """The modules with averages for parameters; what they had is put back afterwards."""
        kept = [parameter.detach().clone() for parameter in self._live]
        self.put(self.values)
        try:
            yield
        finally:
            self.put(kept)

    @torch.no_grad()
    def put(self, values: list[Tensor]) -> None:
        """Set the parameters of the modules."""
        torch._foreach_copy_(self._live, values)
