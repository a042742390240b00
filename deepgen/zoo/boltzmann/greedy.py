"""How deep belief networks learn: a layer at a time, then all together; and how well they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from pgm.conditionals import Conditional

from ...data.data import Data
from ...evaluate.bounds import bounds
from ...evaluate.figure import Figure
from ...evaluate.rows import Rows, at_rest
from ...training.phase import Batch, Moment, Phase, Terms
from .belief import Belief
from .gibbs import sweep
from .learning import persistent, require_steps
from .likelihood import log_z_figure, means_of, normalised
from .machine import Machine

Learn = Callable[..., Phase]


def greedy(belief: Belief, learn: Learn = persistent, **options: Any) -> tuple[Phase, ...]:
    """A phase for each machine, from the data up: it learns what the guide of the layers below makes of data.

    Each belongs after the one before has learned: `in_turn("greedy", (one, 5000), (two, 5000))`, or one `fit` each.
    With another layer whose weights begin as those below upside down, the bound on log p(x) never falls.

    Args:
        belief: what learns.
        learn: how: `persistent`, `contrastive_divergence`, or one of these with options, by `functools.partial`.
        options: of the phases, and of `learn`.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import dbn
        >>> for phase in greedy(dbn(Variable("image", Binary(8, 8)), 32, 16)):
        ...     print(phase)
        Phase(layer 1: moves layer 1, chains 1, 1 step a turn)
        Phase(layer 2: moves layer 2, chains 2, guide, 1 step a turn)

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets.
    """
    return tuple(_layer(belief, number, learn(machine, **options)) for number, machine in enumerate(belief.machines))


def up_down(belief: Belief, steps: int = 1, **options: Any) -> Phase:
    """All layers learn together: contrastive wake-sleep.

    Awake the guide draws what caused a row and the arrows downwards learn to make it; at the top dreams begin there, as
    in contrastive divergence; what the arrows make of these dreams is what the guide then learns to infer.

    Args:
        belief: after `greedy`.
        steps: sweeps of the top.
        options: `optimiser`, `rate` and `clip` of the phase.

    Raises:
        PlanError: when there is no sweep.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import dbn
        >>> up_down(dbn(Variable("image", Binary(8, 8)), 32, 16))
        Phase(up and down: moves model, guide, 1 step a turn)

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets, section 5.
    """
    require_steps(steps)
    model, guide, top = belief.pair.model, belief.pair.guide, belief.top
    seen, hidden = [v.name for v in top.visible], [v.name for v in top.hidden]
    upward = [each for name, each in guide.conditionals.items() if name not in hidden]  # the top's own is exact

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        awake = belief.pair.infer(belief.pair.seen(batch))
        state = top.state({name: awake[name] for name in seen})
        dreamed = state
        for _ in range(steps):
            dreamed = sweep(top, dreamed, [*hidden, *seen])
        asleep = belief.downward(top.values({name: dreamed[name] for name in seen}))
        wake, sleep = _surprise(model.conditionals.values(), awake), _surprise(upward, asleep)
        contrast = _energy(top, state) - _energy(top, {name: dreamed[name] for name in seen})
        return {"loss": wake + contrast + sleep, "wake": wake, "free energy gap": contrast, "sleep": sleep}

    return Phase("up and down", belief.pair.modules, objective, **options)


def belief_bounds(
    belief: Belief,
    data: Data,
    particles: Sequence[int] = (1, 50),
    log_z: Figure | None = None,
    *,
    seed: int = 0,
    progress: bool = True,
) -> tuple[Figure, ...]:
    """Lower bounds on the mean log p of what is seen, the label too where the top sees it, in nats.

    Args:
        belief: what is measured.
        data: rows.
        particles: how many draws of the guide a row, one bound each.
        log_z: of the top, where it is known; otherwise it is exact or annealed, from means of the guide's draws.
        seed: of all draws.
        progress: whether to show a bar when it takes long.

    Raises:
        GraphError, ShapeError, PlanError: as for `bounds`.

    Reference: Salakhutdinov and Murray (2008), On the quantitative analysis of deep belief networks.
    """
    if log_z is None:
        log_z = log_z_figure(belief.top, means=_means(belief, data, seed), seed=seed, progress=progress)
    names = ", ".join(v.name for v in (*belief.pair.observed, *belief.pair.given))
    found = bounds(belief.pair, data, particles, seed=seed, progress=progress)
    return tuple(normalised(replace(figure, name=f"log p({names})"), log_z) for figure in found)


def above(number: int, inner: Phase, features: Callable[[Batch], Batch], also: Mapping[str, nn.Module]) -> Phase:
    """A phase of one machine of a stack, which learns from what those below make of a batch.

    Args:
        number: of machines below.
        inner: the phase of the machine alone.
        features: what a batch is turned into.
        also: modules that make these features, by name.
    """
    modules = {f"{name.replace('model', 'layer')} {number + 1}": module for name, module in inner.modules.items()}

    def objective(batch: Batch, moment: Moment) -> Terms:
        return inner.objective(features(batch), moment)

    return replace(inner, name=f"layer {number + 1}", modules={**modules, **also}, objective=objective)


def _layer(belief: Belief, number: int, inner: Phase) -> Phase:
    def features(batch: Batch) -> Batch:
        if belief.machines[number].model.training:
            belief.settle(number)
        return belief.features(batch, number)

    return above(number, inner, features, {"guide": belief.pair.guide} if number else {})


def _surprise(conditionals: Iterable[Conditional], values: Mapping[str, Tensor]) -> Tensor:
    """-log of a product of conditionals, a mean over rows."""
    logs = (each.log_prob(*(values[v.name] for v in each.scope)).mean() for each in conditionals)
    return -reduce(torch.add, logs)


def _energy(top: Machine, state: Mapping[str, Tensor]) -> Tensor:
    return -top.log_sum(state, [v.name for v in top.hidden]).mean()


def _means(belief: Belief, data: Data, seed: int) -> dict[str, Tensor]:
    """Means of what the top sees, where annealing begins."""
    with at_rest(belief.pair.guide, seed=seed) as device:
        rows = Rows(data, len(data), seed, device)[0]
        found = belief.features(belief.pair.seen(rows), len(belief.machines) - 1)
    return means_of(belief.top, Data(found))
