"""Norms of images' channels by name, and norms whose scale and shift a label chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from pgm.errors import PlanError
from pgm.variable import quoted

Norm = Literal["batch", "layer", "instance", "none"]

_NORMS: Mapping[Norm, Callable[[int, bool], nn.Module]] = {
    "batch": lambda channels, affine: nn.BatchNorm2d(channels, affine=affine),
    "layer": lambda channels, affine: nn.GroupNorm(1, channels, affine=affine),
    "instance": lambda channels, affine: nn.GroupNorm(channels, channels, affine=affine),
    "none": lambda channels, affine: nn.Identity(),
}


def normalisation(norm: Norm, channels: int, affine: bool = True) -> nn.Module:
    """A norm of images `[rows, channels, height, width]`.

    Args:
        norm: over what numbers are normalised: all rows of a 'batch'; all of one row, 'layer'; each channel of one
            row, 'instance'; or 'none'. Penalties of slopes at single rows need one of the last three.
        channels: of the images.
        affine: whether it scales and shifts each channel by numbers that are learned.

    Raises:
        PlanError: when there is no such norm.

    Example:
        >>> [normalisation(norm, 16)(torch.randn(5, 16, 4, 4)).shape for norm in ("batch", "layer")]
        [torch.Size([5, 16, 4, 4]), torch.Size([5, 16, 4, 4])]

    Reference: Ioffe and Szegedy (2015), Batch normalization; Ba, Kiros and Hinton (2016), Layer normalization; Ulyanov,
    Vedaldi and Lempitsky (2016), Instance normalization.
    """
    if norm not in _NORMS:
        raise PlanError(f"norm is {norm!r}, expected {quoted(_NORMS)}.")
    return _NORMS[norm](channels, affine)


class ConditionalNorm(nn.Module):
    """A norm whose scale and shift of each channel are those of the label: norm(x) scale[label] + shift[label].

    Args:
        norm: as for `normalisation`.
        channels: of the images.
        told: columns of what chooses, one-hot.

    Example:
        >>> ConditionalNorm("batch", 16, told=10)(torch.randn(5, 16, 4, 4), torch.eye(10)[:5]).shape
        torch.Size([5, 16, 4, 4])

    Reference: Dumoulin, Shlens and Kudlur (2017), A learned representation for artistic style; de Vries et al. (2017),
    Modulating early visual processing by language; Miyato and Koyama (2018), cGANs with projection discriminator.
    """

    def __init__(self, norm: Norm, channels: int, told: int) -> None:
        super().__init__()
        self.norm = normalisation(norm, channels, affine=False)
        self.scale, self.shift = nn.Parameter(torch.ones(told, channels)), nn.Parameter(torch.zeros(told, channels))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """`[rows, channels, height, width]` and one-hot `[rows, told]` to images of the same shape."""
        scale, shift = (chosen[..., None, None] for chosen in (told @ self.scale, told @ self.shift))
        found: Tensor = self.norm(x) * scale + shift
        return found
