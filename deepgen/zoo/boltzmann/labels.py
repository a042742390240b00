"""Machines as classifiers: labels given everything else, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from pgm.errors import PlanError
from pgm.variable import Variable

from ...training.phase import Batch, Moment, Phase
from .machine import Machine


def label_log_prob(machine: Machine, label: Variable, seen: Mapping[str, Tensor]) -> Tensor:
    """log p(label | what else is seen), exactly: free energies of all labels, `[*batch, states]`, in nats.

    Args:
        machine: whose hidden units are independent given what is seen.
        label: one of its visible variables, with states.
        seen: all other visible layers, `[*batch, *event]` by name.

    Raises:
        PlanError: when the label is no visible variable with states, or hidden units are coupled.

    Example:
        >>> from pgm import Binary
        >>> from deepgen.zoo.boltzmann import rbm
        >>> image, label = Variable("image", Binary(8, 8)), Variable("label", range(10))
        >>> label_log_prob(rbm(image, 64, label=label), label, {"image": torch.ones(5, 8, 8)}).shape
        torch.Size([5, 10])

    Reference: Larochelle and Bengio (2008), Classification using discriminative restricted Boltzmann machines.
    """
    if label not in machine.visible or not label.finite:
        raise PlanError(f"label_log_prob: {label!r} is no visible variable of {machine!r} with states.")
    others = {name: x.unsqueeze(-2) for name, x in machine.state(seen).items() if name != label.name}
    every = torch.eye(label.size, device=machine.device, dtype=machine.zeros(label.name).dtype)
    return machine.log_sum({**others, label.name: every}, [v.name for v in machine.hidden]).log_softmax(-1)


def discriminative(machine: Machine, label: Variable, **options: Any) -> Phase:
    """Learns to tell labels: -log p(label | what else is seen), exactly.

    Beside a phase that learns what all looks like, such as `persistent`, it is half of hybrid learning.

    Args:
        machine, label: as for `label_log_prob`.
        options: `optimiser`, `rate` and `clip` of the phase.

    Example:
        >>> from pgm import Binary
        >>> from deepgen.zoo.boltzmann import rbm
        >>> label = Variable("label", range(10))
        >>> discriminative(rbm(Variable("image", Binary(8, 8)), 64, label=label), label)
        Phase(discriminative: moves model, 1 step a turn)

    Reference: Larochelle and Bengio (2008), Classification using discriminative restricted Boltzmann machines.
    """

    def objective(batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        found = label_log_prob(machine, label, batch)
        right = (found.argmax(-1) == batch[label.name]).to(found.dtype)
        return {"loss": nll_loss(found, batch[label.name]), "labels right": right}

    return Phase("discriminative", machine.modules, objective, **options)
