"""Dense associative memories: energies steeper than pairs, which keep far more patterns apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.errors import ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ...potentials import Layered
from ...potentials.linear import count
from .memory import Memory, beyond_rounding, spins_of

Separation = Callable[[Tensor], Tensor]  # of overlaps `[*batch, patterns]`, `[*batch]`
AT_ONCE = 2**24  # overlaps


def polynomial(degree: int) -> Separation:
    """Sum over patterns of overlap^degree: about units^(degree - 1) patterns; degree 2 is Hopfield's network.

    Args:
        degree: 2 or more.

    Raises:
        ShapeError: when it is not.

    Example:
        >>> polynomial(3)(torch.tensor([[2.0, -1.0]]))
        tensor([7.])

    Reference: Krotov and Hopfield (2016), Dense associative memory for pattern recognition.
    """
    if degree < 2:
        raise ShapeError(f"polynomial: degree is {degree}, expected 2 or more; energies of degree 1 store one pattern.")
    return lambda overlaps: overlaps.pow(degree).sum(-1)


def exponential(sharpness: float = 1.0) -> Separation:
    """log of the sum over patterns of exp(sharpness overlap), by sharpness: about 2^(units / 2) patterns.

    Args:
        sharpness: above 0.

    Raises:
        ShapeError: when it is not.

    Reference: Demircigil, Heusel, Lowe, Upgang and Vermet (2017), On a model of associative memory with huge storage
    capacity.
    """
    require_sharp(sharpness, "exponential")
    return lambda overlaps: (sharpness * overlaps).logsumexp(-1) / sharpness


def require_sharp(sharpness: float, subject: str) -> None:
    """Raise a `ShapeError` unless sharpness is above 0."""
    if not sharpness > 0:
        raise ShapeError(f"{subject}: sharpness is {sharpness}, expected a number above 0; it is 1 / temperature.")


class Stored(Layered):
    """exp(G(overlaps of x with patterns) / temperature): the potential of a dense associative memory.

    Args:
        x: a variable of `Binary` units; 0 counts as -1.
        patterns: spins, `[patterns, units]`.
        separation: G.
        temperature: above 0.

    Raises:
        ShapeError: when the temperature is not above 0.
    """

    patterns: Tensor

    def __init__(self, x: Variable, patterns: Tensor, separation: Separation, temperature: float = 1.0) -> None:
        super().__init__([x])
        if not temperature > 0:
            raise ShapeError(f"{self.subject}: temperature is {temperature}, expected a number above 0.")
        self.register_buffer("patterns", patterns)
        self.separation, self.temperature = separation, temperature

    def score(self, *numbers: Tensor) -> Tensor:
        return self.separation((2 * numbers[0] - 1) @ self.patterns.T) / self.temperature


@dataclass(frozen=True, eq=False, repr=False)
class DenseMemory(Memory):
    """Units with energy E(s) = -G(p_1 . s, p_2 . s, ...), each of which turns to where E is lower.

    Args:
        x: a variable of `Binary` units; 0 counts as -1.
        patterns: bits, `[patterns, *event]`.
        separation: G, `polynomial(degree)` or `exponential()`.

    Raises:
        ShapeError: when a shape does not fit, there is no pattern, or energies overflow.
        EvidenceError: when patterns are not zeros and ones.

    Example:
        >>> from pgm import Binary
        >>> patterns = torch.randint(0, 2, (90, 30), generator=torch.Generator().manual_seed(0)).float()
        >>> memory = DenseMemory(Variable("x", Binary(30)), patterns, polynomial(4))
        >>> memory, memory.recall(patterns)
        (DenseMemory(x: 30 units, 90 patterns), Recall(1 sweeps: 90 at a fixed point))

    Reference: Krotov and Hopfield (2016), Dense associative memory for pattern recognition.
    """

    patterns: Tensor
    separation: Separation

    def __post_init__(self) -> None:
        if not bool(self.separation(self.spins @ self.spins[0]).isfinite()):
            raise ShapeError(
                f"{self}: energies overflow {str(self.spins.dtype)[6:]}, expected finite ones; give the patterns in "
                "double precision, or take a lower degree."
            )

    @property
    def like(self) -> Tensor:
        return self.spins

    @cached_property
    def spins(self) -> Tensor:
        """The patterns, `[patterns, units]`."""
        return spins_of(self.x, self.patterns, "DenseMemory", "patterns")

    def energy_of(self, spins: Tensor) -> Tensor:
        return -self.separation(spins @ self.spins.T)

    def pull(self, spins: Tensor, units: slice) -> Tensor:
        overlaps, own = spins @ self.spins.T, self.spins.T[units]  # [rows, patterns], [some, patterns]
        now = self.separation(overlaps[:, None])  # [rows, 1]
        turned = [
            self.separation(overlaps[:, None] - 2 * some[..., None] * theirs)
            for some, theirs in self._blocks(spins[:, units], own)
        ]
        pull = 0.5 * spins[:, units] * (now - torch.cat(turned, -1))
        return beyond_rounding(pull, len(self.patterns), now.abs())

    def _blocks(self, spins: Tensor, own: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Some units at a time, so that all overlaps without each fit into memory."""
        length = max(1, AT_ONCE // max(1, len(spins) * len(self.patterns)))
        return zip(spins.split(length, -1), own.split(length), strict=True)

    def model(self, temperature: float = 1.0) -> Model:
        """p(x) proportional to exp(-E / temperature), as one potential.

        It is no `Machine`, which needs fields that change by a weight when a unit turns: here they change with all
        units. `recall(..., cooling=constant(T))` draws from it, and looking at all states answers small ones.

        Args:
            temperature: above 0.

        Raises:
            ShapeError: when it is not.
        """
        return Model(Stored(self.x, self.spins, self.separation, temperature), name="dense associative memory")

    def __repr__(self) -> str:
        return f"DenseMemory({self.x.name}: {count(self.x)} units, {len(self.patterns)} patterns)"
