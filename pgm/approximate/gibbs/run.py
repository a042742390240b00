"""Running chains: warm-up, sweeps, swaps, and the sums that estimates are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...engines.progress import Watched, counted
from .estimates import Estimates, Half
from .exchange import exchanged
from .merge import Merged
from .sweep import UPDATES, Sweeper, Tally

STAGES = 10  # of the warm-up; the factors are whole after half of them
SAYINGS = 20  # how often in a run the bar shows the R-hat so far


@dataclass(frozen=True, eq=False)
class Run:
    """What came of a run.

    Args:
        estimates: from the chains at power 1.
        accepted: the share of swaps that were accepted, `[rows]`; NaN without a ladder.
        sweeps: how many there were.
        interrupted: whether Ctrl-C ended it.
    """

    estimates: Estimates
    accepted: Tensor
    sweeps: int
    interrupted: bool


@dataclass(frozen=True, eq=False)
class Chains:
    """Chains in a field, at each of some powers of its factors.

    Args:
        merged: what is sampled.
        sweeper: of its field.
        states: of possible joint states, chain after chain for the first power, then for the next: `[rows, powers *
            chains, clusters]`.
        ladder: the powers, 1 first.
        generator: the source of randomness.
    """

    merged: Merged
    sweeper: Sweeper
    states: Tensor
    ladder: Tensor
    generator: torch.Generator

    def warmed(self, sweeps: int, progress: bool) -> Chains:
        """After some sweeps, in the first half of which the factors fade in."""
        sweeper, states = self.sweeper, self.states
        for stage in counted(STAGES, "stages of warm-up", progress):
            fade = min(1.0, 2 * (stage + 1) / STAGES)
            count = sweeps * (stage + 1) // STAGES - sweeps * stage // STAGES
            states = sweeper.sweep(states, count, fade * self._powers, generator=self.generator)
        return replace(self, states=states)

    def run(self, sweeps: int, thin: int, progress: bool) -> Run:
        """Go on for some sweeps, keep every `thin`-th state, and sum up."""
        halves, done = [self._empty(), self._empty()], 0
        kept: list[Tensor] = []
        shares: list[Tensor] = []
        lengths = list(self._lengths(sweeps))
        with Watched(len(lengths), "rounds of sweeps", progress) as steps:
            moves = self._moves(lengths, thin)
            for step in steps:
                tally, accepted = next(moves)
                late = int(done >= (sweeps + 1) // 2)
                halves[late] = halves[late].plus(lengths[step], tally.sums, tally.squares)
                shares.append(accepted)
                done += lengths[step]
                kept.append(tally.kept)
                if (step + 1) % max(1, len(lengths) // SAYINGS) == 0:
                    so_far = self._estimates(halves, tally.states[:, :, None])
                    steps.say(f"R-hat {float(so_far.r_hat.max()):.3f}")
        states = torch.cat(kept if done >= thin else [tally.states[:, :, None]], 2)
        run = self._estimates(halves, states)
        return Run(run, torch.stack(shares).nanmean(0), done, steps.interrupted)

    def _moves(self, lengths: list[int], thin: int) -> Iterator[tuple[Tally, Tensor]]:
        """Rounds of sweeps and swaps: what the chains at power 1 saw, and the share of swaps accepted, `[rows]`."""
        sweeper, states, count = self.sweeper, self.states, self._count
        none = torch.full((self.sweeper.field.rows,), torch.nan, dtype=torch.float64, device=states.device)
        done = 0
        for number, length in enumerate(lengths):
            keep = range(thin - done % thin, length + 1, thin)
            tally = sweeper.tallied(states[:, :count], length, keep, generator=self.generator)
            done += length
            hot = sweeper.sweep(states[:, count:], length, self._powers[count:], generator=self.generator)
            states, accepted = torch.cat([tally.states, hot], 1), none
            if len(self.ladder) > 1:
                odd = number % 2 if len(self.ladder) > 2 else 0
                states, accepted = exchanged(sweeper, states, self.ladder, odd, self.generator)
            yield tally, accepted

    def _lengths(self, sweeps: int) -> Iterator[int]:
        """The sweeps of each round: one where states are swapped, else as many as Ctrl-C and the bar allow."""
        at_once = UPDATES // max(1, self.states.numel())
        most = 1 if len(self.ladder) > 1 else max(1, min(at_once, -(-sweeps // SAYINGS)))
        done, middle = 0, (sweeps + 1) // 2
        while done < sweeps:
            stop = min(done + most, middle if done < middle else sweeps)
            yield stop - done
            done = stop

    @property
    def _count(self) -> int:
        return self.states.shape[1] // len(self.ladder)

    @property
    def _powers(self) -> Tensor:
        return self.ladder.repeat_interleave(self._count)

    def _empty(self) -> Half:
        rows, states = self.sweeper.field.unary.shape
        zeros = torch.zeros(rows, self._count, states, dtype=torch.float64, device=self.states.device)
        return Half(0, zeros, zeros[:, 0])

    def _estimates(self, halves: list[Half], kept: Tensor) -> Estimates:
        return Estimates((halves[0], halves[1]), kept, self.merged)
