"""A phase at work: its loss as a module, its optimiser, and how many steps it has made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .phase import Batch, Moment, Phase, adam

if TYPE_CHECKING:
    from accelerate import Accelerator

GRADIENT = "gradient."


class Loss(nn.Module):
    """A phase's objective as a module, so that wrappers for many processes and for short floats see its parameters."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.moved = nn.ModuleDict(phase.modules)
        self.objective = phase.objective

    def forward(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """The mean of each term over the batch; the first one is what is made small."""
        terms = self.objective(batch, moment)
        named = terms if isinstance(terms, Mapping) else {"loss": terms}
        first = next(iter(named))
        return {name: (term if name == first else term.detach()).float().mean() for name, term in named.items()}


class Player:
    """One phase while training goes on.

    Args:
        phase: what to do.
        accelerator: devices, processes and precision.
    """

    def __init__(self, phase: Phase, accelerator: Accelerator) -> None:
        self.phase, self.accelerator, self.steps = phase, accelerator, 0
        self.parameters = phase.parameters()  # to look for them at every step would take longer than small steps
        self.loss = accelerator.prepare(Loss(phase))
        self.optimiser = (phase.optimiser or adam())(self.parameters)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def step(self, batch: Batch, moment: Moment) -> None:
        """Make the objective a little smaller; nothing is read back from the device."""
        parts = self.accelerator.gradient_accumulation_steps
        self.steps += 1
        whole = self.steps % parts == 0
        with nullcontext() if whole else self.accelerator.no_sync(self.loss):
            terms = self.loss(batch, moment)
            loss = next(iter(terms.values()))
            (loss / parts if parts > 1 else loss).backward()
        if whole:
            self._move(terms)
        self._record(terms)

    def _move(self, terms: dict[str, Tensor]) -> None:
        """A step of the optimiser along the gradients that have been gathered."""
        phase, factor = self.phase, self.phase.rate(self.steps - 1)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        if phase.clip is not None:
            terms["gradient"] = cut(self.parameters, phase.clip)
        self.optimiser.step()
        for parameter in self.parameters:  # `zero_grad`, which costs several times as much
            parameter.grad = None

    def _record(self, terms: Mapping[str, Tensor]) -> None:
        for name, term in terms.items():
            held = self.sums.get(name)
            self.sums[name] = term.detach() if held is None else held + term.detach()
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """The mean of each term since this was asked last, over all processes; waits for the device once."""
        if not self.sums:
            return {}
        sums = self.accelerator.reduce(torch.stack(list(self.sums.values())), "mean").tolist()
        names = [f"{self.phase.name}.{name}" for name in self.sums]
        found = {n: value / count for n, value, count in zip(names, sums, self.counts.values(), strict=True)}
        self.sums, self.counts = {}, {}
        return found

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The optimiser's state as tensors by name, and as facts; and gradients that wait for more batches."""
        whole = self.optimiser.state_dict()
        waiting = {f"{GRADIENT}{n}": p.grad for n, p in enumerate(self.parameters) if p.grad is not None}
        tensors, facts = {name: self.accelerator.reduce(g, "mean") for name, g in waiting.items()}, dict[str, Any]()
        for number, entries in whole["state"].items():
            for key, value in entries.items():
                if isinstance(value, Tensor):
                    tensors[f"{number}.{key}"] = value
                else:
                    facts[f"{number}.{key}"] = value
        return tensors, {"steps": self.steps, "groups": whole["param_groups"], "rates": self.rates, "state": facts}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for number, parameter in enumerate(self.parameters):
            held = tensors.get(f"{GRADIENT}{number}")
            parameter.grad = None if held is None else held.to(parameter.device)
        tensors = {place: value for place, value in tensors.items() if not place.startswith(GRADIENT)}
        state: dict[int, dict[str, Any]] = {}
        for place, value in [*tensors.items(), *facts["state"].items()]:
            number, key = place.split(".", 1)
            state.setdefault(int(number), {})[key] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": facts["groups"]})
        self.steps, self.rates = facts["steps"], facts["rates"]


def cut(parameters: Sequence[nn.Parameter], norm: float) -> Tensor:
    """Gradients no longer than a norm, infinity for any; the norm that they had, `[]`."""
    if norm < inf:
        return nn.utils.clip_grad_norm_(parameters, norm)
    norms = torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
    return torch.linalg.vector_norm(torch.stack(norms))


@contextmanager
def only(moved: Sequence[nn.Parameter], everyone: Sequence[nn.Parameter]) -> Iterator[None]:
    """Gradients for what one phase moves alone, of all that any phase moves."""
    own = {id(parameter) for parameter in moved}
    others = [parameter for parameter in everyone if id(parameter) not in own]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
