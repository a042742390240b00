"""Message passing until it settles: compiled loops on the CPU, torch elsewhere, in pieces that can be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...compiled.messages import all_at_once
from ...compiled.urgent import most_urgent_first
from ...engines.progress import Watched
from ...fields.field import Field, Group
from .flat import around_of, numbers_of, structure_of
from .passing import Passing
from .two_states import TwoStates, two_states

AT_ONCE = 5e7  # multiplications in one compiled call: some tenths of a second
A_MESSAGE = 90  # multiplications that take as long as all else that a message of the general loops needs
Schedule = Literal["parallel", "residual"]
Advance = Callable[[Tensor, np.ndarray, int], np.ndarray]  # messages, rows and steps to residuals `[steps, rows]`


@dataclass(frozen=True)
class Options:
    """How messages are passed.

    Args:
        damping: the weight of the old logs in each new message, from 0 to below 1.
        iterations: the most updates of every message.
        tolerance: of the largest change of a message in an iteration, in probability where two states are about even.
        schedule: 'parallel' updates all from all before; 'residual' the one that has most to catch up with.
        progress: whether to show a bar when it takes long.
        compiled: whether to use the compiled loops; None where the field is in main memory.
    """

    damping: float = 0.5
    iterations: int = 1000
    tolerance: float = 1e-6
    schedule: Schedule = "parallel"
    progress: bool = True
    compiled: bool | None = None


@dataclass(frozen=True, eq=False)
class Settled:
    """Where message passing ended.

    Args:
        messages: `[rows, entries]`.
        residuals: the largest change of a message in each iteration, as in `Passing.residual`, `[iterations, rows]`;
            NaN after a row's last.
        interrupted: whether Ctrl-C ended it.
    """

    messages: Tensor
    residuals: np.ndarray
    interrupted: bool

    @property
    def iterations(self) -> np.ndarray:
        """How many each row took."""
        return (~np.isnan(self.residuals)).sum(0)

    @property
    def residual(self) -> np.ndarray:
        """That of each row's last iteration; inf where there was none."""
        last = np.maximum(self.iterations - 1, 0)
        return self.residuals[last, np.arange(len(last))] if len(self.residuals) else np.full(len(last), np.inf)


@torch.no_grad()
def settle(passing: Passing, options: Options, start: Tensor | None = None) -> Settled:
    """Pass messages until no message of a row changes by more than the tolerance, or for all iterations.

    Args:
        passing: the equations.
        options: how.
        start: messages to begin with, `[rows, entries]`; uniform ones when None.

    Example:
        >>> from ...fields.field import grid
        >>> found = settle(Passing(grid(torch.zeros(3, 3, 2), torch.eye(2))), Options())
        >>> bool(found.residual[0] <= 1e-6)
        True
    """
    field = passing.field
    compiled = field.device.type == "cpu" if options.compiled is None else options.compiled
    messages = passing.start() if start is None else start.detach().to(field.unary).clone()
    scale = passing.temperature if compiled and passing.temperature > 0.0 else 1.0
    messages /= scale
    advance = _compiled(passing, options) if compiled else _torch(passing, options)
    a_message = 0 if _quick(passing, options) else A_MESSAGE
    steps = int(min(max(AT_ONCE / max(_work(field, a_message), 1), 1), options.iterations)) if compiled else 1
    active, left = np.arange(field.rows), options.iterations
    residuals = [np.empty((0, field.rows))]
    with Watched(ceil(options.iterations / steps), f"rounds of {steps} iterations", options.progress) as rounds:
        for _ in rounds:
            part = advance(messages, active, min(steps, left))
            residuals.append(part)
            left -= steps
            last = np.where(np.isnan(part), np.inf, part).min(0)
            active = active[last[active] > options.tolerance]
            if not len(active):
                break
            rounds.say(f"residual {last[active].max():.2g} in {len(active)} rows")
    found = np.concatenate(residuals)
    used = int((~np.isnan(found)).any(1).sum())
    return Settled(messages * scale, found[:used], rounds.interrupted)


def _quick(passing: Passing, options: Options) -> bool:
    """Whether the loops for pairs of two states will do."""
    return options.schedule == "parallel" and passing.powers is None and two_states(passing.field)


def _work(field: Field, a_message: int) -> int:
    """About how many multiplications an iteration takes, each message as long as so many of them."""
    tables = sum(len(group) * prod(group.sizes) * len(group.sizes) for group in field.groups)
    cores = sum(len(trains) * 2 * sum(prod(core.shape[2:]) for core in trains.cores) for trains in field.trains)
    edges = sum(part.scopes.numel() for part in field.parts)
    return field.rows * (tables + cores + a_message * edges)


def _compiled(passing: Passing, options: Options) -> Advance:
    """Steps in compiled loops; the temperature is divided out of the field beforehand."""
    field, maximum = _cooled(passing.field, passing.temperature or 1.0), passing.temperature == 0.0
    if _quick(passing, options):
        return TwoStates.of(field, options.damping, maximum, options.tolerance).advance
    if passing.powers is not None:  # which are divided out of the tables: none is shared any more
        groups = tuple(Group(each.scopes, each.logs.expand(-1, len(each), *each.sizes)) for each in field.groups)
        field = replace(field, groups=groups)
    structure, numbers = structure_of(field), numbers_of(field, passing.powers)
    settings = (options.damping, maximum, options.tolerance)
    around = around_of(structure)

    def advance(messages: Tensor, rows: np.ndarray, steps: int) -> np.ndarray:
        found = np.full((steps, field.rows), np.nan)
        if options.schedule == "parallel" or not field.factors:
            all_at_once(structure, numbers, messages.numpy(), rows, *settings, found)
        else:
            most_urgent_first(structure, numbers, around, messages.numpy(), rows, *settings, found)
        return found

    return advance


def _cooled(field: Field, temperature: float) -> Field:
    """The field whose weights are raised to the power 1 / temperature."""
    if temperature == 1.0:
        return field
    groups = tuple(replace(group, logs=group.logs / temperature) for group in field.groups)
    return replace(field, unary=field.unary / temperature, groups=groups)


def _torch(passing: Passing, options: Options) -> Advance:
    """Steps on any device; rows that are done stay as they are."""

    def advance(messages: Tensor, rows: np.ndarray, steps: int) -> np.ndarray:
        found = np.full((steps, len(messages)), np.nan)
        for step in range(steps):
            new = passing.step(messages, options.damping)
            change = passing.residual(messages, new).cpu().numpy()
            messages[rows] = new[rows]
            found[step, rows] = change[rows]
            rows = rows[change[rows] > options.tolerance]
        return found

    return advance
