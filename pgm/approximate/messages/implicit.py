"""Messages at a fixed point as a differentiable function of the field."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from ...errors import ConvergenceWarning
from .passing import Passing


def implicit(passing: Passing, messages: Tensor, damping: float, iterations: int, tolerance: float) -> Tensor:
    """The same messages with the gradient that a fixed point has: m = F(m, field), dm = (I - dF/dm)^-1 dF/dfield.

    The inverse is never made: what comes from above is pulled through F again and again until it changes no more,
    which it does where message passing with the same damping settles.

    Args:
        passing: the equations, over a field that requires gradients.
        messages: where they have settled.
        damping: as when they were passed.
        iterations, tolerance: of the repeated pulls, relative to what comes from above.

    Reference: Christianson (1994), Reverse accumulation and attractive fixed points.
    """
    with torch.enable_grad():
        found = passing.step(messages.detach())
        here = messages.detach().clone().requires_grad_()
        image = passing.step(here)

    def pulled(above: Tensor) -> Tensor:
        total, limit = above, tolerance * max(above.abs().max().item(), torch.finfo(above.dtype).tiny)
        for _ in range(iterations):
            (back,) = torch.autograd.grad(image, here, total, retain_graph=True)
            change = (1.0 - damping) * (above + back - total)
            total = total + change
            if change.abs().max() <= limit:
                return total
        warnings.warn(
            f"LoopyBP: the gradient has not settled after {iterations} iterations: it changes by "
            f"{change.abs().max().item():.2g}, tolerance {limit:.2g}. Use more damping or iterations, or "
            "gradient='unrolled'.",
            ConvergenceWarning,
            stacklevel=2,
        )
        return total

    if found.requires_grad:
        found.register_hook(pulled)
    return found


def stepped(passing: Passing, messages: Tensor, damping: float, iterations: int) -> Tensor:
    """Messages after that many more steps, every one of which is differentiated."""
    with torch.enable_grad():
        for _ in range(iterations):
            messages = passing.step(messages, damping)
    return messages
