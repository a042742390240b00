"""Prefix products of any associative operation, in a logarithmic number of batched steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Elements = tuple[Tensor, ...]


def scan(combine: Callable[[Elements, Elements], Elements], elements: Elements) -> Elements:
    """All prefixes e_0, e_0 e_1, e_0 e_1 e_2, ... along axis 1.

    Args:
        combine: the associative operation, of two runs of elements of the same length, the earlier ones first.
        elements: tensors `[rows, steps, ...]`.

    Example:
        >>> scan(lambda a, b: (a[0] + b[0],), (torch.ones(1, 5),))
        (tensor([[1., 2., 3., 4., 5.]]),)

    Reference: Blelloch (1990), Prefix sums and their applications.
    """
    steps = elements[0].shape[1]
    if steps < 2:
        return elements
    odd = scan(combine, combine(_every(elements, 0, steps - 1), _every(elements, 1, steps)))
    later = combine(tuple(x[:, : (steps - 1) // 2] for x in odd), _every(elements, 2, steps))
    even = tuple(torch.cat([x[:, :1], y], 1) for x, y in zip(elements, later, strict=True))
    return tuple(_woven(x, y) for x, y in zip(even, odd, strict=True))


def _every(elements: Elements, start: int, stop: int) -> Elements:
    return tuple(x[:, start:stop:2] for x in elements)


def _woven(even: Tensor, odd: Tensor) -> Tensor:
    """even[0], odd[0], even[1], ... along axis 1."""
    pairs = torch.stack([even[:, : odd.shape[1]], odd], 2).flatten(1, 2)
    return torch.cat([pairs, even[:, odd.shape[1] :]], 1)


def reversed_scan(combine: Callable[[Elements, Elements], Elements], elements: Elements) -> Elements:
    """All suffixes ..., e_{n-2} e_{n-1}, e_{n-1} along axis 1."""
    flipped = scan(lambda late, early: combine(early, late), tuple(x.flip(1) for x in elements))
    return tuple(x.flip(1) for x in flipped)
