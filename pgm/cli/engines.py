"""Which engine answers: its name on the command line, and what the other options mean to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import PlanError


@dataclass(frozen=True)
class Choice:
    """An engine that a command offers.

    Args:
        name: what it is called in `pgm`.
        takes: from options of the command to arguments of the engine.
        fixed: arguments that the choice stands for.
        talks: whether it can show a bar of its own.
    """

    name: str
    takes: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    talks: bool = True


@dataclass(frozen=True)
class Wish:
    """What options say of the engine; None where they are not given."""

    engine: str
    memory: str | None = None
    seconds: float | None = None
    samples: int | None = None
    seed: int | None = None


EXACT = Choice("Exact", {"memory": "memory", "seconds": "seconds"}, talks=False)
AUTO = Choice("Auto", {"memory": "memory", "seconds": "seconds", "seed": "seed"})
SEEDED = {"seed": "seed"}
ANSWERS: Mapping[str, Choice] = {
    "exact": EXACT,
    "lbp": Choice("LoopyBP"),
    "trw": Choice("TreeReweighted"),
    "meanfield": Choice("MeanField", SEEDED),
    "gibbs": Choice("Gibbs", {"samples": "sweeps", "seed": "seed"}),
    "lw": Choice("LikelihoodWeighting", {"samples": "samples", "seed": "seed"}),
    "minibucket": Choice("MiniBucket", {"memory": "memory"}),
    "auto": AUTO,
}
EXPLAINS: Mapping[str, Choice] = {
    "exact": EXACT,
    "dual": Choice("DualDecomposition"),
    "icm": Choice("ICM", SEEDED),
    "annealing": Choice("SimulatedAnnealing", SEEDED),
    "maxproduct": Choice("MaxProduct"),
    "toulbar2": Choice("Toulbar2", {"seconds": "seconds", "seed": "seed"}),
    "auto": AUTO,
}
SAMPLES: Mapping[str, Choice] = {
    "exact": EXACT,
    "gibbs": Choice("Gibbs"),
    "lw": Choice("LikelihoodWeighting"),
    "auto": Choice("Auto", {"memory": "memory", "seconds": "seconds"}),
}


def engine_for(command: str, choices: Mapping[str, Choice], wish: Wish, quiet: bool = False) -> Any:
    """The engine that options ask for.

    Args:
        command: for messages.
        choices: what the command offers.
        wish: what the options say.
        quiet: whether the engine must not show a bar, for there is one already.

    Raises:
        PlanError: on an option that means nothing to the engine, or a value that it refuses.

    Example:
        >>> engine_for("query", ANSWERS, Wish("exact", memory="2GB")).memory
        2000000000.0
    """
    import pgm

    from .options import size

    choice = choices.get(wish.engine)
    if choice is None:
        raise PlanError(f"pgm {command}: --engine {wish.engine} does not answer that; use {_either(choices)}.")
    asked = {name: value for name, value in vars(wish).items() if name != "engine" and value is not None}
    for option in asked:
        if option not in choice.takes:
            others = _either([name for name, other in choices.items() if option in other.takes])
            raise PlanError(f"pgm {command}: --{option} is for --engine {others}, not {wish.engine}.")
    arguments = {choice.takes[name]: size(value) if name == "memory" else value for name, value in asked.items()}
    silence = {"progress": False} if quiet and choice.talks else {}
    return getattr(pgm, choice.name)(**arguments, **choice.fixed, **silence)


def _either(names: Mapping[str, Choice] | list[str]) -> str:
    """Names with commas and an 'or'."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
