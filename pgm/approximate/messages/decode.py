"""From messages at temperature 0 to joint states, and to a bound on how much any could weigh."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...compiled.forest import decode, forest
from .flat import around_of, numbers_of, structure_of
from .passing import Passing


@torch.no_grad()
def decoded(passing: Passing, messages: Tensor) -> tuple[Tensor, Tensor]:
    """Joint states `[rows, variables]` along a spanning forest, and a weight that none exceeds, `[rows]`, in nats.

    With t_f(x_f) - sum_i r_f m_fi(x_i) plus the beliefs of the variables that factor f leads to as its term, and the
    beliefs of the roots, the terms sum to the log weight of x for any messages; so the sum of their maxima is a bound.
    On a tree at a fixed point it is the weight of the states that are found, ties or not. So is the sum of maxima when
    each factor takes an equal share of its variables' beliefs, which is often less on loops.

    Args:
        passing: the equations, of tables only.
        messages: `[rows, entries]`.

    Example:
        >>> from ...fields.field import grid
        >>> attract = grid(torch.zeros(1, 3, 2), torch.tensor([[0.0, -1.0], [-1.0, 0.0]]))
        >>> decoded(Passing(attract, 0.0), Passing(attract, 0.0).start())[0]
        tensor([[0, 0, 0]])
    """
    field = passing.field.to("cpu", torch.float64)  # one compiled precision, and sums of a million terms
    structure, numbers = structure_of(field), numbers_of(field)
    if passing.powers is not None:
        numbers = numbers._replace(powers=passing.powers.cpu().double().numpy())
    around = around_of(structure)
    order, finder = forest(structure, around)
    beliefs, own = passing.beliefs(messages).cpu().double().numpy(), messages.cpu().double().numpy()
    states, bounds = np.zeros((field.rows, field.variables), np.int64), np.empty(field.rows)
    for row in range(field.rows):
        bounds[row] = decode(structure, around, order, finder, numbers, row, own[row], beliefs[row], states[row])
    assert field.constant is not None
    device = passing.field.device
    return torch.from_numpy(states).to(device), (torch.from_numpy(bounds) + field.constant).to(device)
