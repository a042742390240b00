"""What is missing, given what is known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...potentials.linear import value
from .evidence import begun
from .gibbs import sweep
from .machine import Machine


@torch.no_grad()
def completed(
    machine: Machine, known: Mapping[str, Tensor], *, rows: int = 1, sweeps: int = 1000, burn: int = 100, seed: int = 0
) -> dict[str, Tensor]:
    """Means of what is missing given what is known, by Gibbs sampling in which what is known stays as it is.

    The means of units given the hidden ones are averaged over all sweeps, rather than their draws. Choices that are
    known to be absent (`OneHot` zeros) play no part; NaN asks for them.

    Args:
        machine: whose visible units are independent given the hidden ones.
        known: values `[*event]` or `[rows, *event]` by name, with NaN (of states -1) where they are missing.
        rows: how many.
        sweeps: to average over.
        burn: sweeps before these.
        seed: of the draws.

    Returns:
        Means of visible layers by name, `[rows, *event]`; of variables with states probabilities, `[rows, states]`.

    Raises:
        PlanError: when visible units are coupled, or there is no row or sweep.
        EvidenceError: on values that a layer cannot have.
        ShapeError: when a value has another shape.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import rbm
        >>> half = torch.tensor([1.0, 1.0, torch.nan, torch.nan])
        >>> found = completed(rbm(Variable("image", Binary(4)), 3, deviation=0.0), {"image": half}, sweeps=10)
        >>> found["image"]
        tensor([[1.0000, 1.0000, 0.5000, 0.5000]])

    Reference: Salakhutdinov, Mnih and Hinton (2007), Restricted Boltzmann machines for collaborative filtering.
    """
    names, hidden = [v.name for v in machine.visible], [v.name for v in machine.hidden]
    machine.require_independent(names)
    if rows < 1 or sweeps < 1 or burn < 0:
        raise PlanError(
            f"completed: rows is {rows}, sweeps is {sweeps} and burn is {burn}, expected 1, 1 and 0, or more."
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state, fixed = begun(machine, rows, known)
        total = {name: torch.zeros_like(state[name]) for name in names}
        for number in range(burn + sweeps):
            state = sweep(machine, state, hidden, fixed)
            if number >= burn:
                means = sweep(machine, state, names, fixed, means=True)  # visible layers say nothing to one another
                total = {name: held + means[name] for name, held in total.items()}
            state = sweep(machine, state, names, fixed)
    found = {name: held / sweeps for name, held in total.items()}
    return {v.name: found[v.name] if v.finite else value(v, found[v.name]) for v in machine.visible}
