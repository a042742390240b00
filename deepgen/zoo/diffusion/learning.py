"""How a diffusion model learns: one phase, rows at random steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from pgm.errors import PlanError

from ...training.phase import Batch, Moment, Phase
from .bound import prior_cost, step_cost
from .model import Diffusion
from .prediction import from_data
from .process import noised, spread
from .sampling import require_shades
from .schedule import LearnedNoise

Goal = Literal["simple", "bound", "hybrid"]
SHARE = 1e-3  # of the bound, for each of its T terms, in the hybrid


def denoised(model: Diffusion, goal: Goal = "simple", **options: Any) -> Phase:
    """The network learns to undo the noise, in one phase.

    `simple` is the squared error of what the network predicts, at all steps alike: the best images. `bound` is minus
    the evidence lower bound, one step a row: the best likelihood. `hybrid` is the first, and teaches the variances by a
    little of the second, which leaves the means alone.

    Args:
        model: what learns; its variances are 'learned' for `hybrid`.
        goal: one of these.
        options: `optimiser`, `rate` and `clip` of the phase.

    Raises:
        PlanError: when there is no such goal, or nothing to learn for it; a learned schedule knows only 'bound'.
        EvidenceError: while learning, when shades are not from -1 to 1; on an accelerator the first batch is looked at.

    Example:
        >>> from pgm import Real, Variable
        >>> from deepgen.zoo.diffusion import diffusion
        >>> denoised(diffusion(Variable("x", Real(2))))
        Phase(simple: moves denoiser, 1 step a turn)

    Reference: Ho, Jain and Abbeel (2020) for the first two; Nichol and Dhariwal (2021) for the third; Kingma, Salimans,
    Poole and Ho (2021), Variational diffusion models, for steps spread evenly over a batch.
    """
    if goal not in ("simple", "bound", "hybrid"):
        raise PlanError(f"denoised: goal is {goal!r}, expected 'simple', 'bound' or 'hybrid'.")
    if goal != "bound" and isinstance(model.denoiser.schedule, LearnedNoise):
        raise PlanError(f"denoised: goal is {goal!r}, which would collapse a learned schedule; expected 'bound'.")
    variance = model.denoiser.variance
    if goal != "bound" and (goal == "hybrid") != (variance == "learned"):
        raise PlanError(f"denoised: goal is {goal!r} and variance {variance!r}; 'hybrid' and 'learned' go together.")

    def objective(batch: Batch, moment: Moment) -> dict[str, Tensor]:
        start = batch[model.x.name]
        if moment.step == 0 or start.device.type == "cpu":  # elsewhere every look would be waited for
            require_shades(start, model.shades, f"shades of {model.x.name!r}", "denoised")
        steps = spread(len(start), model.denoiser.schedule.steps, start.device)
        told = hidden(model.told(batch), model.dropped)
        return _losses(model, goal, start, steps, told)

    return Phase(goal, model.modules, objective, **options)


def _losses(model: Diffusion, goal: Goal, start: Tensor, steps: Tensor, told: Sequence[Tensor]) -> dict[str, Tensor]:
    noise, predicts = model.noise, model.denoiser.predicts
    now = noised(noise, start, steps, torch.randn_like(start))
    said, between = model.denoiser.said(now, steps, *told)
    wanted = from_data(noise, predicts, start, now, steps)
    error = mse_loss(said, wanted, reduction="none").flatten(1).mean(1)
    if goal == "simple":
        return {"loss": error}
    back = model.denoiser.backward_of(noise, said if goal == "bound" else said.detach(), between, now, steps)
    cost = step_cost(noise, start, now, steps, back, model.event, model.levels)
    if goal == "hybrid":
        return {"loss": error + SHARE * noise.steps * cost / start[0].numel(), "error": error, "step": cost}
    prior = prior_cost(noise, start, model.event)
    return {"loss": prior + noise.steps * cost, "error": error}


def hidden(told: Sequence[Tensor], share: float) -> list[Tensor]:
    """What is given, without it in a share of the rows, all of it at once."""
    if not told or not share:
        return list(told)
    kept = torch.rand(len(told[0]), device=told[0].device) >= share
    return [value * kept.reshape(-1, *[1] * (value.dim() - 1)) for value in told]
