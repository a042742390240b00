"""Continuous Hopfield networks: a softmax over patterns, which is attention, finds the right one in a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log

import torch
from torch import Tensor

from pgm.columns import vector
from pgm.domains import Real
from pgm.errors import PlanError, ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Coupling, Width
from ...potentials.linear import count
from .dense import require_sharp
from .machine import Machine
from .memory import Recall, require_shape

CLOSE = 1e-5  # of the longest pattern: a step as short as this has arrived


@dataclass(frozen=True, eq=False, repr=False)
class ContinuousMemory:
    """Real numbers x with energy E(x) = |x|^2 / 2 - log(sum_p exp(beta p . x)) / beta + constant, never below 0.

    A step takes x to the patterns' mean under softmax(beta p . x), which never raises E: attention with x as query and
    the patterns as keys and values.

    Args:
        x: a variable of `Real` numbers.
        patterns: `[patterns, *event]`.
        sharpness: beta; the larger, the nearer must patterns be to be mixed.

    Raises:
        ShapeError: when a shape does not fit, there is no pattern, or sharpness is not above 0.

    Example:
        >>> from pgm import Real
        >>> memory = ContinuousMemory(Variable("x", Real(2)), torch.tensor([[1.0, 0.0], [0.0, 1.0]]), sharpness=20)
        >>> memory.recall(torch.tensor([0.6, 0.2])).final
        tensor([9.9966e-01, 3.3535e-04])

    Reference: Ramsauer et al. (2021), Hopfield networks is all you need.
    """

    x: Variable
    patterns: Tensor
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.x.domain, Real):
            raise ShapeError(f"ContinuousMemory: {self.x.name!r} is {self.x.domain!r}, expected Real numbers.")
        require_shape(self.x, self.patterns, "ContinuousMemory", "patterns")
        require_sharp(self.sharpness, "ContinuousMemory")

    def energy(self, values: Tensor) -> Tensor:
        """The energy of numbers `[*batch, *event]`, `[*batch]`.

        Raises:
            ShapeError: when their shape does not fit.
        """
        x, patterns = self._numbers(values), self._patterns
        near = (self.sharpness * x @ patterns.T).logsumexp(-1) / self.sharpness
        longest = patterns.square().sum(-1).max()
        return 0.5 * (x.square().sum(-1) + longest) + log(len(patterns)) / self.sharpness - near

    def associations(self, values: Tensor) -> Tensor:
        """How much each pattern is meant by numbers `[*batch, *event]`, `[*batch, patterns]`; they sum to 1.

        Raises:
            ShapeError: when their shape does not fit.
        """
        return (self.sharpness * self._numbers(values) @ self._patterns.T).softmax(-1)

    def step(self, values: Tensor) -> Tensor:
        """The patterns' mean under these, `[*batch, *event]`."""
        return (self.associations(values) @ self._patterns).reshape(values.shape)

    @torch.no_grad()
    def recall(self, values: Tensor, *, steps: int = 1) -> Recall:
        """Some steps from what it is shown; where patterns lie apart one is enough.

        Args:
            values: numbers to begin with, `[*batch, *event]`.
            steps: at most; none follows when all rows have arrived.

        Raises:
            ShapeError: when the shape does not fit.
            PlanError: when there is no step.
        """
        if steps < 1:
            raise PlanError(f"recall: steps is {steps}, expected 1 or more.")
        path, near = [values.to(self._patterns)], CLOSE * self._patterns.norm(dim=-1).max()
        for _ in range(steps):
            path.append(self.step(path[-1]))
            there = self._numbers(self.step(path[-1]) - path[-1]).norm(dim=-1) <= near
            if bool(there.all()):
                break
        states = torch.stack(path)
        return Recall(states, self.energy(states), there.long())

    def machine(self) -> Machine:
        """The same as a restricted Boltzmann machine with one hidden variable, which pattern: F = beta E + constant.

        Its density is a mixture of Gaussians of variance 1 / beta around the patterns, and a step is its mean-field
        update.

        Example:
            >>> from pgm import Real
            >>> ContinuousMemory(Variable("x", Real(2)), torch.eye(2)).machine()
            Machine(x explained by pattern)
        """
        pattern = Variable("pattern", range(len(self.patterns)))
        width, among = Width(self.x, self.sharpness**-0.5), Coupling(self.x, pattern, 0.0)
        among.weight.data = self.sharpness * self._patterns.T.clone()
        return Machine(Model(width, among, name="continuous Hopfield").to(self._patterns), (self.x,))

    @cached_property
    def _patterns(self) -> Tensor:
        floating = torch.promote_types(self.patterns.dtype, torch.float32)
        return vector(self.patterns, len(self.x.shape)).to(floating)

    def _numbers(self, values: Tensor) -> Tensor:
        require_shape(self.x, values, "ContinuousMemory")
        return vector(values, len(self.x.shape)).to(self._patterns)

    def __repr__(self) -> str:
        return f"ContinuousMemory({self.x.name}: {count(self.x)} numbers, {len(self.patterns)} patterns)"
