"""What to look at while a machine learns, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pgm.domains import Binary
from pgm.errors import PlanError

from ...data.data import Data
from ...evaluate.rows import Rows
from ...potentials import Bias, Linear
from ...training.history import History, Monitor
from ...training.phase import Batch, Moment, Phase
from .clamped import CHANGE
from .gibbs import sweep
from .layers import State
from .machine import Machine

IDLE = 0.01  # share of rows up to which a unit is dead, or beyond whose complement it is always on
MANY = 0.25  # share of hidden units that are dead, or always on, from which that is said
LARGE = 20.0  # log odds that one unit adds to another's from which weights are said to explode
OPEN = 0.25  # standard deviations by which the gap of free energies has grown from which that is said


def monitored(phase: Phase, machine: Machine, data: Data, held: Data, every: int = 100, rows: int = 500) -> Phase:
    """A phase whose history also shows how the machine is, every so many steps; what it learns stays the same.

    Args:
        phase: how the machine learns.
        machine: whose hidden units are independent given what is seen.
        data: what it learns from, and
        held: what it does not; the first rows of both are looked at.
        every: steps between looks.
        rows: of each.

    Returns:
        The phase. The figures are those of `health`, and what is wrong with them is in `history.notices`.

    Raises:
        PlanError: when there is no step between looks.

    Example:
        >>> from deepgen import digits, persistent, rbm, thresholded
        >>> test, train = thresholded(digits()).split(297)
        >>> machine = rbm(train.variable("image"), 64)
        >>> monitored(persistent(machine), machine, train, test)
        Phase(persistent contrastive divergence: moves model, chains, 1 step a turn)

    Reference: Hinton (2012), A practical guide to training restricted Boltzmann machines.
    """
    if every < 1:
        raise PlanError(f"monitored: every is {every}, expected 1 or more.")
    shown, hidden_away = (Rows(each, rows, 0, machine.device)[0] for each in (data, held))

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        found = phase.objective(batch, moment)
        terms = found if isinstance(found, Mapping) else {"loss": found}
        if not machine.model.training or moment.step % every:
            return terms
        with torch.random.fork_rng():
            torch.manual_seed(moment.step)
            seen = ({name: x.to(machine.device) for name, x in each.items()} for each in (shown, hidden_away))
            return {**terms, **health(machine, *seen)}

    monitors = dict.fromkeys((*phase.monitors, symptoms))
    return replace(phase, objective=objective, monitors=tuple(monitors))


@torch.no_grad()
def health(machine: Machine, train: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """How a machine is, each a number `[]`.

    `overfitting`: the mean free energy of held-out rows less that of training rows, in standard deviations of the
    latter: it needs no log Z, and opens when rows are learned by heart. `reconstruction error`: mean square of what
    hidden means make of training rows. `pseudo-likelihood`: of binary pixels, an estimate in nats. `dead` and
    `always on`: shares of hidden units that are on in less than 1 %, or more than 99 %, of rows. `largest weight`: in
    log odds.

    Args:
        machine: whose hidden units are independent given what is seen.
        train, held: rows `[rows, *event]` by name.
    """
    state, free = machine.state(train), machine.free_energy(train)
    hidden, visible = [v.name for v in machine.hidden], [v.name for v in machine.visible]
    whole = sweep(machine, state, hidden, means=True)
    on = torch.cat([whole[name].mean(0) for name in hidden], -1)
    again = sweep(machine, whole, visible, means=True)
    error = torch.cat([(again[name] - state[name]).square() for name in visible], -1).mean()
    found = {
        "overfitting": (machine.free_energy(held).mean() - free.mean()) / free.std().clamp_min(1e-6),
        "reconstruction error": error,
        "dead": (on < IDLE).float().mean(),
        "always on": (on > 1 - IDLE).float().mean(),
        "largest weight": largest_weight(machine),
    }
    pixels = next((v for v in machine.visible if isinstance(v.domain, Binary)), None)
    return found if pixels is None else found | {"pseudo-likelihood": pseudo_likelihood(machine, train, 1).mean()}


@torch.no_grad()
def pseudo_likelihood(machine: Machine, seen: Mapping[str, Tensor], bits: int | None = None) -> Tensor:
    """Sum over all bits of log p(bit | all other bits), of the first binary layer, `[rows]` in nats.

    Args:
        machine: whose hidden units are independent given what is seen.
        seen: rows `[rows, *event]` by name.
        bits: how many to look at in each row, chosen at random, an estimate without bias; all when None.

    Raises:
        PlanError: when there is no binary layer.

    Example:
        >>> from pgm import Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> machine = rbm(Variable("v", Binary(4)), 3, deviation=0.0)
        >>> pseudo_likelihood(machine, {"v": torch.ones(2, 4)})  # four coins
        tensor([-2.7726, -2.7726])

    Reference: Besag (1975), Statistical analysis of non-lattice data.
    """
    layer = next((v.name for v in machine.visible if isinstance(v.domain, Binary)), None)
    if layer is None:
        raise PlanError(f"pseudo_likelihood: {machine!r} has no visible layer of bits.")
    state, hidden = machine.state(seen), [v.name for v in machine.hidden]
    x, before = state[layer], machine.log_sum(state, hidden)
    places = torch.rand_like(x).argsort(-1)[:, : x.shape[-1] if bits is None else bits]
    total = torch.zeros_like(before)
    for place in places.T[..., None]:
        flipped: State = {**state, layer: x.scatter(-1, place, 1 - x.gather(-1, place))}
        total += (before - machine.log_sum(flipped, hidden)).sigmoid().log()
    return total * (x.shape[-1] / len(places.T))


def symptoms(history: History) -> dict[str, str]:
    """What the terms of machines say is wrong by now, and what to do, by name: a monitor, which all their phases name.

    Dead and stuck units and a gap that opens are seen in the figures of `monitored` phases, chains that do not mix in
    the swaps of `tempered`, mean field that has not converged where hidden units are coupled.

    Example:
        >>> symptoms(History([{"turn": 100, "pcd.dead": 0.1, "pcd.always on": 0.5}]))
        {'stuck units': '50% of hidden units are on in more than 99% of rows; use centring.'}
    """
    dead, stuck = history.newest("dead", 0.0), history.newest("always on", 0.0)
    swaps, change = history.newest("rarest swap", 1.0), history.newest(CHANGE, 0.0)
    gap = history.newest("overfitting", 0.0) - history.first("overfitting", 0.0)  # it is not quite 0 from the start
    found = (
        (
            dead > MANY,
            "dead units",
            f"{dead:.0%} of hidden units are on in less than 1% of rows; lower the rate, or use centring or sparse().",
        ),
        (stuck > MANY, "stuck units", f"{stuck:.0%} of hidden units are on in more than 99% of rows; use centring."),
        (
            gap > OPEN,
            "a gap that opens",
            f"free energies of held-out rows have risen by {gap:.2f} standard deviations above those of training rows; "
            "stop earlier, add decay, or take fewer hidden units.",
        ),
        (swaps < IDLE, "chains that do not mix", f"{swaps:.1%} of swaps are accepted; take more temperatures."),
        (
            change > IDLE,
            "mean field that has not converged",
            f"in its last round a unit of each row still moves by {change:.2g}; take more rounds.",
        ),
    )
    return {name: said for wrong, name, said in found if wrong}


def alarms(machine: Machine) -> tuple[Monitor, ...]:
    """The monitors of a phase in which a machine learns."""
    return symptoms, exploding(machine)


def exploding(machine: Machine) -> Monitor:
    """Whether a weight adds more than 20 to another unit's log odds: a monitor, which all phases of machines name.

    Args:
        machine: what learns.

    Example:
        >>> from pgm import Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> exploding(rbm(Variable("v", Binary(4)), 3, deviation=100.0))(History())
        {'exploding weights': 'the largest is ...; lower the rate, or add decay.'}
    """

    def monitor(history: History) -> dict[str, str]:
        largest = largest_weight(machine).item()
        wrong = {"exploding weights": f"the largest is {largest:.3g}; lower the rate, or add decay."}
        return wrong if largest > LARGE else {}

    return monitor


@torch.no_grad()
def largest_weight(machine: Machine) -> Tensor:
    """Of what one unit adds to another's field, `[]`."""
    linear = (term for term in machine.model.terms if isinstance(term, Linear) and not isinstance(term, Bias))
    found = [parameter.abs().max() / term.temperature for term in linear for parameter in term.parameters()]
    return torch.stack([torch.zeros((), device=machine.device), *found]).max()
