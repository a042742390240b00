"""Simulated annealing: the state of least energy, by Gibbs sweeps that cool down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pgm.domains import Real
from pgm.engines.progress import Watched
from pgm.errors import PlanError

from ...training.schedules import Schedule, geometric
from .evidence import begun, free
from .gibbs import sweep
from .layers import State
from .machine import Machine
from .path import Between

LOOKS = 20  # how often the least energy so far is looked at for the bar
COOLING = geometric(10.0, 0.1, 500)


@dataclass(frozen=True, eq=False)
class GroundState:
    """The state of least energy that annealing came by, and how it went down.

    Args:
        values: of all layers, `[*event]` by name.
        energy: its -log of the product of all potentials, in nats; none is known to be lower.
        energies: at each sweep of each restart, `[sweeps, restarts]`.
        temperatures: of each sweep, `[sweeps]`.
        interrupted: whether Ctrl-C ended the cooling.
    """

    values: dict[str, Tensor]
    energy: float
    energies: Tensor
    temperatures: Tensor
    interrupted: bool = False

    @property
    def share(self) -> float:
        """How many of the restarts came by that energy: when few do, a longer way down may find a lower one."""
        least = self.energies.amin(0)
        return torch.isclose(least, least.min(), rtol=1e-5, atol=1e-5).double().mean().item()

    def __repr__(self) -> str:
        sweeps, restarts = self.energies.shape
        high, low = self.temperatures[0].item(), self.temperatures[-1].item()
        return (
            f"GroundState(energy {self.energy:.4g} nats, found by {self.share:.0%} of {restarts} restarts of "
            f"{sweeps:,} sweeps from temperature {high:.3g} to {low:.3g})"
        )


@torch.no_grad()
def ground_state(
    machine: Machine,
    known: Mapping[str, Tensor] | None = None,
    *,
    cooling: Schedule = COOLING,
    sweeps: int = 500,
    restarts: int = 50,
    seed: int = 0,
    progress: bool = True,
) -> GroundState:
    """Simulated annealing: chains at p(x)^(1 / temperature), many side by side, from hot to cold.

    Hot chains cross all barriers, cold ones only go down. Cooled as slowly as logarithmically they end in a ground
    state almost surely, which no schedule that is short enough to run promises: `share` says how many of the restarts
    agree. `pgm.mpe(expanded(machine), engine=SimulatedAnnealing())` does the same bit by bit and gives a bound.

    Args:
        machine: of bits and variables with states.
        known: values `[*event]` by name, with NaN (of states -1) where they are to be found.
        cooling: the temperature of each sweep, such as `geometric(10.0, 0.1, 500)`; 1 is the machine itself.
        sweeps: over all layers.
        restarts: how many chains side by side.
        seed: of the draws.
        progress: whether to show a bar when it takes long; Ctrl-C keeps the best so far.

    Raises:
        PlanError: when a layer has real numbers, a temperature is not above 0, or there is no sweep or restart.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> machine = boltzmann_machine(Variable("v", Binary(6)), 4, deviation=2.0)
        >>> found = ground_state(machine, cooling=geometric(10.0, 0.1, 100), sweeps=100)
        >>> from deepgen.zoo.boltzmann.equilibrium import energies
        >>> abs(found.energy - energies(machine)[0].min().item()) < 1e-4
        True

    Reference: Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing; Geman and Geman (1984), for
    logarithmic cooling.
    """
    temperatures = _temperatures(machine, cooling, sweeps, restarts)
    zeros = {v.name: machine.zeros(v.name) for v in machine.model.variables}
    energies: list[Tensor] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state, fixed = begun(machine, restarts, known or {})
        layers = free(machine, fixed)
        best: tuple[Tensor, State] = (torch.full((restarts,), torch.inf, device=machine.device), state)
        with Watched(sweeps, "sweeps", progress) as steps:
            for step in steps:
                state = sweep(Between(machine, zeros, 1 / temperatures[step]), state, layers, fixed)
                energies.append(-machine.score(state))
                best = _lower(best, energies[-1], state)
                if step % max(sweeps // LOOKS, 1) == 0:
                    steps.say(f"least energy {best[0].min().item():.4f}")
    if not energies:
        raise PlanError("ground_state: interrupted before there was a sweep, expected 1 or more.")
    place = int(best[0].argmin())
    values = machine.values({name: x[place] for name, x in best[1].items()})
    went = torch.tensor(temperatures[: len(energies)])
    return GroundState(values, best[0][place].item() + 0.0, torch.stack(energies), went, steps.interrupted)


def _lower(best: tuple[Tensor, State], energy: Tensor, state: State) -> tuple[Tensor, State]:
    """The lower of two states, restart by restart."""
    falls = energy < best[0]
    kept = {name: torch.where(falls[:, None], x, best[1][name]) for name, x in state.items()}
    return torch.minimum(energy, best[0]), kept


def _temperatures(machine: Machine, cooling: Schedule, sweeps: int, restarts: int) -> list[float]:
    numbers = next((v for v in machine.model.variables if isinstance(v.domain, Real)), None)
    if numbers is not None:
        raise PlanError(f"ground_state: {numbers.name!r} is {numbers.domain!r}, expected bits or states.")
    if sweeps < 1 or restarts < 1:
        raise PlanError(f"ground_state: {sweeps} sweeps of {restarts} restarts, expected 1 or more of both.")
    found = [cooling(step) for step in range(sweeps)]
    wrong = next((step for step, each in enumerate(found) if not each > 0), None)
    if wrong is not None:
        raise PlanError(f"ground_state: the temperature of sweep {wrong} is {found[wrong]}, expected one above 0.")
    return found
