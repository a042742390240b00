"""Phases that follow one another, as one phase: greedy learning, and what is fine-tuned after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from torch import nn

from pgm.errors import PlanError

from .phase import Batch, Moment, Phase, Terms


def in_turn(name: str, *parts: tuple[Phase, int]) -> Phase:
    """Phases one after the other, each for so many steps; the last goes on for as long as training does.

    A checkpoint knows how many steps are over, so that a run that is resumed goes on within the right one. Each begins
    its schedule anew; all share an optimiser, which only moves what the phase at work learns.

    Args:
        name: of the whole.
        parts: phases of one step a turn, with how many steps each has.

    Raises:
        PlanError: when there are none, one has no step, or several a turn, two modules have one name, or optimisers or
            clips differ.

    Example:
        >>> first, second = nn.Linear(1, 1), nn.Linear(1, 1)
        >>> one = Phase("one", {"first": first}, lambda batch, moment: first(batch["x"]).square())
        >>> two = Phase("two", {"second": second}, lambda batch, moment: second(batch["x"]).square())
        >>> in_turn("both", (one, 100), (two, 50))
        Phase(both: moves first, second, 1 step a turn)

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets.
    """
    phases, ends = [phase for phase, _ in parts], list(accumulate(steps for _, steps in parts))
    if not parts or min(steps for _, steps in parts) < 1:
        raise PlanError(f"in_turn: {name!r} has {len(parts)} phases, expected one or more of 1 step or more.")
    _require_alike(name, phases)

    def at(step: int) -> int:
        return next((place for place, end in enumerate(ends[:-1]) if step < end), len(ends) - 1)

    def begun(place: int) -> int:
        return ends[place - 1] if place else 0

    def objective(batch: Batch, moment: Moment) -> Terms:
        place = at(moment.step)
        return phases[place].objective(batch, replace(moment, step=moment.step - begun(place)))

    def rate(step: int) -> float:
        place = at(step)
        return phases[place].rate(step - begun(place))

    monitors = tuple(dict.fromkeys(monitor for phase in phases for monitor in phase.monitors))
    modules = _merged(name, phases)
    return replace(phases[0], name=name, modules=modules, objective=objective, rate=rate, monitors=monitors)


def _merged(name: str, phases: Sequence[Phase]) -> dict[str, nn.Module]:
    modules: dict[str, nn.Module] = {}
    for phase in phases:
        for called, module in phase.modules.items():
            if modules.setdefault(called, module) is not module:
                raise PlanError(f"in_turn: {name!r} has two modules called {called!r}; give each a name of its own.")
    return modules


def _require_alike(name: str, phases: Sequence[Phase]) -> None:
    first = phases[0]
    for phase in phases:
        if phase.optimiser is not first.optimiser or phase.clip != first.clip or phase.steps != 1:
            raise PlanError(
                f"in_turn: {first} and {phase} of {name!r} have different optimisers, clips or steps; make one "
                "optimiser=adam(...) and one clip, give them to all, and let each have 1 step a turn."
            )
