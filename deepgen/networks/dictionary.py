"""Dictionaries: linear maps whose every column has length 1, for sparse codes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from pgm.neural import Joined
from pgm.variable import Variable

from .network import columns


def dictionary(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
    """A network: a linear map whose columns, one a number of the parents, have length 1.

    Codes cannot shrink at no cost while weights grow, which is what they do under a plain linear map.

    Example:
        >>> from pgm import Real
        >>> dictionary([Variable("z", Real(3))], [8, 8])(torch.eye(3)).square().sum((1, 2)).detach().round(decimals=3)
        tensor([1., 1., 1.])

    Reference: Olshausen and Field (1996), Emergence of simple-cell receptive field properties by learning a sparse code
    for natural images.
    """
    return Joined(nn.Sequential(Dictionary(columns(given), prod(shape)), nn.Unflatten(-1, tuple(shape))))


class Dictionary(nn.Module):
    """x = z D + b with the rows of D of length 1.

    Args:
        codes, numbers: the lengths of z and x.
    """

    def __init__(self, codes: int, numbers: int) -> None:
        super().__init__()
        self.atoms = nn.Parameter(torch.randn(codes, numbers))
        self.bias = nn.Parameter(torch.zeros(numbers))

    def forward(self, z: Tensor) -> Tensor:
        """Numbers `[*batch, numbers]` of codes `[*batch, codes]`."""
        return linear(z, normalize(self.atoms, dim=-1).mT, self.bias)
