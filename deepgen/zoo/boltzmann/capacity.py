"""How much associative memories hold: wrong bits after recall, measured and predicted."""

from __future__ import annotations

from math import erf, exp, pi, sqrt
from typing import Any

import torch
from torch import Tensor

from ...evaluate.figure import Figure
from .memory import Memory

STEEP = 4.0  # y beyond which no bit in ten million is wrong


def recall_error(memory: Memory, patterns: Tensor, *, flipped: float = 0.0, seed: int = 0, **how: Any) -> Figure:
    """The share of bits that are wrong after a memory was shown its patterns with some bits flipped.

    Args:
        memory: that stores them.
        patterns: bits, `[patterns, *event]`.
        flipped: the share of bits that are.
        seed: of the flips, and of recall.
        how: `update`, `sweeps` of its recall.

    Returns:
        A share with its standard error over patterns.

    Raises:
        ShapeError, EvidenceError, PlanError: as recall.

    Example:
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import hopfield
        >>> patterns = torch.randint(0, 2, (4, 200), generator=torch.Generator().manual_seed(0)).float()
        >>> print(recall_error(hopfield(Variable("x", Binary(200)), patterns), patterns, flipped=0.1))
        wrong bits ~ 0 ± 0 (4 patterns of 200 bits, 10 % flipped)
    """
    drawn = torch.rand(patterns.shape, generator=torch.Generator().manual_seed(seed)).to(patterns.device)
    found = memory.recall((patterns - (drawn < flipped).to(patterns)).abs(), seed=seed, **how).final
    shares = (found != patterns).flatten(1).double().mean(1)
    error = shares.std().item() / sqrt(len(shares)) if len(shares) > 1 else None
    said = f"{len(patterns)} patterns of {patterns[0].numel()} bits, {100 * flipped:g} % flipped"
    return Figure("wrong bits", shares.mean().item(), "estimate", said, error)


def predicted_error(load: float) -> float:
    """The share of wrong bits at the states near stored patterns of a large Hopfield network with random patterns.

    It is (1 - erf y) / 2 at the largest y with sqrt(2 load) = erf(y) / y - 2 exp(-y^2) / sqrt(pi). Beyond a load of
    0.138 there is none: states near patterns are lost all at once, and the share is 1/2.

    Args:
        load: patterns a unit.

    Example:
        >>> [round(predicted_error(load), 4) for load in (0.05, 0.1, 0.1379, 0.139)]
        [0.0, 0.001, 0.0159, 0.5]

    Reference: Amit, Gutfreund and Sompolinsky (1985), Storing infinite numbers of patterns in a spin-glass model of
    neural networks.
    """
    low, high = PEAK, STEEP
    if _room(low) < sqrt(2 * load):
        return 0.5
    for _ in range(60):  # beyond its peak the right side falls
        middle = (low + high) / 2
        low, high = (middle, high) if _room(middle) > sqrt(2 * load) else (low, middle)
    return (1 - erf(low)) / 2


def _room(y: float) -> float:
    return erf(y) / y - 2 * exp(-y * y) / sqrt(pi)


PEAK = max((number / 1000 for number in range(1000, 2500)), key=_room)
