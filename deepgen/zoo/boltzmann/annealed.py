"""log Z of machines of any size: annealed importance sampling from independent units, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...evaluate.figure import Figure
from .base import chosen
from .exact import SOON, bits_of, draws, smallest
from .machine import Machine
from .path import Path, Point, log_mean

BEYOND = 2.0  # standard errors outside the two estimates at which an interval ends
BURN = 100  # sweeps between the end of the way up and the beginning of the way down


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
        means: means of layers in the data, `[*event]` by name, where units may begin, with coins for all others. By
            default they may begin at their biases, or at the centres of a machine that has some. One more beginning is
            a state of high probability that is searched for. A short trial chooses, with draws of its own.
        chains: how many, 2 or more.
        temperatures: steps from the base to the machine, or the powers themselves, from 0 to 1.
        seed: of the draws.
        progress: whether to show a bar when it takes long.

    Returns:
        An estimate in nats with its interval, two standard errors beyond both ways; it says when they do not bracket.

    Raises:
        PlanError: when something is given, all units are independent, there is one chain, or powers do not rise from 0
            to 1.
        GraphError: when means are of no layer.

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
    if chains < 2:
        raise PlanError(f"annealed_log_z: chains is {chains}, expected 2 or more, whose spread gives the interval.")
    powers = _powers(temperatures)
    if not smallest(machine):
        raise PlanError("annealed_log_z: all units are independent, there is nothing to anneal; log_z() is exact.")
    settings = f"{chains} chains of {len(powers) - 1:,} temperatures"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        path, base = chosen(machine, means or {}, chains, powers)
        up, end = path.walked(path.begin(chains), powers, progress)
        start, how = _drawn(path, end, chains)
        down, _ = path.walked(start, powers[::-1], progress)
    low, high = path.log_start + log_mean(up), path.log_start - log_mean(down)
    least, most = low - BEYOND * _error(up), high + BEYOND * _error(down)
    ends = min(least, high), max(most, low)  # of tight estimates noise may change the order
    apart = "" if least <= most else ", not bracketed: take more temperatures"
    said = f"AIS from {base}, {settings}, there {low:.2f} and back {high:.2f} from {how}{apart}"
    return Figure("log Z", (low + high) / 2, "estimate", said, None, "nats", ends)


def _drawn(path: Path, end: Point, chains: int) -> tuple[Point, str]:
    """Where the way down begins: exact draws of small machines, otherwise chains that came up and went on."""
    if bits_of(path.machine, path.kept) <= SOON:
        return path.at(draws(path.machine, path.kept, chains)), "exact draws"
    for _ in range(BURN):
        end = path.moved(end, 1.0)
    return end, f"chains after {BURN} more sweeps"


def _powers(temperatures: int | Sequence[float]) -> list[float]:
    powers = torch.linspace(0, 1, temperatures + 1).tolist() if isinstance(temperatures, int) else list(temperatures)
    if len(powers) < 2 or powers[0] != 0 or powers[-1] != 1 or any(a >= b for a, b in pairwise(powers)):
        raise PlanError(
            f"annealed_log_z: temperatures is {temperatures!r}, expected a number of steps, or powers that rise from 0 "
            "to 1."
        )
    return powers


def _error(logs: Tensor) -> float:
    """The standard error of the log of a mean weight."""
    weights = (logs - logs.max()).exp()
    return (weights.std() / (weights.mean() * len(weights) ** 0.5)).item()
