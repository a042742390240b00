"""What a network is here: a maker of modules that fit between variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Size, Tensor, nn

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


def as_rows(values: Sequence[Tensor], given: Sequence[Variable]) -> tuple[Size, list[Tensor]]:
    """The batch axes that values have together, and each of them as rows `[rows, *event]`.

    Args:
        values: one tensor a parent, `[*batch, *event]`, of states one-hot; batches are matched as torch does.
        given: the parents.

    Example:
        >>> from pgm import Real
        >>> batch, rows = as_rows([torch.zeros(3, 1, 4, 4), torch.zeros(2, 5)], [Variable("x", Real(4, 4)),
        ...     Variable("z", Real(5))])
        >>> batch, [tuple(each.shape) for each in rows]
        (torch.Size([3, 2]), [(6, 4, 4), (6, 5)])
    """
    splits = [value.dim() - (1 if v.finite else len(v.shape)) for value, v in zip(values, given, strict=True)]
    batch = torch.broadcast_shapes(*(value.shape[:at] for value, at in zip(values, splits, strict=True)))
    events = [value.shape[at:] for value, at in zip(values, splits, strict=True)]
    return batch, [v.expand([*batch, *e]).reshape(-1, *e) for v, e in zip(values, events, strict=True)]
