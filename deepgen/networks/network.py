"""What a network is here: a maker of modules that fit between variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from torch import nn

from pgm.variable import Variable

Network = Callable[[Sequence[Variable], Sequence[int]], nn.Module]
"""Makes a module of parents that returns numbers `[*batch, *shape]`; its arguments are those of `pgm.Neural`'s net:
one tensor a parent, numbers `[*batch, *event]` and states as one-hot rows `[*batch, states]`."""


def columns(given: Sequence[Variable]) -> int:
    """How many numbers parents have side by side: one a state, one a number.

    Example:
        >>> from pgm import Real
        >>> columns([Variable("z", Real(2, 3)), Variable("label", range(10))])
        16
    """
    return sum(parent.size if parent.finite else prod(parent.shape) for parent in given)
