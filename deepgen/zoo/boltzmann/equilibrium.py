"""Thermal equilibrium: whether chains have forgotten where they began, as far as they themselves can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pgm.engines.progress import Watched
from pgm.errors import PlanError

from .evidence import begun, free
from .exact import doubled, states
from .gibbs import sweep
from .machine import Machine

MIXED = 1.05  # the split R-hat up to which chains are said to agree
ENOUGH = 100.0  # effective draws from which they are said to have said something


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """Where chains have been, and whether they agree.

    Args:
        energies: -log of the product of all potentials, `[chains, sweeps]`, in nats.
        activities: numbers of each layer that was drawn, `[chains, sweeps, numbers]` by name.
        interrupted: whether Ctrl-C ended them.
    """

    energies: Tensor
    activities: Mapping[str, Tensor]
    interrupted: bool = False

    @cached_property
    def r_hat(self) -> dict[str, Tensor]:
        """Split R-hat of the energy, `[]`, and of each unit, `[numbers]`, by layer; infinite where chains are stuck."""
        from pyro.ops.stats import split_gelman_rubin

        return {name: split_gelman_rubin(x, 0, 1).nan_to_num(1.0, torch.inf) for name, x in self._traces.items()}

    @cached_property
    def effective_samples(self) -> dict[str, Tensor]:
        """How many independent draws say as much, `[]` and `[numbers]` by layer; NaN of units that never moved."""
        from pyro.ops.stats import effective_sample_size

        return {name: effective_sample_size(x, 0, 1) for name, x in self._traces.items()}

    @cached_property
    def autocorrelation(self) -> Tensor:
        """Of the energy with itself so many sweeps later, `[lags]`, up to half the sweeps; the mean of the chains."""
        from pyro.ops.stats import autocorrelation

        return autocorrelation(self.energies.double(), 1).mean(0)[: self.energies.shape[1] // 2]

    @property
    def reached(self) -> bool:
        """Whether all R-hats are at most 1.05, and all that moves has 100 effective draws or more."""
        return self._worst[1] <= MIXED and self._least[1] >= ENOUGH

    @property
    def verdict(self) -> str:
        """That in words, and what to try."""
        (unit, r_hat), (rare, size) = self._worst, self._least
        if r_hat > MIXED:
            return f"not in equilibrium: chains disagree about {unit}; burn longer, or start from data or annealing"
        if size < ENOUGH:
            return f"perhaps in equilibrium: {rare} moves so slowly that chains say little of it; take more sweeps"
        return "in equilibrium, as far as chains that agree can say"

    @property
    def _traces(self) -> dict[str, Tensor]:
        return {"energy": self.energies.double(), **self.activities}

    @cached_property
    def _worst(self) -> tuple[str, float]:
        return max((_extreme(name, x) for name, x in self.r_hat.items()), key=lambda found: found[1])

    @cached_property
    def _least(self) -> tuple[str, float]:
        sizes = {name: -x.nan_to_num(torch.inf) for name, x in self.effective_samples.items()}
        unit, size = max((_extreme(name, x) for name, x in sizes.items()), key=lambda found: found[1])
        return unit, -size

    def __repr__(self) -> str:
        (worst, r_hat), (rare, size) = self._worst, self._least
        chains, sweeps = self.energies.shape
        return (
            f"Equilibrium({chains} chains of {sweeps:,} sweeps: R-hat at most {r_hat:.3f} ({worst}), effective draws "
            f"at least {size:,.0f} ({rare}); {self.verdict})"
        )


@torch.no_grad()
def equilibrium(
    machine: Machine,
    known: Mapping[str, Tensor] | None = None,
    *,
    chains: int = 20,
    sweeps: int = 1000,
    burn: int = 1000,
    seed: int = 0,
    progress: bool = True,
) -> Equilibrium:
    """Run chains from states drawn as if nothing were coupled, and see whether they agree.

    R-hat compares the spread between chains with that inside them, for the energy and for every unit. Chains that
    agree may still all have missed a mode; those that disagree have not mixed for certain. All activities are kept:
    4 bytes a chain, sweep and unit.

    Args:
        machine: any.
        known: values `[*event]` or `[chains, *event]` by name, with NaN (of states -1) where they are to be drawn.
        chains: how many, 2 or more.
        sweeps: of each chain after burning, 4 or more.
        burn: sweeps before.
        seed: of the draws.
        progress: whether to show a bar when it takes long; Ctrl-C keeps the sweeps so far.

    Raises:
        PlanError: when there are too few chains or sweeps.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> found = equilibrium(boltzmann_machine(Variable("v", Binary(3)), 2), sweeps=100, burn=10)
        >>> found.reached, found.energies.shape
        (True, torch.Size([20, 100]))

    Reference: Gelman and Rubin (1992), Inference from iterative simulation using multiple sequences; Gelman et al.
    (2013), Bayesian Data Analysis, sections 11.4 and 11.5.
    """
    if chains < 2 or sweeps < 4:
        raise PlanError(f"equilibrium: {chains} chains of {sweeps} sweeps, expected 2 or more of 4 or more.")
    energies, kept, done = [], [], 0
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state, fixed = begun(machine, chains, known or {})
        layers = free(machine, fixed)
        with Watched(burn + sweeps, "sweeps", progress) as steps:
            for step in steps:
                state = sweep(machine, state, layers, fixed)
                if step >= burn:
                    kept.append({name: state[name] for name in layers})
                    energies.append(-machine.score(state))
        done, interrupted = len(energies), steps.interrupted
    if done < 4:
        raise PlanError(f"equilibrium: interrupted after {done} sweeps beyond the burn, expected 4 or more.")
    activities = {name: torch.stack([each[name] for each in kept[:done]], 1) for name in layers}
    return Equilibrium(torch.stack(energies, 1), activities, interrupted)


@torch.no_grad()
def energies(machine: Machine) -> tuple[Tensor, Tensor]:
    """The energies of all states of a small machine, `[states]` in nats, and their probabilities, in double precision.

    Args:
        machine: of bits and variables with states, with nothing given.

    Raises:
        PlanError: when there are more than 25 bits.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> found, p = energies(boltzmann_machine(Variable("v", Binary(3)), deviation=0.0))
        >>> found.shape, p[0].item()
        (torch.Size([8]), 0.125)
    """
    found = -torch.cat([logs for _, logs in states(doubled(machine), [v.name for v in machine.model.variables])])
    return found, (-found).softmax(0)


def _extreme(name: str, x: Tensor) -> tuple[str, float]:
    """The largest number of a layer, and whose it is."""
    place = int(x.argmax())
    return (f"{name}[{place}]" if x.dim() else name), float(x.flatten()[place])
