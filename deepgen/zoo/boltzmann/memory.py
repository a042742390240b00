"""Associative memories: units that turn one by one, or all at once, until a stored pattern is there again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pgm.columns import vector
from pgm.domains import Binary
from pgm.errors import EvidenceError, PlanError, ShapeError
from pgm.variable import Variable

from ...training.schedules import Schedule, constant

Update = Literal["asynchronous", "independent", "synchronous"]
COLD = constant(0.0)


@dataclass(frozen=True, eq=False)
class Recall:
    """What a memory made of what it was shown.

    Args:
        states: what it was shown, then the state after each sweep, `[sweeps + 1, *batch, *event]`.
        energies: of these, `[sweeps + 1, *batch]`.
        period: 1 where the last state is a fixed point, 2 where synchronous updates go to and fro between the last two
            states, 0 where there was no sweep left to find out, `[*batch]`.
    """

    states: Tensor
    energies: Tensor
    period: Tensor

    @property
    def final(self) -> Tensor:
        """The last state, `[*batch, *event]`."""
        return self.states[-1]

    @property
    def settled(self) -> Tensor:
        """Whether that is a fixed point, `[*batch]`."""
        return self.period == 1

    def __repr__(self) -> str:
        counts = [int((self.period == period).sum()) for period in (1, 2, 0)]
        found = ", ".join(f"{count} {what}" for count, what in zip(counts, KINDS, strict=True) if count)
        return f"Recall({len(self.states) - 1} sweeps: {found})"


KINDS = ("at a fixed point", "in a 2-cycle", "not settled")


@dataclass(frozen=True, eq=False)
class Memory(ABC):
    """Units that are up or down, s = 1 or -1 for bits of 1 or 0, and turn to where their energy is lower; abstract.

    Args:
        x: a variable of `Binary` units.
    """

    x: Variable

    @abstractmethod
    def energy_of(self, spins: Tensor) -> Tensor:
        """The energy of spins `[*batch, units]`, `[*batch]`."""

    @abstractmethod
    def pull(self, spins: Tensor, units: slice) -> Tensor:
        """Half the energy that units save by being up, and what holds them where they are, `[rows, some]`.

        They turn up where it is positive, down where negative, not at all where it is 0, or no more than rounding.

        Args:
            spins: `[rows, units]`.
            units: which.
        """

    @property
    @abstractmethod
    def like(self) -> Tensor:
        """A tensor on its device, in its precision."""

    def energy(self, values: Tensor) -> Tensor:
        """The energy of bits `[*batch, *event]`, `[*batch]`.

        Raises:
            ShapeError: when their shape does not fit.
            EvidenceError: when they are not zeros and ones.
        """
        return self.energy_of(spins_of(self.x, values, "energy").to(self.like))

    @torch.no_grad()
    def recall(
        self,
        values: Tensor,
        *,
        update: Update = "asynchronous",
        sweeps: int = 100,
        fixed: Tensor | None = None,
        cooling: Schedule = COLD,
        seed: int = 0,
    ) -> Recall:
        """Let units turn until all rows have settled.

        A sweep is as many updates as there are units: `asynchronous` takes them one by one in an order drawn anew each
        sweep, `independent` draws the next unit from all of them each time, `synchronous` turns all at once. A unit
        that nothing pulls stays. One by one the energy never rises; all at once it may.

        At a temperature T a unit is up with log odds (E(down) - E(up)) / T. One by one, and unless units are coupled
        with themselves, that draws from p(s) proportional to exp(-E / T); sweeps that cool down get out of valleys in
        which they would stop at T = 0.

        Args:
            values: bits to begin with, `[*batch, *event]`.
            update: which units turn when; all rows turn the same ones.
            sweeps: at most.
            fixed: units that stay, True or 1, `[*batch, *event]` or `[*event]`: what is known of a pattern.
            cooling: the temperature of each sweep, such as `geometric(2.0, 0.1, 50)`; above 0, no row settles early.
            seed: of the orders, and of what is drawn.

        Raises:
            ShapeError: when a shape does not fit.
            EvidenceError: when values are not zeros and ones.
            PlanError: when there is no such update, no sweep, or a temperature below 0.

        Example:
            >>> from pgm import Binary
            >>> from deepgen import geometric, hopfield
            >>> network = hopfield(Variable("x", Binary(20)), torch.ones(1, 20))
            >>> network.recall(torch.tensor([1.0, 0.0] * 10), cooling=geometric(2.0, 0.05, 20), sweeps=30)
            Recall(30 sweeps: 1 at a fixed point)

        Reference: Hopfield (1982); Glauber (1963), Time-dependent statistics of the Ising model, for temperatures.
        """
        if update not in get_args(Update) or sweeps < 1:
            raise PlanError(
                f"recall: update is {update!r} and sweeps is {sweeps}, expected one of {', '.join(get_args(Update))}, "
                "and 1 sweep or more."
            )
        heat = _heat(cooling, sweeps)
        begun = spins_of(self.x, values, "recall").to(self.like)
        path, free = [begun.reshape(-1, begun.shape[-1])], self._free(values, fixed)
        generator = torch.Generator().manual_seed(seed)
        for step in range(sweeps):
            order = _order(update, begun.shape[-1], generator)
            path.append(self._swept(path[-1], free, order, _noise(path[-1], heat[step], generator)))
            period = self._period(path, free, update == "synchronous" and heat[step] == 0)
            if not any(heat[step:]) and bool((period > 0).all()):
                break
        spins = torch.stack(path).reshape(-1, *begun.shape)
        bits = ((1 + spins) / 2).reshape(-1, *values.shape)
        return Recall(bits, self.energy_of(spins), period.reshape(begun.shape[:-1]))

    def _free(self, values: Tensor, fixed: Tensor | None) -> Tensor | None:
        """Which units may turn, `[rows, units]`; None for all."""
        if fixed is None:
            return None
        held = fixed.to(self.like.device).bool()
        if held.shape not in (values.shape, self.x.shape):
            raise ShapeError(
                f"recall: fixed has shape {tuple(held.shape)}, expected {tuple(values.shape)} or {self.x.shape}."
            )
        return ~held.expand(values.shape).reshape(-1, self.x.domain.length)  # type: ignore[union-attr]

    def _swept(self, spins: Tensor, free: Tensor | None, order: list[slice], noise: Tensor) -> Tensor:
        now = spins.clone()
        for units, shaken in zip(order, noise.chunk(len(order), -1), strict=True):
            now[:, units] = self._turned(now, free, units, shaken)
        return now

    def _turned(self, spins: Tensor, free: Tensor | None, units: slice, noise: Tensor | float = 0.0) -> Tensor:
        pull, before = self.pull(spins, units) + noise, spins[:, units]
        stays = pull == 0 if free is None else (pull == 0) | ~free[:, units]
        return torch.where(stays, before, pull.sign())

    def _period(self, path: list[Tensor], free: Tensor | None, together: bool) -> Tensor:
        """Of each row: a fixed point is one from which no unit turns, whatever the order."""
        after = self._turned(path[-1], free, slice(None))
        still, back = (after == path[-1]).all(-1), (after == path[-2]).all(-1)
        return torch.where(still, 1, torch.where(back & together, 2, 0))


def spins_of(x: Variable, values: Tensor, subject: str, rows: str = "*batch") -> Tensor:
    """Bits `[*batch, *event]` as spins of -1 and 1, `[*batch, units]`.

    Args:
        x: a variable of `Binary` units.
        values: bits.
        subject: how messages begin.
        rows: "*batch", or "patterns" where there has to be one axis of them.

    Raises:
        ShapeError: when the shape does not fit.
        EvidenceError: when they are not zeros and ones.
    """
    if not isinstance(x.domain, Binary):
        raise ShapeError(f"{subject}: {x.name!r} is {x.domain!r}, expected Binary units.")
    require_shape(x, values, subject, rows)
    wrong = values[(values != 0) & (values != 1)]
    if len(wrong):
        raise EvidenceError(
            f"{subject}: {x.name!r} has a value of {wrong[0].item():g}, expected zeros and ones; of spins s they are "
            "(1 + s) / 2."
        )
    return 2 * vector(values, len(x.shape)).to(torch.promote_types(values.dtype, torch.float32)) - 1


def require_shape(x: Variable, values: Tensor, subject: str, rows: str = "*batch") -> None:
    """Raise a `ShapeError` unless these are `[*batch, *event]`, or `[patterns, *event]` with a pattern or more."""
    listed = rows == "*batch" or (values.dim() == len(x.shape) + 1 and len(values) > 0)
    if not listed or values.shape[values.dim() - len(x.shape) :] != x.shape:
        raise ShapeError(
            f"{subject}: there are numbers of shape {tuple(values.shape)}, expected "
            f"[{', '.join([rows, *map(str, x.shape)])}], since {x.name!r} is {x.domain!r}."
        )


def beyond_rounding(pull: Tensor, terms: int, size: Tensor) -> Tensor:
    """A pull, or 0 where it is no more than rounding leaves of so many terms whose absolute values sum to a size."""
    return torch.where(pull.abs() > terms**0.5 * torch.finfo(pull.dtype).eps * size, pull, 0)


def _heat(cooling: Schedule, sweeps: int) -> list[float]:
    """The temperature of each sweep."""
    found = [cooling(step) for step in range(sweeps)]
    wrong = next((step for step, each in enumerate(found) if not each >= 0), None)
    if wrong is not None:
        raise PlanError(f"recall: the temperature of sweep {wrong} is {found[wrong]}, expected 0 or above.")
    return found


def _noise(spins: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """What makes the sign of a pull random: up with log odds 2 pull / temperature."""
    if temperature == 0:
        return torch.zeros_like(spins)
    return 0.5 * temperature * torch.rand(spins.shape, generator=generator, dtype=torch.float64).logit().to(spins)


def _order(update: Update, units: int, generator: torch.Generator) -> list[slice]:
    """Which units turn in a sweep, some at a time."""
    if update == "synchronous":
        return [slice(None)]
    drawn = (
        torch.randperm(units, generator=generator)
        if update == "asynchronous"
        else torch.randint(units, (units,), generator=generator)
    )
    return [slice(unit, unit + 1) for unit in drawn.tolist()]
