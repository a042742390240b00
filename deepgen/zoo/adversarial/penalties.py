"""Penalties that keep critics smooth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pgm.errors import PlanError

Values = Mapping[str, Tensor]
Scores = Callable[[Values], Tensor]
Penalty = Callable[[Scores, Values, Values], Tensor]
"""What a critic pays for how its scores change, `[rows]` or `[packs]`: of the scores, of real and of fake rows."""


def gradient_penalty(weight: float = 10.0, goal: float = 1.0, one_sided: bool = False) -> Penalty:
    """weight (|grad s(x')| - goal)^2 at points x' evenly on the line from a real row to a fake one.

    Args:
        weight: lambda.
        goal: the norm that costs nothing.
        one_sided: whether smaller norms cost nothing too.

    Raises:
        PlanError: when the weight is not above 0.

    Reference: Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville (2017), Improved training of Wasserstein GANs.
    """
    require_weight(weight, "gradient_penalty")

    def penalty(scores: Scores, real: Values, fake: Values) -> Tensor:
        excess = slopes(scores, _between(real, fake)) - goal
        return weight * (excess.relu() if one_sided else excess).square()

    return penalty


def r1(weight: float = 10.0) -> Penalty:
    """weight / 2 |grad s(x)|^2 at real rows.

    Args:
        weight: gamma.

    Raises:
        PlanError: when it is not above 0.

    Reference: Mescheder, Geiger and Nowozin (2018), Which training methods for GANs do actually converge?
    """
    require_weight(weight, "r1")
    return lambda scores, real, fake: weight / 2 * slopes(scores, real).square()


def slopes(scores: Scores, values: Values) -> Tensor:
    """The norm of the gradient of each score in all that it sees, `[rows]` or `[packs]`, differentiable.

    Args:
        scores: `[rows]` or `[packs]`, with further axes of patches that are summed.
        values: where, `[rows, *event]` by name.
    """
    with torch.enable_grad():
        moved = {name: value.detach().requires_grad_() for name, value in values.items()}
        found = scores(moved)
        slope = torch.autograd.grad(found.sum(), list(moved.values()), create_graph=True)
    rows = torch.cat([each.reshape(len(each), -1) for each in slope], 1).square().sum(1)
    packs = len(found)
    squares = rows[: len(rows) // packs * packs].reshape(-1, packs).sum(0)  # row number i is in pack number i % packs
    return (squares + 1e-12).sqrt()  # a slope of nothing has a gradient too


def require_weight(weight: float, subject: str) -> None:
    """Raise a `PlanError` unless a weight is above 0."""
    if not weight > 0:
        raise PlanError(f"{subject}: weight is {weight!r}, expected a number above 0.")


def _between(real: Values, fake: Values) -> dict[str, Tensor]:
    """A point on the line between two rows, as far along it in each variable."""
    first = next(iter(real.values()))
    share = torch.rand(len(first), device=first.device, dtype=first.dtype)
    return {n: row + share.reshape(-1, *[1] * (row.dim() - 1)) * (fake[n] - row) for n, row in real.items()}
