"""Hopfield networks: patterns stored as minima of an energy of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.errors import ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Bias, Within
from ...potentials.linear import count
from .machine import Machine
from .memory import Memory, beyond_rounding, spins_of

Rule = Callable[[Tensor], Tensor]  # weights `[units, units]` of spins `[patterns, units]`


@dataclass(frozen=True, eq=False, repr=False)
class Hopfield(Memory):
    """Units with energy E(s) = -s W s / 2 + theta . s, s = -1 or 1, each of which turns to the sign of W s - theta.

    Updates of one unit at a time never raise E, since W is symmetric and no unit pushes itself away.

    Args:
        x: a variable of `Binary` units; 0 counts as -1.
        weights: W, `[units, units]`, symmetric, its diagonal not negative.
        thresholds: theta, `[units]`.

    Raises:
        ShapeError: when a shape does not fit, W is not symmetric or has a negative self-coupling.

    Example:
        >>> from pgm import Binary
        >>> x = Variable("x", Binary(2))
        >>> network = Hopfield(x, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.zeros(2))
        >>> network.energy(torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
        tensor([-1.,  1.])
        >>> network.recall(torch.tensor([1.0, 0.0]), update="synchronous")
        Recall(1 sweeps: 1 in a 2-cycle)

    Reference: Hopfield (1982), Neural networks and physical systems with emergent collective computational abilities.
    """

    weights: Tensor
    thresholds: Tensor

    def __post_init__(self) -> None:
        size = count(self.x)
        shapes = tuple(self.weights.shape), tuple(self.thresholds.shape)
        if shapes != ((size, size), (size,)):
            raise ShapeError(
                f"{self}: weights and thresholds have shapes {shapes[0]} and {shapes[1]}, expected {(size, size)} and "
                f"{(size,)}."
            )
        apart = (self.weights - self.weights.T).abs()
        if not torch.allclose(self.weights, self.weights.T):
            i, j = divmod(int(apart.argmax()), size)
            raise ShapeError(
                f"{self}: weights [{i}, {j}] and [{j}, {i}] are {self.weights[i, j]:g} and {self.weights[j, i]:g}, "
                "expected equal ones; without symmetry there is no energy. Use (W + W.T) / 2."
            )
        least = self.weights.diagonal().min()
        if least < 0:
            raise ShapeError(
                f"{self}: a unit has a self-coupling of {least:g}, expected 0 or above, since updates could raise the "
                "energy. Use W - W.diagonal().diag()."
            )

    @property
    def like(self) -> Tensor:
        return self.weights

    def energy_of(self, spins: Tensor) -> Tensor:
        return -0.5 * (spins @ self.weights * spins).sum(-1) + spins @ self.thresholds

    def pull(self, spins: Tensor, units: slice) -> Tensor:
        pull = spins @ self.weights[:, units] - self.thresholds[units]
        return beyond_rounding(pull, len(self.thresholds), self._most[units])

    @cached_property
    def _most(self) -> Tensor:
        """The strongest that each unit can be pulled."""
        return self.weights.abs().sum(0) + self.thresholds.abs()

    @torch.no_grad()
    def machine(self, temperature: float = 1.0) -> Machine:
        """The Boltzmann machine p(x) proportional to exp(-E / temperature): to draw, to sample, to answer exactly.

        Args:
            temperature: above 0.

        Raises:
            ShapeError: when it is not.

        Example:
            >>> from pgm import Binary
            >>> from deepgen.zoo.boltzmann import expanded
            >>> x = Variable("x", Binary(3))
            >>> expanded(hopfield(x, torch.tensor([[1, 1, 0]])).machine(0.5))
            MarkovNetwork(3 variables: x[0], x[1], x[2]; 7 potentials)

        Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
        """
        bias, among = Bias(self.x, temperature), Within(self.x, 0.0, temperature)
        others = self.weights - self.weights.diagonal().diag()  # s s = 1: self-couplings are constants
        rows, columns = torch.triu_indices(len(others), len(others), 1, device=others.device)
        among.upper.data = 4 * others[rows, columns]  # s = 2 x - 1
        bias.bias.data = -2 * (others.sum(1) + self.thresholds)
        return Machine(Model(bias, among, name="Hopfield"), (self.x,))

    def __repr__(self) -> str:
        return f"Hopfield({self.x.name}: {count(self.x)} units)"


def hebbian(spins: Tensor) -> Tensor:
    """W = sum over patterns of s s' / units: units that are alike in many patterns hold one another.

    Args:
        spins: `[patterns, units]`.

    Example:
        >>> 4 * hebbian(torch.tensor([[-1.0, -1.0, -1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
        tensor([[2., 2., 2., 0.],
                [2., 2., 2., 0.],
                [2., 2., 2., 0.],
                [0., 0., 0., 2.]])

    Reference: Hebb (1949), The organization of behavior; Hopfield (1982).
    """
    return spins.T @ spins / spins.shape[-1]


def projection(spins: Tensor) -> Tensor:
    """W that projects on what patterns span: all of them are fixed points, however alike, if they are independent.

    Args:
        spins: `[patterns, units]`.

    Reference: Personnaz, Guyon and Dreyfus (1985), Information storage and retrieval in spin-glass like neural
    networks; Kanter and Sompolinsky (1987), Associative recall of memory without errors.
    """
    found = torch.linalg.pinv(spins.double()) @ spins.double()
    return ((found + found.T) / 2).to(spins)


def hopfield(
    x: Variable,
    patterns: Tensor,
    *,
    rule: Rule = hebbian,
    thresholds: Tensor | None = None,
    self_coupling: bool = False,
) -> Hopfield:
    """A Hopfield network that has stored patterns; nothing is trained.

    Args:
        x: a variable of `Binary` units.
        patterns: bits, `[patterns, *event]`.
        rule: how weights come from patterns: `hebbian` or `projection`.
        thresholds: `[units]`; by default 0.
        self_coupling: whether units hold themselves, which makes them slower to turn.

    Raises:
        ShapeError: when a shape does not fit, or there is no pattern.
        EvidenceError: when patterns are not zeros and ones.

    Example:
        >>> from pgm import Binary
        >>> network = hopfield(Variable("x", Binary(4)), torch.tensor([[0, 0, 0, 1], [1, 1, 1, 1]]), self_coupling=True)
        >>> network.recall(torch.tensor([[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]])).final
        tensor([[0., 0., 0., 1.],
                [1., 1., 1., 1.]])

    Reference: Hopfield (1982).
    """
    spins = spins_of(x, patterns, "hopfield", "patterns")
    weights = rule(spins)
    if not self_coupling:
        weights = weights - weights.diagonal().diag()
    return Hopfield(x, weights, weights.new_zeros(count(x)) if thresholds is None else thresholds.to(weights))
