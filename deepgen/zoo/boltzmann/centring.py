"""Centres of couplings: moved without changing what a machine says."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgm.domains import OneHot
from pgm.errors import PlanError, ShapeError
from pgm.variable import Variable

from ...potentials import Bias, Coupling
from .machine import Machine


@torch.no_grad()
def recentre(machine: Machine, means: Mapping[str, Tensor], share: float = 1.0) -> None:
    """Move the centres of layers some way towards means, and undo in biases what that does to the distribution.

        c += s (mean - c), and the bias of each neighbour += s (mean - c) W

    Gradients of weights are then those of covariances, which no longer depend on which state of a unit is called 1.
    Choices that may be absent (`OneHot`) stay where they are: an absent one says nothing only while its centre is 0.

    Args:
        machine: whose couplings are between layers with a `Bias` of each unit; moved in place.
        means: of layers, `[numbers]` by name.
        share: of the way, from 0 to 1.

    Raises:
        PlanError: when a neighbour has no bias, or one that its units share, or couplings share their weights.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import log_z, rbm
        >>> machine = rbm(Variable("v", Binary(6)), 4, deviation=1.0)
        >>> rows = {"v": torch.eye(6)}
        >>> before = -machine.free_energy(rows) - log_z(machine)
        >>> recentre(machine, {"v": torch.full((6,), 0.3), "h": torch.full((4,), 0.5)})
        >>> torch.allclose(-machine.free_energy(rows) - log_z(machine), before, atol=1e-4)
        True

    Reference: Montavon and Muller (2012), Deep Boltzmann machines and the centering trick; Melchior, Fischer and
    Wiskott (2016), How to center deep Boltzmann machines.
    """
    biases = {term.scope[0]: term for term in machine.model.terms if isinstance(term, Bias) and term.times == 1}
    weights = [term.weight for term in machine.model.terms if isinstance(term, Coupling)]
    if len(set(weights)) < len(weights):
        raise PlanError("recentre: couplings share their weights, so that no move can be undone; leave centring at 0.")
    for term in machine.model.terms:
        if isinstance(term, Coupling):
            (a, b), weight = term.scope, term.weight
            for one, other, name, said in ((a, b, "centre", weight.T), (b, a, "other_centre", weight)):
                if one.name not in means or isinstance(one.domain, OneHot):
                    continue
                if other not in biases and other not in machine.given:
                    raise PlanError(
                        f"recentre: {other.name!r} has no bias of each unit, in which to undo a move; give it a Bias."
                    )
                centre = term.get_buffer(name)
                step = share * (means[one.name] - centre)
                setattr(term, name, centre + step)  # another tensor: free energies may still need the old one
                if other in biases:
                    biases[other].bias.add_(said @ step, alpha=biases[other].temperature / term.temperature)


@torch.no_grad()
def begin_at(machine: Machine, x: Variable, mean: Tensor) -> None:
    """Let a machine begin where units of x are as in data on their own, and gradients are those of covariances.

    Its centres are at the mean, and those of hidden layers at a half.

    Args:
        machine: not yet trained; changed in place.
        x: one of its visible layers, with a bias for each unit.
        mean: of x in the data, `[*event]`.

    Raises:
        ShapeError: when the mean has another shape.
    """
    if tuple(mean.shape) != x.shape:
        raise ShapeError(f"{machine}: mean has shape {tuple(mean.shape)}, expected {x.shape}, that of {x.name!r}.")
    bias = next(term for term in machine.model.terms if isinstance(term, Bias) and term.scope == (x,))
    bias.bias.copy_(machine.units(x.name).field_of(mean.flatten()) * bias.temperature)
    halves = {v.name: torch.full_like(machine.zeros(v.name), 0.5) for v in machine.hidden}
    recentre(machine, {x.name: mean.flatten(), **halves})
