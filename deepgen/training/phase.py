"""One player's turn: which parameters move, what is made small, by which optimiser, how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pgm.errors import PlanError

from .history import Monitor
from .schedules import Schedule, constant

Batch = dict[str, Tensor]
Terms = Tensor | Mapping[str, Tensor]
Make = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class Moment:
    """When in training something happens.

    Args:
        step: steps that this phase has made before.
        turn: turns of all phases that are over.
        epoch: passes over the data that are over, with a fraction.
    """

    step: int
    turn: int
    epoch: float


@dataclass(frozen=True, eq=False)
class Phase:
    """One player's turn in training.

    A VAE, a diffusion model or a flow has one phase; expectation maximisation has two, of which the first moves the
    guide and the second the model; wake-sleep and adversarial games have two with different objectives.

    Args:
        name: for histories and messages.
        modules: what moves, by name; the same module has the same name in every phase.
        objective: takes a batch, tensors `[batch, *event]` by name, and the moment; returns what is to be made small,
            `[batch]` or `[]`, or several terms by name, of which the first is to be made small and all are recorded.
        steps: how many batches a turn.
        optimiser: makes an optimiser of parameters; see `adam`.
        rate: multiplies the optimiser's learning rate, by steps made.
        clip: the norm to which gradients are cut; None to leave them.
        monitors: functions of the history so far, and of whatever else they know, such as the model: what is wrong by
            now and what to do about it, by name. They are asked at each row; the history keeps what they say.

    Raises:
        PlanError: when there is nothing to move, or no step.

    Example:
        >>> line = nn.Linear(1, 1)
        >>> Phase("fit", {"line": line}, lambda batch, moment: (line(batch["x"]) - batch["y"]).square().mean(-1))
        Phase(fit: moves line, 1 step a turn)

    Reference: Hu, Yang, Salakhutdinov and Xing (2018), On unifying deep generative models, for training as phases.
    """

    name: str
    modules: Mapping[str, nn.Module]
    objective: Callable[[Batch, Moment], Terms]
    steps: int = 1
    optimiser: Make | None = None
    rate: Schedule = constant()
    clip: float | None = None
    monitors: tuple[Monitor, ...] = ()

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise PlanError(f"Phase({self.name}): steps is {self.steps}, expected 1 or more.")
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise PlanError(f"Phase({self.name}): none of {', '.join(self.modules) or 'no modules'} has parameters.")

    def parameters(self) -> list[nn.Parameter]:
        """What moves, each once."""
        found = [p for module in self.modules.values() for p in module.parameters() if p.requires_grad]
        return list({id(parameter): parameter for parameter in found}.values())

    def __repr__(self) -> str:
        return f"Phase({self.name}: moves {', '.join(self.modules)}, {self.steps} step{'s' * (self.steps > 1)} a turn)"


def adam(rate: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), decay: float = 0.0) -> Make:
    """Makes Adam, all of a step in one kernel; with decoupled weight decay when there is any.

    Args:
        rate: learning rate.
        betas: of the running means.
        decay: of weights.

    Raises:
        PlanError: when betas are not from 0 to below 1.

    Example:
        >>> type(adam(3e-4)([nn.Parameter(torch.zeros(1))])).__name__
        'AdamW'

    Reference: Kingma and Ba (2015), Adam; Loshchilov and Hutter (2019), Decoupled weight decay regularization.
    """
    if not all(0 <= beta < 1 for beta in betas):
        raise PlanError(f"adam: betas are {betas}, expected two numbers from 0 to below 1.")
    return lambda parameters: torch.optim.AdamW(parameters, lr=rate, betas=betas, weight_decay=decay, fused=True)


def sgd(rate: float = 0.01, momentum: float = 0.0, decay: float = 0.0) -> Make:
    """Makes stochastic gradient descent, all of a step in one kernel; weights decay, biases do not.

    Args:
        rate: learning rate.
        momentum: share of the last step that is repeated.
        decay: of weights, that is of parameters with two axes or more.

    Raises:
        PlanError: when the momentum is not from 0 to below 1, or the decay below 0.

    Example:
        >>> type(sgd(0.1, momentum=0.5)([nn.Parameter(torch.zeros(1))])).__name__
        'SGD'

    Reference: Robbins and Monro (1951), A stochastic approximation method; Polyak (1964), Some methods of speeding up
    the convergence of iteration methods.
    """

    if not 0 <= momentum < 1 or not decay >= 0:
        raise PlanError(f"sgd: momentum is {momentum:g} and decay {decay:g}, expected 0 to below 1, and 0 or more.")

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        held = list(parameters)
        groups = [
            {"params": [p for p in held if p.dim() > 1], "weight_decay": decay},
            {"params": [p for p in held if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.SGD([g for g in groups if g["params"]], lr=rate, momentum=momentum, fused=True)

    return make


def named_modules(phases: Iterable[Phase]) -> dict[str, nn.Module]:
    """All modules of all phases by name.

    Raises:
        PlanError: when one name stands for two modules, or two names for one.
    """
    found: dict[str, nn.Module] = {}
    for phase in phases:
        for name, module in phase.modules.items():
            if found.setdefault(name, module) is not module:
                raise PlanError(f"Phase({phase.name}): {name!r} is another module in an earlier phase.")
    if len({id(module) for module in found.values()}) < len(found):
        raise PlanError(f"fit: one of {', '.join(found)} is the same module under two names; use one name.")
    return found
