"""Small Boltzmann machines answered exactly: as models of single bits, or by summing over all states of some layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from math import log2

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pgm.columns import column_names
from pgm.domains import Binary, Finite
from pgm.errors import EvidenceError, PlanError
from pgm.model import MarkovNetwork
from pgm.potentials import Pairwise, Potential, Table
from pgm.variable import Variable

from ...potentials import Exclusive, Within
from ...potentials.linear import count
from .layers import State
from .machine import Machine

MOST = 25  # bits whose states are looked at one by one
SOON = 20  # bits whose states are looked at where there is another way
AT_ONCE = 2**14  # states


@torch.no_grad()
def expanded(machine: Machine) -> MarkovNetwork:
    """The same distribution with a variable for each bit, `h[0]`, `h[1]`, ...: any exact answer for small machines.

    Biases and weights are read off the fields at all-zero layers and at each unit alone, in double precision.

    Args:
        machine: of `Binary` and finite layers, with nothing given.

    Raises:
        PlanError: when a layer has neither bits nor states, or something is given.

    Example:
        >>> import pgm
        >>> from deepgen.zoo.boltzmann import rbm
        >>> network = expanded(rbm(Variable("v", Binary(3)), 2))
        >>> network
        MarkovNetwork(5 variables: v[0], v[1], v[2], h[0], h[1]; 12 potentials)
        >>> pgm.infer(network, ["h[0]"], given={"v[0]": "1"})["h[0]"].shape
        torch.Size([2])
    """
    if machine.given:
        raise PlanError(f"expanded: {machine.given[0].name!r} is given, and the machine differs with what it is.")
    machine = doubled(machine)
    layers = machine.model.variables
    wrong = next((v for v in layers if not isinstance(v.domain, Binary | Finite)), None)
    if wrong is not None:
        raise PlanError(f"expanded: {wrong.name!r} is {wrong.domain!r}, expected Binary or a variable with states.")
    zeros = {v.name: machine.zeros(v.name) for v in layers}
    bits = {v.name: [v] if v.finite else [Variable(name) for name in column_names(v)] for v in layers}
    found: list[Potential] = [Table([], machine.score(zeros).exp())]
    for v in layers:
        field = machine.field(v.name, zeros)
        found += [Table([bit], logs.exp()) for bit, logs in zip(bits[v.name], _unary(v, field), strict=True)]
    for a, b, weights in _pairs(machine):
        found += _couplings(a, b, bits, weights)
    for block in _blocks(machine, bits):
        found += [Table(pair, [[1.0, 1.0], [1.0, 0.0]]) for pair in combinations(block, 2)]
    return MarkovNetwork(*found, variables=[bit for v in layers for bit in bits[v.name]], name=machine.model.name)


@torch.no_grad()
def log_z(machine: Machine, given: Mapping[str, Tensor] | None = None) -> float:
    """log Z exactly, in nats: all states of as few units as can be are looked at, all others summed in closed form.

    Args:
        machine: a machine.
        given: what is given, `[*event]` by name.

    Raises:
        EvidenceError: when something that is always given is not here.
        PlanError: when more than 25 bits would have to be looked at.

    Example:
        >>> from math import log
        >>> from deepgen.zoo.boltzmann import rbm
        >>> machine = rbm(Variable("v", Binary(784)), 3, deviation=0.0)
        >>> round(log_z(machine) / log(2), 6)
        787.0
    """
    _require_given(machine, given or {}, "log_z")
    exact, fixed = doubled(machine), {name: x.double() for name, x in machine.state(given or {}).items()}
    return torch.cat([logs for _, logs in states(exact, smallest(exact), fixed)]).logsumexp(0).item()


@torch.no_grad()
def draws(machine: Machine, names: Sequence[str], rows: int) -> dict[str, Tensor]:
    """Exact draws of some layers, given which all others are independent, `[rows, numbers]` by name.

    Args:
        machine: with nothing given.
        names: of the layers, all of whose states are looked at.
        rows: how many.

    Raises:
        PlanError: when these have more than 25 bits.
    """
    worlds = list(states(doubled(machine), names))
    logs = torch.cat([found for _, found in worlds])
    shares = (logs - logs.logsumexp(0)).exp().cumsum(0)  # multinomial() takes no more than 2^24
    chosen = torch.searchsorted(shares, torch.rand(rows).to(shares)).clamp_max(len(shares) - 1)
    whole = {name: torch.cat([block[name] for block, _ in worlds])[chosen] for name in names}
    return {name: x.to(machine.zeros(name)) for name, x in whole.items()}


def log_likelihood(machine: Machine, seen: Mapping[str, Tensor]) -> Tensor:
    """log p(visible | given) exactly, `[*batch]` in nats and double precision; differentiable in all parameters.

    Args:
        machine: so small that all states of what is not summed in closed form can be looked at.
        seen: visible and given layers, `[*batch, *event]` by name.

    Raises:
        EvidenceError: when something that is always given is not here.
        PlanError: when more than 25 bits would have to be looked at.

    Example:
        >>> from math import log
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> machine = boltzmann_machine(Variable("v", Binary(4)), 2, deviation=0.0)
        >>> found = log_likelihood(machine, {"v": torch.ones(5, 4)})
        >>> found.shape, round(found[0].exp().item(), 6)
        (torch.Size([5]), 0.0625)
    """
    _require_given(machine, seen, "log_likelihood")
    state = {name: x.unsqueeze(-2) for name, x in machine.state(seen).items()}  # [*batch, 1, numbers]
    given = {v.name: state[v.name] for v in machine.given}
    return _log_total(machine, state) - _log_total(machine, given)


def smallest(machine: Machine, known: Iterable[str] = ()) -> tuple[str, ...]:
    """The layers with the fewest states, given which the units of all others are independent.

    Args:
        machine: a machine.
        known: layers that are known anyway.

    Raises:
        PlanError: when there are none, since layers of real numbers are coupled.
    """
    also = {*known, *(v.name for v in machine.given)}
    layers = [v.name for v in machine.model.variables if v.name not in also]
    subsets = (names for r in range(len(layers) + 1) for names in combinations(layers, r))
    possible = [names for names in subsets if _splits(machine, names, layers)]
    if not possible:
        raise PlanError("log_z: layers of real numbers are coupled with one another, so that no sum has a closed form.")
    return min(possible, key=lambda names: bits_of(machine, names))


def bits_of(machine: Machine, names: Sequence[str]) -> float:
    """How many bits say the state of some layers."""
    layers = [machine.model[name] for name in names]
    return sum(log2(v.size) if v.finite else count(v) for v in layers)


def states(
    machine: Machine, names: Sequence[str], fixed: State | None = None
) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """All states of some layers, some at a time, each with the log of the sum over all others, `[*batch, states]`.

    Args:
        machine: a machine.
        names: of the layers, given which the units of all others are independent.
        fixed: layers that are known, `[*batch, 1, numbers]` or `[numbers]` by name.

    Raises:
        PlanError: when they have more than 25 bits.
    """
    known = fixed or {}
    if bits_of(machine, names) > MOST:
        raise PlanError(
            f"log_z: {' and '.join(names)} have {bits_of(machine, names):.0f} bits, too many to look at all states "
            f"(limit {MOST}); estimate it with annealed_log_z()."
        )
    chosen = [machine.model[name] for name in names]
    summed = [v.name for v in machine.model.variables if v not in (*chosen, *machine.given) and v.name not in known]
    for numbers in _numbers(chosen, machine.device):
        block = {name: x.to(machine.zeros(name)) for name, x in _split(chosen, numbers).items()}
        logs = machine.log_sum({**known, **block}, summed)
        yield block, logs if block or known else logs.unsqueeze(-1)  # with nothing drawn or known there is one state


def _require_given(machine: Machine, known: Iterable[str], subject: str) -> None:
    """Raise an `EvidenceError` unless all that is always given is here."""
    absent = next((v.name for v in machine.given if v.name not in known), None)
    if absent is not None:
        raise EvidenceError(f"{subject}: {absent!r} is always given, and no value of it is here; say one by its name.")


def _log_total(machine: Machine, fixed: State) -> Tensor:
    """The log of the sum over all states of all layers that are not known, `[*batch]`."""
    found = [logs.double() for _, logs in states(machine, smallest(machine, fixed), fixed)]
    return torch.cat(found, -1).logsumexp(-1)


def doubled(machine: Machine) -> Machine:
    """A copy in double precision."""
    return replace(machine, model=deepcopy(machine.model).double())


def _unary(v: Variable, field: Tensor) -> Tensor:
    """Logs of the potentials of single variables, `[variables, states]`."""
    return field[None] if v.finite else torch.stack([torch.zeros_like(field), field], -1)


def _pairs(machine: Machine) -> Iterator[tuple[Variable, Variable, Tensor]]:
    """Layers that are coupled, with their weights `[numbers, numbers]`; a layer with itself above the diagonal."""
    for term in machine.model.terms:
        if isinstance(term, Within):
            yield term.scope[0], term.scope[0], (term.weights / term.temperature).triu(1)
        elif len(term.scope) == 2:
            a, b = term.scope
            ones = torch.eye(count(a), device=machine.device, dtype=torch.float64)
            yield a, b, term.field(1, ones) - term.field(1, machine.zeros(a.name))  # type: ignore[operator]


def _blocks(machine: Machine, bits: Mapping[str, Sequence[Variable]]) -> Iterator[list[Variable]]:
    """Bits of which at most one is on."""
    for term in machine.model.terms:
        if isinstance(term, Exclusive):
            yield from ([bits[term.scope[0].name][place] for place in block] for block in term.blocks.tolist())


def _couplings(a: Variable, b: Variable, bits: Mapping[str, Sequence[Variable]], weights: Tensor) -> Iterator[Pairwise]:
    """Potentials of pairs of variables, without those that say nothing."""
    blocks = weights.split(a.size if a.finite else 1, 0)
    for one, rows in zip(bits[a.name], blocks, strict=True):
        for other, block in zip(bits[b.name], rows.split(b.size if b.finite else 1, 1), strict=True):
            logs = block if a.finite else torch.cat([torch.zeros_like(block), block])
            logs = logs if b.finite else torch.cat([torch.zeros_like(logs), logs], 1)
            if bool(logs.any()):
                yield Pairwise(one, other, logs)


def _splits(machine: Machine, names: Sequence[str], layers: Sequence[str]) -> bool:
    if not all(isinstance(machine.model[name].domain, Binary | Finite) for name in names):
        return False
    try:
        machine.require_independent([name for name in layers if name not in names])
    except PlanError:
        return False
    return True


def _numbers(chosen: Sequence[Variable], device: torch.device) -> Iterator[Tensor]:
    """All states of layers, a number for every bit or state, `[states, variables]`, some at a time."""
    sizes = [size for v in chosen for size in ([v.size] if v.finite else [2] * count(v))]
    total = round(2 ** sum(map(log2, sizes)))
    for start in range(0, total, AT_ONCE):
        numbers, found = torch.arange(start, min(start + AT_ONCE, total), device=device), []
        for size in sizes:
            found.append(numbers % size)
            numbers = numbers // size
        yield torch.stack(found, -1) if found else numbers[:, None][:, :0]


def _split(chosen: Sequence[Variable], states: Tensor) -> dict[str, Tensor]:
    """Those as vectors of numbers by layer."""
    parts = states.split([1 if v.finite else count(v) for v in chosen], -1) if chosen else ()
    return {
        v.name: (one_hot(part[:, 0], v.size) if v.finite else part).double()
        for v, part in zip(chosen, parts, strict=True)
    }
