"""From independent units to a machine: distributions in between, chains that walk there, and what they weigh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import log

import torch
from torch import Tensor

from pgm.engines.progress import counted

from ...potentials import Linear
from .exact import smallest
from .gibbs import sweep
from .layers import Layers, State
from .machine import Machine
from .units import Units


@dataclass(frozen=True, eq=False)
class Between(Layers):
    """p_beta, proportional to base^(1 - beta) p^beta: the base's units are independent.

    Args:
        machine: p.
        base: fields of the base by layer, `[numbers]` each; real numbers keep their widths.
        beta: from 0, the base, to 1; a tensor `[..., 1]` where chains have their own.
    """

    machine: Machine
    base: Mapping[str, Tensor]
    beta: float | Tensor

    def units(self, name: str) -> Units:
        return self.machine.units(name)

    def field(self, name: str, state: State) -> Tensor:
        return torch.lerp(self.base[name], self.machine.field(name, state), self.beta)

    def within(self, name: str) -> Tensor | None:
        weights = self.machine.within(name)
        return None if weights is None else self.beta * weights


@dataclass(frozen=True, eq=False)
class Point:
    """Where chains are, and what of it is needed at all temperatures.

    Args:
        path: from the base to the machine.
        state: the layers that are drawn, `[chains, numbers]` each.
        fields: what the machine says to the layers that are summed.
    """

    path: Path
    state: State
    fields: State

    def logs(self, betas: Sequence[float]) -> list[Tensor]:
        """log of p_beta without its constant, and without widths, which are the same at all temperatures."""
        machine, base, summed = self.path.machine, self.path.base, self.path.summed
        whole = {**self.state, **{name: machine.zeros(name) for name in summed}}
        linear = (term for term in machine.model.terms if isinstance(term, Linear))
        mine = _total(term.score(*(whole[v.name] for v in term.scope)) for term in linear)
        theirs = _total((x * base[name]).sum(-1) for name, x in self.state.items())
        found = []
        for beta in betas:
            between = {name: torch.lerp(base[name], self.fields[name], beta) for name in summed}
            sums = _total(machine.units(name).log_sum(field) for name, field in between.items())
            found.append(beta * mine + (1 - beta) * theirs + sums)
        return found


@dataclass(frozen=True, eq=False)
class Path:
    """From independent units to a machine.

    Args:
        machine: the end.
        base: fields of the start by layer.
        kept, summed: layers that are drawn, and those that are summed given these.
    """

    machine: Machine
    base: Mapping[str, Tensor]
    kept: tuple[str, ...]
    summed: tuple[str, ...]

    @staticmethod
    def of(machine: Machine, base: Mapping[str, Tensor]) -> Path:
        """The path of a machine on which as few bits as can be are drawn."""
        kept = smallest(machine)
        return Path(machine, base, kept, tuple(v.name for v in machine.model.variables if v.name not in kept))

    def at(self, state: State) -> Point:
        """A place on it."""
        kept = {name: state[name] for name in self.kept}
        return Point(self, kept, {name: self.machine.field(name, kept) for name in self.summed})

    def begin(self, chains: int) -> Point:
        """Draws from the base."""
        units = {name: self.machine.units(name) for name in self.kept}
        return self.at({name: units[name].draw(self.base[name].expand(chains, -1)) for name in self.kept})

    def moved(self, point: Point, beta: float) -> Point:
        """One sweep at a temperature: summed layers are drawn, then the others given these."""
        here = Between(self.machine, self.base, beta)
        state = dict(point.state)
        for name in self.summed:
            state[name] = here.units(name).draw(torch.lerp(self.base[name], point.fields[name], beta))
        return self.at(sweep(here, state, self.kept))

    @property
    def log_start(self) -> float:
        """log Z of the base."""
        names = (*self.kept, *self.summed)
        return sum(self.machine.units(name).log_sum(self.base[name]).item() for name in names)

    def walked(self, point: Point, powers: Sequence[float], progress: bool) -> tuple[Tensor, Point]:
        """Log weights of chains along temperatures, `[chains]`, and where they end."""
        weights: Tensor = torch.zeros((), dtype=torch.float64)
        for number in counted(len(powers) - 1, "temperatures", progress):
            before, after = point.logs(powers[number : number + 2])
            weights = weights + (after - before).double()
            point = self.moved(point, powers[number + 1])
        return weights, point


def log_mean(logs: Tensor) -> float:
    """The log of a mean weight."""
    return logs.logsumexp(0).item() - log(len(logs))


def _total(found: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, found, torch.zeros(()))
