"""Persistent chains that are pushed away from where they are by weights that forget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...training.phase import Batch, Moment, Phase
from .contrast import Contrast, Penalty
from .gibbs import Chains, sweep
from .learning import require_chains
from .machine import Machine
from .monitors import alarms


class Fast(nn.Module):
    """What is added to parameters while chains move, kept with checkpoints.

    Args:
        parameters: to which it is added.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__()
        for number, parameter in enumerate(parameters):
            self.register_buffer(f"added{number}", torch.zeros_like(parameter))

    @contextmanager
    def added(self, parameters: list[Tensor]) -> Iterator[None]:
        """The parameters with this added; what they had is put back afterwards, to the bit."""
        kept = [parameter.detach().clone() for parameter in parameters]
        with torch.no_grad():
            torch._foreach_add_(parameters, list(self.buffers()))
            try:
                yield
            finally:
                torch._foreach_copy_(parameters, kept)

    @torch.no_grad()
    def learn(self, gradients: Sequence[Tensor], rate: float, decay: float) -> None:
        """Forget some, and follow gradients."""
        held = list(self.buffers())
        torch._foreach_mul_(held, decay)
        torch._foreach_add_(held, list(gradients), alpha=-rate)


def fast_persistent(
    machine: Machine,
    chains: int = 100,
    steps: int = 1,
    *,
    fast_rate: float = 0.01,
    fast_decay: float = 0.95,
    centring: float = 0.0,
    penalty: Penalty | None = None,
    **options: Any,
) -> Phase:
    """Persistent chains mix by fast weights, which learn at a rate of their own and fade: fast PCD.

    Chains move under parameters + fast ones; the latter follow the same gradient and lose a share every step, so that
    the energy rises wherever chains stay, and they leave. Everything else is as with `persistent`.

    Args:
        machine: whose hidden units are independent given what is seen, with nothing given.
        chains, steps: as for `persistent`.
        fast_rate: the learning rate of the fast parameters.
        fast_decay: what is left of them after a step.
        centring, penalty: as for `persistent`.
        options: `optimiser`, `rate` and `clip` of the phase.

    Raises:
        PlanError: when hidden units are coupled, something is given, or there is no step.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> fast_persistent(rbm(Variable("image", Binary(28, 28)), 500))
        Phase(fast persistent contrastive divergence: moves model, chains, fast, 1 step a turn)

    Reference: Tieleman and Hinton (2009), Using fast weights to improve persistent contrastive divergence.
    """
    require_chains(machine, steps, "fast_persistent")
    contrast, dreams = Contrast(machine, centring, penalty), Chains(machine, chains)
    machine.require_independent(contrast.hidden)
    parameters: list[Tensor] = [p for p in machine.model.parameters() if p.requires_grad]
    fast = Fast(parameters)

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        state = dreams.state
        with fast.added(parameters):
            for _ in range(steps):
                state = sweep(machine, state, [*contrast.hidden, *contrast.visible])
        terms, _ = contrast.terms(machine.state(batch), state)
        if machine.model.training and torch.is_grad_enabled():
            dreams.put(state)
            slopes = torch.autograd.grad(
                terms["free energy gap"], parameters, retain_graph=True, materialize_grads=True
            )
            fast.learn(slopes, fast_rate, fast_decay)
        return terms

    modules = {**machine.modules, "chains": dreams, "fast": fast}
    return Phase("fast persistent contrastive divergence", modules, objective, monitors=alarms(machine), **options)
