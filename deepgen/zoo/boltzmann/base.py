"""Where annealing begins: independent units, of several kinds, of which a short trial takes the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...potentials import Coupling
from .layers import State
from .machine import Machine
from .path import Path, Point, log_mean

TRIAL = 10  # temperatures of annealing for one of a trial


def chosen(machine: Machine, means: Mapping[str, Tensor], chains: int, powers: Sequence[float]) -> tuple[Path, str]:
    """The path on which chains weigh most after a tenth of the temperatures, and where it begins in words.

    What they weigh is right on average from any start, and by Markov's inequality hardly ever much too high: so the
    highest is the nearest. Other draws are made of this than of annealing itself, which stays unbiased.

    Args:
        machine: with nothing given.
        means: of layers in the data, `[*event]` by name; may be empty.
        chains: how many.
        powers: from 0 to 1.

    Raises:
        PlanError: when something is given.
        GraphError: when means are of no layer.
    """
    if machine.given:
        raise PlanError(f"annealed_log_z: {machine.given[0].name!r} is given; a machine without has one log Z.")
    machine.model.graph.require(means, "annealed_log_z")
    known = machine.state({name: mean.to(machine.device) for name, mean in means.items()})
    trial = [*powers[:-1:TRIAL], powers[-1]]
    trials = [_tried(machine, base, said, chains, trial) for said, base in _bases(machine, known)]
    end = max(trials, key=lambda found: found.weight).end
    base = _at(machine, climbed(machine, end, len(trial)))
    trials.append(_tried(machine, base, "a state of high probability", chains, trial))
    best = max(trials, key=lambda found: found.weight)
    return best.end.path, best.said


@dataclass(frozen=True, eq=False)
class Trial:
    """One beginning: what its chains say log Z is, where they end, and it in words."""

    weight: float
    end: Point
    said: str


def climbed(machine: Machine, point: Point, steps: int) -> dict[str, Tensor]:
    """A state of some layers near the top of a hill of the sum over all others, `[numbers]` by name.

    From the best of some chains on, each step changes that one unit that raises the sum most. Units that all resist
    while their layer is drawn at once, since they only pay together with what others then say, give way like this.

    Args:
        machine: with nothing given.
        point: where chains are; a step looks at no more units than there are chains, drawn anew, so that it costs as
            much as a sweep.
        steps: at most.
    """
    summed, state = tuple(point.fields), point.state
    tries = len(next(iter(state.values())))
    most = machine.log_sum(state, summed)
    here, top = {name: x[most.argmax()] for name, x in state.items()}, most.max()
    for _ in range(steps):
        others = _neighbours(machine, here, tries)
        sums = machine.log_sum(others, summed)
        if sums.max() > top:
            here, top = {name: x[sums.argmax()] for name, x in others.items()}, sums.max()
    return here


def _neighbours(machine: Machine, state: State, most: int) -> dict[str, Tensor]:
    """States of which one unit is another, some of them, `[neighbours, numbers]` by name."""
    total = sum(len(x) for x in state.values())
    places, found = torch.randperm(total)[:most, None].to(machine.device), {}
    for name, x in state.items():
        changed = places == torch.arange(len(x), device=machine.device)  # [neighbours, numbers]
        if machine.model[name].finite:
            found[name] = torch.where(changed.any(-1, keepdim=True), changed.to(x), x)
        else:
            found[name] = torch.where(changed, 1 - x, x)
        places = places - len(x)
    return found


def _bases(machine: Machine, means: State) -> list[tuple[str, dict[str, Tensor]]]:
    """Fields of layers to begin with, and in words: the means of the data; or biases, and centres where it has any."""
    coins = {v.name: machine.zeros(v.name) for v in machine.model.variables}
    if means:
        return [("the means given", coins | _fields(machine, means))]
    found = [("its biases", {name: machine.field(name, coins) for name in coins})]
    couplings = [term for term in machine.model.terms if isinstance(term, Coupling)]
    centres = {term.scope[0].name: term.centre for term in couplings}
    centres |= {term.scope[1].name: term.other_centre for term in couplings}
    seen = {v.name: centres[v.name] for v in machine.visible if v.name in centres and bool(centres[v.name].any())}
    return [*found, ("its centres", coins | _fields(machine, seen))] if seen else found


def _at(machine: Machine, state: State) -> dict[str, Tensor]:
    """The fields at which units are on as often as given a state of the layers that are drawn."""
    others = [v.name for v in machine.model.variables if v.name not in state]
    means = {name: machine.units(name).mean(machine.field(name, state)) for name in others}
    return _fields(machine, {**state, **means})


def _fields(machine: Machine, means: State) -> dict[str, Tensor]:
    return {name: machine.units(name).field_of(mean) for name, mean in means.items()}


def _tried(machine: Machine, base: Mapping[str, Tensor], said: str, chains: int, powers: Sequence[float]) -> Trial:
    path = Path.of(machine, base)
    weights, end = path.walked(path.begin(chains), powers, False)
    return Trial(path.log_start + log_mean(weights), end, said)
