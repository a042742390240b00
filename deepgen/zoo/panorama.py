"""Images of any size from a model of small ones."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from math import prod
from typing import Any, Protocol, TypeVar

from torch import Tensor

from pgm.domains import Real
from pgm.variable import Variable

from ..networks.windows import Sides, Windows, places, widened


class Part(Protocol):
    """What learns in a model: a network, and where it is."""

    net: Any
    place: Tensor


class Small(Protocol):
    """A model of small images whose only network sees x, the time and what is given: `Diffusion`, `FlowMatching`."""

    @property
    def x(self) -> Variable: ...
    @property
    def given(self) -> tuple[Variable, ...]: ...
    @property
    def modules(self) -> Mapping[str, Part]: ...


M = TypeVar("M", bound=Small)


def panorama(model: M, sides: Sides, stride: int | Sides) -> M:
    """A model of wide images that asks a model of small ones about overlapping windows and takes the mean.

    At every step each window's x_0 is that of the small model; x_{t-1} is drawn from their mean, once for all. As x_t
    is shared, the mean of what windows say of the noise, of x_0, of v or of a velocity is the same thing. All options
    of sampling work as before. The network is that of the small model, not a copy.

    Args:
        model: of small images, a `Diffusion` or a `FlowMatching`.
        sides: height and width of the wide image, in pixels.
        stride: pixels from one window to the next, down and across, or one number for both; less means fewer seams and
            more windows.

    Raises:
        ShapeError: when x is no image, or windows that far apart do not end at the edges, or leave gaps.

    Example:
        >>> import torch
        >>> from deepgen import cosine_noise, diffusion, unet
        >>> x, label = Variable("image", Real(8, 8)), Variable("label", range(3))
        >>> wide = panorama(diffusion(x, unet(8), label=label, noise=cosine_noise(10)), (8, 32), stride=4)
        >>> wide.sample(2, {"label": torch.tensor([0, 1])}, steps=2).shape  # a label for each row
        torch.Size([2, 8, 32])
        >>> wide.sample(1, {"label": torch.tensor([[0, 0, 0, 1, 2, 2, 2]])}, steps=2).shape  # or for each window
        torch.Size([1, 8, 32])

    Reference: Bar-Tal, Yariv, Lipman and Dekel (2023), MultiDiffusion: fusing diffusion paths for controlled image
    generation.
    """
    given = [model.x, Variable("time", Real(1)), *model.given]
    parts = {name: _wide(part, given, sides, stride) for name, part in model.modules.items()}
    x, *others = (widened(v, model.x, sides) for v in (model.x, *model.given))
    windows = prod(places(model.x, sides, stride))
    return replace(model, x=x, given=tuple(others), places=windows, **parts)  # type: ignore[type-var]


def _wide(part: Part, given: list[Variable], sides: Sides, stride: int | Sides) -> Part:
    """The same with another network: all else is copied."""
    net = Windows(part.net, given, sides, stride).to(part.place.device)
    return deepcopy(part, {id(part.net): net})
