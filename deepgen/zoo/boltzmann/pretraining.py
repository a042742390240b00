"""Greedy pretraining of deep Boltzmann machines: a restricted machine a layer, which shares the deep one's weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from pgm.errors import PlanError
from pgm.model import Model
from pgm.terms import Local

from ...potentials import Bias, Coupling, Width
from ...training.phase import Batch, Phase
from .greedy import Learn, above
from .learning import persistent
from .machine import Machine

AGAIN = " again"  # what ends the names of layers that are there twice


def pretraining(machine: Machine, learn: Learn = persistent, **options: Any) -> tuple[Phase, ...]:
    """A phase for each hidden layer of a deep Boltzmann machine, from the data up, to go before `persistent`.

    Each is of a restricted machine that shares the weights of the deep one. What a layer will hear from its other side,
    which does not learn yet, is taken to be what it hears from this side: the first machine sees the data twice, the
    last hides its layer twice, and weights between count double. Then p(h_1) of a deep machine of two layers is the
    geometric mean of what both say, where their biases of h_1 agree.

    The biases of a layer are those of the machine that hides it; they fit the whole as far as couplings are centred:
    give `dbm` a mean.

    Args:
        machine: of `dbm`.
        learn: how: `persistent`, `contrastive_divergence`, or one of these with options, by `functools.partial`; its
            centres have to stay where they are.
        options: of the phases, and of `learn`.

    Raises:
        PlanError: when layers are not in a row.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import dbm
        >>> for phase in pretraining(dbm(Variable("image", Binary(8, 8)), 64, 32)):
        ...     print(phase)
        Phase(layer 1: moves layer 1, chains 1, 1 step a turn)
        Phase(layer 2: moves layer 2, chains 2, model, 1 step a turn)

    Reference: Salakhutdinov and Hinton (2009), Deep Boltzmann machines; (2012), An efficient learning procedure for
    deep Boltzmann machines.
    """
    stages = restricted_stages(machine)
    made = partial(learn, **options)
    return tuple(_phase(machine, stages[:number], stage, made) for number, stage in enumerate(stages))


def restricted_stages(machine: Machine) -> tuple[Machine, ...]:
    """The restricted machines of `pretraining`, from the data up; layers that are there twice are called `x again`."""
    (x, *labels), hidden = machine.visible, machine.hidden
    chain = [{a, b} for a, b in zip((x, *hidden), hidden, strict=False)] + [{v, hidden[-1]} for v in labels]
    if [set(term.scope) for term in machine.model.terms if not isinstance(term, Bias | Width)] != chain:
        raise PlanError(
            f"pretraining: {machine!r} is not of layers in a row, each coupled with the next; make it by dbm()."
        )
    return tuple(_stage(machine, number) for number in range(len(hidden)))


def _stage(machine: Machine, number: int) -> Machine:
    first, last = number == 0, number == len(machine.hidden) - 1
    below, over = (machine.visible[0], *machine.hidden)[number : number + 2]
    labels = machine.visible[1:] if last else ()
    inside = {below, over, *labels}
    terms = [term for term in machine.model.terms if inside.issuperset(term.scope)]
    if not first:  # what is below has its biases from the machine before
        terms = [deepcopy(term) if term.scope == (below,) else term for term in terms]
    if first == last:  # alone, or with both sides missing
        return Machine(Model(*(terms if first else map(_doubled, terms))), (below, *labels))
    again = {v.name: replace(v, name=f"{v.name}{AGAIN}") for v in ((below,) if first else (over, *labels))}
    terms += [term.renamed(again) for term in terms if any(v.name in again for v in term.scope)]
    seen = (below, *labels)
    return Machine(Model(*terms), (*seen, *(again[v.name] for v in seen if v.name in again)))


def _doubled(term: Local) -> Local:
    """A coupling that says twice as much, with the same weights."""
    twin = term.renamed({})
    if isinstance(twin, Coupling):
        twin.temperature = twin.temperature / 2
    return twin


def _phase(machine: Machine, stages: Sequence[Machine], stage: Machine, learn: Callable[[Machine], Phase]) -> Phase:
    """Of a stage above others, which learns from what these draw from a batch."""

    @torch.no_grad()
    def features(batch: Batch) -> Batch:
        values = _twice(batch)
        for below in stages:
            name = below.hidden[0].name
            drawn = below.units(name).draw(below.field(name, below.state(values)))
            values |= _twice(below.values({name: drawn}))
        return {v.name: values[v.name] for v in stage.visible}

    return above(len(stages), learn(stage), features, {"model": machine.model} if stages else {})


def _twice(values: Batch) -> Batch:
    return values | {f"{name}{AGAIN}": x for name, x in values.items()}
