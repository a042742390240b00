"""log Z of machines of any size: annealed importance sampling from independent units, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import log

import torch
from torch import Tensor

from pgm.engines.progress import counted
from pgm.errors import PlanError

from ...evaluate.figure import Figure
from ...potentials import Linear
from .exact import SOON, bits_of, draws, smallest
from .gibbs import sweep
from .layers import Layers, State
from .machine import Machine
from .units import Units

BEYOND = 2.0  # standard errors outside the two estimates at which an interval ends
BURN = 100  # sweeps between the end of the way up and the beginning of the way down


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


@torch.no_grad()
def annealed_log_z(
    machine: Machine,
    *,
    means: Mapping[str, Tensor] | None = None,
    chains: int = 100,
    temperatures: int | Sequence[float] = 1000,
    seed: int = 0,
    progress: bool = True,
) -> Figure:
    """log Z by annealed importance sampling, between what chains from independent units say and what chains back say.

    The first errs downwards, the second upwards: exactly so where the machine can be drawn from exactly, otherwise as
    far as the chains that came up, left to themselves for a while, have found all modes.

    Args:
        machine: with nothing given.
        means: means of layers in the data, `[*event]` by name, at which the base begins, with coins for all others:
            far better than without, where all begin at their biases.
        chains: how many.
        temperatures: steps from the base to the machine, or the powers themselves, from 0 to 1.
        seed: of the draws.
        progress: whether to show a bar when it takes long.

    Returns:
        An estimate in nats with its interval, two standard errors beyond both ways; it says when they do not bracket.

    Raises:
        PlanError: when something is given, or powers do not rise from 0 to 1.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import log_z, rbm
        >>> machine = rbm(Variable("v", Binary(6)), 4, deviation=1.0)
        >>> found = annealed_log_z(machine, temperatures=100)
        >>> found.interval[0] < log_z(machine) < found.interval[1]
        True

    Reference: Neal (2001), Annealed importance sampling; Salakhutdinov and Murray (2008), On the quantitative analysis
    of deep belief networks; Burda, Grosse and Salakhutdinov (2015), Accurate and conservative estimates of MRF
    log-likelihood using reverse annealing.
    """
    powers, path = _powers(temperatures), _path(machine, means or {})
    settings = f"{chains} chains of {len(powers) - 1:,} temperatures"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        up, end = _walked(path, path.begin(chains), powers, progress)
        start, how = _drawn(path, end, chains)
        down, _ = _walked(path, start, powers[::-1], progress)
    low, high = path.log_start + _log_mean(up), path.log_start - _log_mean(down)
    least, most = low - BEYOND * _error(up), high + BEYOND * _error(down)
    ends = min(least, high), max(most, low)  # of tight estimates noise may change the order
    apart = "" if least <= most else ", not bracketed: take more temperatures"
    said = f"AIS, {settings}, there {low:.2f} and back {high:.2f} from {how}{apart}"
    return Figure("log Z", (low + high) / 2, "estimate", said, None, "nats", ends)


def _walked(path: Path, point: Point, powers: Sequence[float], progress: bool) -> tuple[Tensor, Point]:
    """Log weights of chains along temperatures, `[chains]`, and where they end."""
    weights: Tensor = torch.zeros((), dtype=torch.float64)
    for number in counted(len(powers) - 1, "temperatures", progress):
        before, after = point.logs(powers[number : number + 2])
        weights = weights + (after - before).double()
        point = path.moved(point, powers[number + 1])
    return weights, point


def _drawn(path: Path, end: Point, chains: int) -> tuple[Point, str]:
    """Where the way down begins: exact draws of small machines, otherwise chains that came up and went on."""
    if bits_of(path.machine, path.kept) <= SOON:
        return path.at(draws(path.machine, path.kept, chains)), "exact draws"
    for _ in range(BURN):
        end = path.moved(end, 1.0)
    return end, f"chains after {BURN} more sweeps"


def _path(machine: Machine, means: Mapping[str, Tensor]) -> Path:
    if machine.given:
        raise PlanError(f"annealed_log_z: {machine.given[0].name!r} is given; a machine without has one log Z.")
    layers, kept = machine.model.variables, smallest(machine)
    zeros = {v.name: machine.zeros(v.name) for v in layers}
    known = machine.state({name: mean.to(machine.device) for name, mean in means.items()})
    base = {v.name: zeros[v.name] if known else machine.field(v.name, zeros) for v in layers}
    base |= {name: machine.units(name).field_of(mean) for name, mean in known.items()}
    return Path(machine, base, kept, tuple(v.name for v in layers if v.name not in kept))


def _powers(temperatures: int | Sequence[float]) -> list[float]:
    powers = torch.linspace(0, 1, temperatures + 1).tolist() if isinstance(temperatures, int) else list(temperatures)
    if len(powers) < 2 or powers[0] != 0 or powers[-1] != 1 or any(a >= b for a, b in pairwise(powers)):
        raise PlanError(
            f"annealed_log_z: temperatures is {temperatures!r}, expected a number of steps, or powers that rise from 0 "
            "to 1."
        )
    return powers


def _total(found: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, found, torch.zeros(()))


def _log_mean(logs: Tensor) -> float:
    return logs.logsumexp(0).item() - log(len(logs))


def _error(logs: Tensor) -> float:
    """The standard error of the log of a mean weight."""
    weights = (logs - logs.max()).exp()
    return (weights.std() / (weights.mean() * len(weights) ** 0.5)).item()
