"""How a flow matching model learns: one phase, rows at random times."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from ..diffusion.learning import hidden
from .model import FlowMatching

Coupling = Literal["independent", "optimal"]


def matched(model: FlowMatching, coupling: Coupling = "independent", **options: Any) -> Phase:
    """The network learns the mean velocity of the straight paths that pass, in one phase.

        E |velocity(x_t, t) - (data - (1 - s) noise)|^2 over data, noise and t, a number of x

    Times are spread evenly over a batch. Shades become numbers spread evenly around them.

    Args:
        model: what learns.
        coupling: which noise goes with which row: 'independent', or 'optimal' within a batch, the pairs that are
            nearest to each other together, which makes paths straighter.
        options: `optimiser`, `rate` and `clip` of the phase.

    Raises:
        PlanError: when there is no such coupling, or an optimal one would tie noise to what is given.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.flow_matching import flow_matching
        >>> matched(flow_matching(Variable("x", Real(2))))
        Phase(matching: moves velocity, 1 step a turn)

    Reference: Lipman, Chen, Ben-Hamu, Nickel and Le (2023), Flow matching for generative modeling; Tong et al. (2024),
    Improving and generalizing flow-based generative models with minibatch optimal transport, for optimal couplings.
    """
    if coupling not in ("independent", "optimal"):
        raise PlanError(f"matched: coupling is {coupling!r}, expected 'independent' or 'optimal'.")
    if coupling == "optimal" and model.given:
        names = ", ".join(v.name for v in model.given)
        raise PlanError(f"matched: an optimal coupling would tie noise to {names}; expected coupling='independent'.")

    def objective(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        data = spread(batch[model.x.name], model.levels)
        noise = torch.randn_like(data)
        if coupling == "optimal":
            noise = noise[nearest_pairs(data, noise)]
        time = times(len(data), data.device)
        now = model.velocity.between(noise, data, time.reshape(-1, *[1] * (data.dim() - 1)))
        said = model.velocity(now, time, *hidden(model.told(batch), model.dropped))
        return {"loss": (said - model.velocity.wanted(noise, data)).square().flatten(1).mean(1)}

    return Phase("matching", model.modules, objective, **options)


def times(rows: int, device: torch.device) -> Tensor:
    """Times from 0 to 1, each as likely as any other, spread evenly over the rows, `[rows]`."""
    return (torch.randperm(rows, device=device) + torch.rand(1, device=device)) / rows


def spread(x: Tensor, levels: int | None) -> Tensor:
    """Shades from -1 to 1, so many, as numbers evenly around each; numbers stay as they are.

    Reference: Theis, van den Oord and Bethge (2016), A note on the evaluation of generative models.
    """
    return x if levels is None else x + (2 * torch.rand_like(x) - 1) / (levels - 1)


def nearest_pairs(data: Tensor, noise: Tensor) -> Tensor:
    """Which noise goes with each row, `[rows]`, such that the sum of squared distances is least."""
    from scipy.optimize import linear_sum_assignment  # slow to import, and seldom needed

    costs = torch.cdist(data.flatten(1), noise.flatten(1)).square()
    return torch.from_numpy(linear_sum_assignment(costs.cpu().numpy())[1]).to(data.device)
